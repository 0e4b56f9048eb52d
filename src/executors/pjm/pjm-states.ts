import type { FailureKind, State } from '../../task/states.ts'

/** What a word of PJM stands for; `ended`: EC, PC and SN say how. */
export type PjmState = State | 'ended'

/**
 * State words of pjstat on Technical Computing Suite V4 (RIKEN "Fugaku user guide" 1.49, 5.12), of older systems (FX10, FX100:
 * staging and swap), the long words of manuals, and those of Wisteria's front end. A parked job (ERR) is live: it stays in the
 * active list until it is released or deleted.
 */
const STATES: Readonly<Record<string, PjmState>> = {
  ACC: 'queued',
  QUE: 'queued',
  SIN: 'starting',
  RDY: 'starting',
  RNA: 'starting',
  RNP: 'starting',
  RUN: 'running',
  RSM: 'running',
  SWI: 'running',
  RNE: 'finishing',
  RNO: 'finishing',
  SOT: 'finishing',
  SPP: 'suspended',
  SPD: 'suspended',
  SWO: 'suspended',
  SWD: 'suspended',
  HLD: 'queued',
  ERR: 'suspended',
  EXT: 'ended',
  CCL: 'ended',
  RJT: 'ended',
}

const LONG: Readonly<Record<string, string>> = {
  ACCEPT: 'ACC',
  REJECT: 'RJT',
  QUEUED: 'QUE',
  STGIN: 'SIN',
  READY: 'RDY',
  'RUNNING-A': 'RNA',
  'RUNNING-P': 'RNP',
  RUNNING: 'RUN',
  'RUNNING-E': 'RNE',
  RUNOUT: 'RNO',
  STGOUT: 'SOT',
  SUSPEND: 'SPP',
  SUSPENDED: 'SPD',
  RESUME: 'RSM',
  EXIT: 'EXT',
  END: 'EXT',
  CANCEL: 'CCL',
  HOLD: 'HLD',
  ERROR: 'ERR',
}

/** The short words, to which a site's own can be mapped. */
export const pjmWords: readonly string[] = Object.keys(STATES)

/** The short form of a word: a site's own first, then long ones. Undefined: not known. */
export function shortWord(word: string, own: Readonly<Record<string, string>> = {}): string | undefined {
  const upper = word.toUpperCase()
  const short = own[word] ?? own[upper] ?? LONG[upper] ?? upper
  return Object.hasOwn(STATES, short) ? short : undefined
}

/** The state a short word stands for. */
export function pjmState(short: string): PjmState | undefined {
  return STATES[short]
}

/** How a job ended, in PJM's own numbers; undefined where the table has none. */
export interface PjmNumbers {
  readonly ec: number | undefined
  readonly pc: number | undefined
  readonly sn: number | undefined
}

/** What an end is in Drover's words. */
export interface PjmEnd {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly cause?: FailureKind
  readonly exitCode?: number
  readonly reason?: string
}

interface CodeMeaning {
  readonly words: string
  readonly cause: FailureKind | 'cancelled'
}

/** PJM codes (RIKEN "Fugaku user guide" 1.49, 5.16: the list is cut there after 28). */
const CODES: Readonly<Record<number, CodeMeaning>> = {
  1: { words: 'deleted by pjdel', cause: 'cancelled' },
  2: { words: 'rejected when it was accepted', cause: 'rejected' },
  3: { words: 'refused by the manager exit of the site, not run', cause: 'rejected' },
  4: { words: 'ended by pjhold', cause: 'cancelled' },
  6: { words: 'left out by a step dependency, not run', cause: 'dependency' },
  7: { words: 'cancelled by a deadline of the site', cause: 'preempted' },
  8: { words: 'cancelled by the manager exit of the site, not run', cause: 'rejected' },
  9: { words: 'ended when the system was reconstructed, because it may not be run again', cause: 'node_failure' },
  11: { words: 'elapse limit', cause: 'timeout' },
  12: { words: 'memory limit', cause: 'out_of_memory' },
  13: { words: 'disk limit', cause: 'staging' },
  16: { words: 'the work directory, or a file of standard input or output, cannot be used', cause: 'staging' },
  18: { words: 'ended after its minimum time, for another job or a schedule', cause: 'preempted' },
  20: { words: 'node down', cause: 'node_failure' },
  21: { words: 'the shell could not be run', cause: 'driver' },
  22: { words: 'ICC error (interconnect)', cause: 'node_failure' },
  23: { words: 'killed for memory by the system', cause: 'out_of_memory' },
  25: { words: 'HA failure', cause: 'node_failure' },
  26: { words: 'prologue or epilogue error', cause: 'driver' },
  27: { words: 'resource manager exit error', cause: 'driver' },
}

/**
 * What an end word and its numbers mean. Success is EXT with PC 0, SN 0 and EC 0 and nothing less: a job at its time limit is
 * EXT with EC 0, PC 11, SN 24 (SIGXCPU). Undefined: the numbers that would tell are not there.
 */
export function pjmEnd(short: string, { ec, pc, sn }: PjmNumbers, reason: string | undefined): PjmEnd | undefined {
  const said = reason === undefined ? '' : `: ${reason}`
  const code = (sn ?? 0) > 0 ? 128 + (sn ?? 0) : (ec ?? 0)
  const exit = code === 0 ? {} : { exitCode: code }
  if (short === 'RJT') return { state: 'failed', cause: 'rejected', ...exit, reason: `rejected by PJM${said}` }
  if (pc !== undefined && pc !== 0) {
    const { words, cause } = CODES[pc] ?? { words: 'a code that is not in the public list', cause: 'driver' as const }
    const text = `PJM code ${pc} (${words})${said}`
    return cause === 'cancelled' ? { state: 'cancelled', ...exit, reason: text } : { state: 'failed', cause, ...exit, reason: text }
  }
  if (short === 'CCL') return { state: 'cancelled', ...exit, reason: `cancelled in PJM${said}` }
  if (pc === undefined || ec === undefined || sn === undefined) return undefined
  if (sn > 0) return { state: 'failed', cause: 'signal', ...exit, ...(reason === undefined ? {} : { reason }) }
  if (ec > 0) return { state: 'failed', cause: 'exit', ...exit, ...(reason === undefined ? {} : { reason }) }
  return { state: 'succeeded', exitCode: 0 }
}
