import type { FailureKind, State } from '../../task/states.ts'

/** What PBS says of a job, in Drover's words. */
export interface PbsEnd {
  readonly state: State
  readonly cause?: FailureKind
  readonly exitCode?: number
}

/** States of a job that lives (qstat(1B) of OpenPBS 23.06). */
const LIVE: Readonly<Record<string, State>> = {
  Q: 'queued',
  H: 'queued',
  W: 'queued',
  T: 'queued',
  M: 'queued',
  S: 'suspended',
  U: 'suspended',
  R: 'running',
  B: 'running',
  E: 'finishing',
}

/** Letters of a job that has ended: finished, a finished subjob, and Torque's word. */
const ENDED = new Set(['F', 'X', 'C'])

/** Substate of a job that was deleted, whatever its script made of the signal. */
const DELETED = '91'

/** Negative values: why PBS itself did not run it, or ended it (pbs_job.h, JOB_EXEC_*). */
const BY_PBS: Readonly<Record<number, FailureKind>> = {
  [-29]: 'timeout',
  [-28]: 'timeout',
  [-27]: 'out_of_memory',
  [-26]: 'out_of_memory',
  [-20]: 'node_failure',
  [-4]: 'node_failure',
  [-5]: 'node_failure',
  [-6]: 'node_failure',
}

/** Signal of a value above 128: 256 + n (OpenPBS), 128 + n (older, and shells). Undefined: it is a code of the script's own. */
function signalOf(status: number): number | undefined {
  const signal = status > 256 ? status - 256 : status > 128 ? status - 128 : 0
  return signal >= 1 && signal <= 64 ? signal : undefined
}

/**
 * The state of a job by its attributes. An end without Exit_status is no success: it was deleted, or never ran, as one whose
 * dependency cannot be met any more. An unknown letter is a live one: only what is understood ends a job.
 */
export function pbsState(attributes: ReadonlyMap<string, string>): PbsEnd {
  const letter = attributes.get('job_state') ?? ''
  if (!ENDED.has(letter)) return { state: LIVE[letter] ?? 'running' }
  const written = attributes.get('Exit_status') ?? attributes.get('exit_status')
  const status = written !== undefined && /^-?\d+$/.test(written) ? Number(written) : undefined
  const deleted = attributes.get('substate') === DELETED
  if (status === undefined) {
    if (deleted) return { state: 'cancelled' }
    if (attributes.has('exec_host')) return { state: 'failed', cause: 'node_failure' }
    return { state: 'failed', cause: attributes.has('depend') ? 'dependency' : 'driver' }
  }
  const signal = signalOf(status)
  const exitCode = status < 0 ? undefined : signal === undefined ? status : 128 + signal
  const code = exitCode === undefined ? {} : { exitCode }
  if (deleted) return { state: 'cancelled', ...code }
  if (status < 0) return { state: 'failed', cause: BY_PBS[status] ?? 'driver' }
  if (status === 0) return { state: 'succeeded', exitCode: 0 }
  return { state: 'failed', cause: signal === undefined ? 'exit' : 'signal', ...code }
}
