import type { QueueNotes } from '../executors/executor.ts'
import type { DependencyRow, EventRow } from '../store/store.ts'
import { isEndState } from '../task/states.ts'
import type { QueueExplanation } from './capacity.ts'
import type { Explanation, Job } from './drover.ts'
import { chainOf } from './explain-chain.ts'
import { describeEnd, nextStepAfterEnd } from './explain-end.ts'

/** A target that is polled every few seconds and was silent this long is named as such. */
const STALE_MS = 60_000

/** What an explanation needs beside the job and its events. */
export interface ExplainFacts {
  /** Epoch ms. */
  readonly now: number
  /** Its dependencies, each with the job it waits for (undefined: removed). */
  readonly upstreams: readonly (DependencyRow & { readonly job: Job | undefined })[]
  /** Where it stands on a target with slots; undefined: not in line there. */
  readonly queue?: QueueExplanation | undefined
  /** What its scheduler says of its waiting. */
  readonly native?: QueueNotes
  /** Names of jobs by id, for those that hold slots; an id without name is shown as it is. */
  readonly names?: ReadonlyMap<string, string>
  /** Backoff of a retry, epoch ms. */
  readonly notBefore?: number
  readonly cancelRequestedAt?: number
}

/** Why a job waits, what it does, or how it ended, with the events that led there and the next step. Pure. */
export function explainJob(
  job: Job,
  events: readonly EventRow[],
  log: Explanation['log_tail'] | { readonly error: string },
  facts: ExplainFacts,
): Explanation {
  const ended = describeEnd(job)
  const live = ended === undefined ? describeLive(job, facts) : undefined
  return {
    job,
    summary: ended ?? live?.summary ?? '',
    chain: chainOf(events),
    log_tail: log === null || 'error' in log ? null : log,
    log_error: log !== null && 'error' in log ? log.error : null,
    next_step: live?.nextStep ?? nextStepAfterEnd(job),
  }
}

interface LiveText {
  readonly summary: string
  readonly nextStep: string
}

function describeLive(job: Job, facts: ExplainFacts): LiveText {
  const follow = `drover logs -f ${job.id} shows its output.`
  if (facts.cancelRequestedAt !== undefined) {
    const since = duration(facts.now - facts.cancelRequestedAt)
    return {
      summary: `${title(job)} is being cancelled: it was asked to end ${since} ago and is ${job.state}${age(job, facts)}.`,
      nextStep: `Wait for its grace time to pass: drover wait ${job.id}.`,
    }
  }
  const running = `Wait for it: drover wait ${job.id}. End it: drover cancel ${job.id}.`
  switch (job.state) {
    case 'created':
    case 'queued':
      return {
        summary: `${title(job)} waits: ${whyItWaits(job, facts)}.`,
        nextStep: facts.native?.advice === undefined ? running : `${facts.native.advice} ${running}`,
      }
    case 'staging':
      return { summary: `${title(job)} is being staged: its code and files are on the way to ${job.target}.`, nextStep: running }
    case 'submitting':
      return { summary: `${title(job)} has been handed to ${job.target}, whose answer is awaited.`, nextStep: running }
    case 'starting':
      return {
        summary: `${title(job)} is starting on ${job.target}: its run script has not begun (setup, image or prolog)${age(job, facts)}.`,
        nextStep: `drover logs ${job.id} --stream setup shows its setup.`,
      }
    case 'finishing':
      return {
        summary: `${title(job)} has ended on ${job.target}; the proof of how, or its outputs, are awaited${age(job, facts)}.`,
        nextStep: `Wait for it: drover wait ${job.id}. Without proof it becomes lost, never succeeded.`,
      }
    case 'suspended':
      return {
        summary: `${title(job)} was suspended on ${job.target}${reason(job)}${age(job, facts)}.`,
        nextStep: 'It goes on when the target resumes it.',
      }
    default:
      return { summary: `${title(job)} is ${job.state} on ${job.target}${age(job, facts)}.`, nextStep: follow }
  }
}

