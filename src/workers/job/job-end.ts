import type { Drover, Job, JobElement } from '../../jobs/drover.ts'
import type { CallFailure, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import type { JobEnding } from './job-watch.ts'

type Failed = Extract<WorkerEnd, { outcome: 'failed' }>

/** Causes after which the same call may well end otherwise, though nothing was changed. */
const TRANSIENT: ReadonlySet<string> = new Set(['preempted', 'node_failure'])

/** Causes that a call has a word of its own for; all others are `job`. */
const FAILURES: Readonly<Record<string, CallFailure>> = { exit: 'exit', signal: 'signal', timeout: 'timeout' }

/** Cause kinds in words, for elements: of a job its own cause has a sentence. */
const WORDS: Readonly<Record<string, string>> = {
  out_of_memory: 'ran out of memory',
  node_failure: 'failed with its node',
  preempted: 'was preempted',
  timeout: 'reached the time limit',
  rejected: 'was refused by the scheduler',
  setup: 'failed in its setup',
  image: 'failed with its container image',
  staging: 'failed while its files were brought there',
  driver: 'ended without a word about how',
}

/** How a call ended by what its job, or its element of a job, says. `message` is without the worker's own words. */
export function endOfJob(jobId: string, { job, element }: JobEnding, position: number | null): WorkerEnd {
  const what = position === null ? `job ${jobId}` : `element ${position} of job ${jobId}`
  const state = position === null ? job?.state : element?.state
  if (state === 'succeeded') return { outcome: 'succeeded' }
  const advice = `see: drover explain ${jobId}`
  if (job === undefined && element === undefined) return lost(`${jobId === '' ? 'the job' : what} was removed before its end was known`)
  if (state === undefined || state === 'lost')
    return lost(`${what} is lost: all that could know was asked and knows nothing (${advice}). It is not run again by itself`)
  if (state === 'cancelled') {
    const by = job?.cause?.by
    return {
      outcome: 'failed',
      cause: 'job',
      message: `${what} was cancelled${by === undefined ? '' : ` by ${by}`}, not by this run (${advice})`,
    }
  }
  const facts = position === null || element === undefined ? factsOfJob(job) : factsOfElement(element, job)
  const { kind, exitCode, signal } = facts
  return {
    outcome: 'failed',
    cause: FAILURES[kind] ?? 'job',
    message: `${what}: ${facts.text} (${advice})`,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(TRANSIENT.has(kind) ? { transient: true } : {}),
  }
}

function lost(message: string): Failed {
  return { outcome: 'failed', cause: 'lost', message }
}

interface Facts {
  readonly kind: string
  readonly text: string
  readonly exitCode?: number
  readonly signal?: number
}

function factsOfJob(job: Job | undefined): Facts {
  const cause = job?.cause
  return {
    kind: cause?.kind ?? 'unknown',
    text: `${cause?.kind ?? 'failed'}: ${cause?.message ?? 'it failed and says no more'}`,
    ...(cause?.code === undefined ? {} : { exitCode: cause.code }),
    ...(cause?.signal === undefined ? {} : { signal: cause.signal }),
  }
}

function factsOfElement({ cause, exit_code, signal }: JobElement, job: Job | undefined): Facts {
  const kind = cause ?? 'unknown'
  const words =
    kind === 'exit'
      ? `ended with ${exit_code ?? 'a failure'}`
      : kind === 'signal'
        ? `ended by signal ${signal ?? 'of unknown number'}`
        : exit_code === null && job?.cause?.kind === kind
          ? job.cause.message
          : (WORDS[kind] ?? 'failed')
  return {
    kind,
    text: `${kind}: ${words}`,
    ...(exit_code === null ? {} : { exitCode: exit_code }),
    ...(signal === null ? {} : { signal }),
  }
}

/** Lines of a log that are read for a message and kept beside the call. */
const LOG_LINES = 200

/** The last lines of what the worker wrote to stderr, by the job's logs; '' where they can't be had. */
export async function stderrTail(
  drover: Pick<Drover, 'logs'>,
  jobId: string,
  position: number | null,
  signal: AbortSignal,
): Promise<string> {
  const pieces: Buffer[] = []
  try {
    const streams = ['stderr', 'setup'] as const
    const of = position === null ? {} : { elements: [position] }
    for await (const chunk of drover.logs(jobId, { ...of, streams, tail: LOG_LINES, signal })) pieces.push(Buffer.from(chunk.bytes))
  } catch {
    // The end stands without it: the message says where the log is asked for.
    return ''
  }
  return Buffer.concat(pieces).toString('utf8')
}
