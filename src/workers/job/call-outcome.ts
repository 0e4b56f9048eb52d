import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DroverError } from '../../errors.ts'
import type { Drover } from '../../jobs/drover.ts'
import { callMessage } from '../../workflow/calls/call-message.ts'
import type { WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { endOfJob, stderrTail } from './job-end.ts'
import type { JobEnding } from './job-watch.ts'

/** The job of a call that has ended. */
interface EndedJob {
  readonly jobId: string
  /** Position in its array; null: a job of its own. */
  readonly element: number | null
  readonly ending: JobEnding
  readonly drover: Pick<Drover, 'logs'>
  readonly signal: AbortSignal
}

/**
 * How a call ended, by its job and by what the worker left: a failure carries the worker's own words, and its stderr lies in the
 * call's `errors`. A worker that ends with 0 and has made the mark `_error`, but not `_done`, has failed (Tierkreis 2.0.9). `bring`
 * brings the call's files back first, where they are not here; what can't be brought makes a success a failure.
 */
export async function describeJobEnd(call: WorkerCall, job: EndedJob, bring: (() => Promise<void>) | undefined): Promise<WorkerEnd> {
  const { jobId, element, ending, signal } = job
  const end = endOfJob(jobId, ending, element)
  if (bring !== undefined && ending.job?.state !== 'lost') {
    try {
      await bring()
    } catch (error) {
      signal.throwIfAborted()
      if (end.outcome === 'succeeded') return unfetched(jobId, error)
    }
  }
  if (end.outcome === 'succeeded') {
    if (!existsSync(join(call.directory, '_error')) || existsSync(join(call.directory, '_done'))) return end
    return {
      outcome: 'failed',
      cause: 'task',
      message: await callMessage(call, 'the worker made its mark _error and no text'),
      exitCode: 0,
    }
  }
  if (end.outcome === 'cancelled') return end
  await keepErrors(call, job)
  signal.throwIfAborted()
  const said = await callMessage(call, '')
  return said === '' ? end : { ...end, message: `${said}\n${end.message}` }
}

function unfetched(jobId: string, error: unknown): WorkerEnd {
  const why = error instanceof DroverError ? error.display : error instanceof Error ? error.message : String(error)
  const message = `its outputs could not be brought back: ${why} (they lie in the work directory of job ${jobId}; see: drover fetch ${jobId})`
  return { outcome: 'failed', cause: 'job', message, ...(error instanceof DroverError && error.transient ? { transient: true } : {}) }
}

/** Puts the end of stderr where a call's is looked for. Without it the job's log still has it. */
async function keepErrors(call: WorkerCall, { jobId, element, drover, signal }: EndedJob): Promise<void> {
  const path = join(call.directory, 'errors')
  if (existsSync(path)) return
  const text = await stderrTail(drover, jobId, element, signal)
  if (text !== '') await writeFile(path, text).catch(() => undefined)
}