function whyItWaits(job: Job, facts: ExplainFacts): string {
  const open = facts.upstreams.filter((edge) => !isMet(edge))
  if (open.length > 0 && job.attempt === 1) return open.slice(0, 5).map(describeUpstream).join('; ') + more(open.length - 5)
  const { notBefore, queue } = facts
  if (notBefore !== undefined && notBefore > facts.now) {
    const until = new Date(notBefore).toISOString()
    const when = `in ${duration(notBefore - facts.now)} (${until})`
    return job.reason === null ? `attempt ${job.attempt} begins after its backoff, ${when}` : `${job.reason}; it is tried again ${when}`
  }
  if (facts.native) return describeNative(facts.native, facts.now)
  if (!queue) return job.reason ?? `${job.target} has not said why`
  const place = queue.before === 0 ? 'it is next in line' : `${queue.before} job${queue.before === 1 ? ' is' : 's are'} before it`
  if (queue.lacking.length === 0) {
    if (job.reason !== null) return `${job.reason}; it is tried again by itself`
    return queue.before === 0
      ? `${place} on ${job.target} and starts in a moment`
      : `${place} on ${job.target}; what it asks for is free now, but set aside for those`
  }
  return `${place} on ${job.target}, which has too little free: ${queue.lacking.map((name) => shortOf(name, queue)).join(', ')}${holders(queue, facts)}`
}

/** The scheduler's reason, its place in line and its start, as far as the scheduler tells them. */
function describeNative({ reason, nativeReason, before, expectedStart }: QueueNotes, now: number): string {
  const word = nativeReason === '' || reason.includes(nativeReason) ? '' : ` (${nativeReason})`
  const place = before === undefined || before === 0 ? '' : `; ${before} job${before === 1 ? ' is' : 's are'} before it`
  const start =
    expectedStart === undefined || expectedStart <= now
      ? ''
      : `; it is expected to start in ${duration(expectedStart - now)} (${new Date(expectedStart).toISOString()})`
  return `${reason}${word}${place}${start}`
}

function shortOf(name: QueueExplanation['lacking'][number], { demand, free }: QueueExplanation): string {
  if (name === 'memory') return `memory (wants ${gibibytes(demand.memoryBytes)}, ${gibibytes(Math.max(0, free.memoryBytes))} free)`
  const left = Math.max(0, Math.round(free[name] * 100) / 100)
  const { gpuType = '*' } = demand
  return `${name === 'cpus' ? 'CPUs' : gpuType === '*' ? 'GPUs' : `GPUs ${gpuType}`} (wants ${demand[name]}, ${left} free)`
}

function holders({ heldBy }: QueueExplanation, { names }: ExplainFacts): string {
  if (heldBy.length === 0) return ''
  const shown = heldBy.slice(0, 3).map(({ id, cpus, gpus }) => {
    const devices = gpus.length > 0 ? `, GPU ${gpus.join(' and ')}` : ''
    return `${names?.get(id) ?? 'job'} ${id} (${cpus} CPUs${devices})`
  })
  return `; held by ${shown.join(', ')}${more(heldBy.length - 3)}`
}

/** True when the edge no longer holds the job back. */
function isMet({ condition, job }: ExplainFacts['upstreams'][number]): boolean {
  if (!job) return false
  if (condition === 'ok') return job.state === 'succeeded'
  return condition === 'failed' ? job.state === 'failed' : isEndState(job.state)
}

const CONDITION = { ok: 'to succeed', any: 'to end', failed: 'to fail' } as const

function describeUpstream({ upstream, condition, job }: ExplainFacts['upstreams'][number]): string {
  if (!job) return `it waits for job ${upstream}, which is no longer there`
  const settle = job.state === 'lost' ? ` (nobody knows how it ended; drover settle ${job.id} decides)` : ''
  return `it waits for "${job.name}" (${job.id}) ${CONDITION[condition]}, which is ${job.state}${settle}`
}

function title(job: Job): string {
  return `Job ${job.id} (${job.name})`
}

function reason(job: Job): string {
  return job.reason === null ? '' : ` (${job.reason})`
}

/** How old the knowledge is, when that matters: a target that was not heard of for a minute. */
function age(job: Job, { now }: ExplainFacts): string {
  if (job.checked_at === null) return ''
  const old = now - Date.parse(job.checked_at)
  return old > STALE_MS ? `; ${job.target} last answered ${duration(old)} ago` : ''
}

function more(count: number): string {
  return count > 0 ? ` and ${count} more` : ''
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

function gibibytes(bytes: number): string {
  return `${Math.round((bytes / 2 ** 30) * 10) / 10} GiB`
}
