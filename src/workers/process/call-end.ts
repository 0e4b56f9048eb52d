import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { formatDuration } from '../../task/durations.ts'
import { callMessage } from '../../workflow/calls/call-message.ts'
import type { WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import type { CallEnd } from './call-journal.ts'

/** Why a call is ended by its executor. */
export type Stop = { readonly why: 'cancelled' } | { readonly why: 'timeout'; readonly timeoutMs: number }

/** The end of a call that was not started. */
export function failedToStart(call: Pick<WorkerCall, 'worker' | 'task'>, why: string, transient = false): WorkerEnd {
  return {
    outcome: 'failed',
    cause: 'start',
    message: `cannot start ${call.worker}.${call.task}: ${why}`,
    ...(transient ? { transient } : {}),
  }
}

/** The end of a call that its executor ended. */
export async function describeStop(call: WorkerCall, stop: Stop): Promise<WorkerEnd> {
  if (stop.why === 'cancelled') return { outcome: 'cancelled' }
  const said = await callMessage(call, '')
  const message = `did not end within ${formatDuration(stop.timeoutMs)} and was stopped`
  return { outcome: 'failed', cause: 'timeout', message: said === '' ? message : `${message}: ${said}` }
}

/**
 * The end of a call from its record; undefined: its process is gone and left none. A worker that ends with 0 and has made the mark
 * `_error`, but not `_done`, has failed (Tierkreis 2.0.9).
 */
export async function describeEnd(call: WorkerCall, cwd: string, end: CallEnd | undefined): Promise<WorkerEnd> {
  const directory = existsSync(call.directory) ? '' : `; its directory ${call.directory} is gone`
  if (end === undefined) {
    const what = 'the process was killed together with the one that watches over it (by a person, or for lack of memory)'
    return { outcome: 'failed', cause: 'lost', message: await callMessage(call, what + directory) }
  }
  const { code, word } = end
  if (word !== 'ran') return failedToStart(call, UNSTARTED[word](call, cwd))
  if (code === 0) {
    const failed = existsSync(join(call.directory, '_error')) && !existsSync(join(call.directory, '_done'))
    if (!failed) return { outcome: 'succeeded' }
    return {
      outcome: 'failed',
      cause: 'task',
      message: await callMessage(call, 'the worker made its mark _error and no text'),
      exitCode: 0,
    }
  }
  // A shell says 128 + n of signal n, and can't tell it from that exit code.
  const signal = code > 128 && code <= 192 ? code - 128 : undefined
  if (signal === undefined) {
    return { outcome: 'failed', cause: 'exit', message: await callMessage(call, `exit code ${code}${directory}`), exitCode: code }
  }
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  const what = `ended by signal ${signal}${name === undefined ? '' : ` (${name})`}`
  return { outcome: 'failed', cause: 'signal', message: await callMessage(call, what + directory), exitCode: code, signal }
}

const UNSTARTED: Record<Exclude<CallEnd['word'], 'ran'>, (call: WorkerCall, cwd: string) => string> = {
  cwd: (_call, cwd) => `the directory ${cwd} is missing or closed to you`,
  stdin: () => 'its input file cannot be read',
  stdout: (call) => `cannot write its stdout (${call.args.logs_path ?? 'the output file'}): is the disk full, or the directory gone?`,
  stderr: (call) => `cannot write ${join(call.directory, 'errors')}: is the disk full, or the directory gone?`,
  revoked: () => 'a later controller has taken over before it began',
}
