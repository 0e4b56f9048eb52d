import { attemptPaths } from '../driver/protocol.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { ElementRow, JobChange, JobRow } from '../store/store.ts'
import type { Cause, State } from '../task/states.ts'
import type { ActiveAttempt } from './active-attempt.ts'
import type { AttemptWorld } from './attempt-world.ts'
import { jobExit } from './exit-code.ts'
import type { JobContext } from './job-context.ts'
import { countTries, decideRefusal, isRefusal } from './lease-refusal.ts'
import { mayRequeue } from './may-requeue.ts'
import { notifyOf } from './notify.ts'
import { decideRequeue, type RequeueDecision, requeuedAttempts, requeueOf } from './requeue-policy.ts'
import { decideArrayRetry, decideRetry, type RetryDecision } from './retry-policy.ts'
import { unmetUpstream } from './unmet-upstream.ts'

/** How an attempt ended. */
export interface AttemptEnd {
  /** As it was read when the end was decided. */
  readonly job: JobRow
  /** The state it leaves; somebody else's change meanwhile makes the end void. */
  readonly from: State
  /** An end state, or `lost`. */
  readonly state: State
  readonly cause: Cause | undefined
  /** Proof and what was learned with it. */
  readonly change?: Partial<JobChange> | undefined
  /** Default: what the state and the cause say. */
  readonly exitCode?: number | undefined
}

/** Writes an end (or `lost`), or the retry that follows it; then frees what the attempt held. */
export async function endAttempt(ended: AttemptEnd, world: AttemptWorld): Promise<void> {
  const { context } = world
  const jobId = ended.job.id
  const full = await context.store.job(jobId)
  const end = isRefusal(ended.cause) ? refusedEnd(ended, full) : await namedEnd(ended, full, context)
  const task = full?.task === undefined ? undefined : (JSON.parse(full.task) as ResolvedTask)
  const retry = await decide(end, task, full?.cancelRequestedAt !== undefined, context)
  if (!(await context.writer.apply(retry.retry ? retryChange(end, retry, task, context.now()) : endChange(end, context.now())))) {
    // Somebody else moved the job meanwhile (a person settled it, a retry): look again at what holds.
    world.wake(jobId)
    return
  }
  if (end.state === 'lost') {
    // Still asked for, ever more rarely; it holds no capacity.
    const active = world.active.get(jobId)
    if (active !== undefined) active.state = 'lost'
    world.capacity.release(jobId)
    world.pump()
    context.settled(jobId, end.state)
    return
  }
  const active = world.active.get(jobId)
  if (active !== undefined && world.executor.capabilities.staging === 'submit') world.work.own(removeEnvironment(active, world))
  world.drop(jobId)
  if (retry.retry) {
    world.work.own(notifyOf(task, jobId, { started: firstStart(end), ended: false }, context))
    const next = await context.store.job(jobId)
    if (next?.task !== undefined) world.enqueue(next, JSON.parse(next.task) as ResolvedTask)
    return
  }
  if (task !== undefined && task.secretNames.length > 0) context.secrets.remove(jobId)
  context.settled(jobId, end.state)
  world.work.own(notifyOf(task, jobId, { started: firstStart(end), ended: true }, context))
}

/** Where several drivers share an attempt, or a scheduler may start it again, no driver knows when its secrets can go. */
async function removeEnvironment({ plan }: ActiveAttempt, { transport }: AttemptWorld): Promise<void> {
  const directories = plan.places.flatMap(({ attemptDir }) => {
    const suffix = plan.requeued === undefined ? '' : `r${plan.requeued.restart}`
    return [...new Set([attemptDir, attemptDir.slice(0, attemptDir.length - suffix.length)])]
  })
  await transport.remove(directories.map((directory) => `${directory}/${attemptPaths.env}`))
}

/** What its scheduler dropped because it could never start has failed by its dependency. */
async function namedEnd(end: AttemptEnd, full: JobRow | undefined, { store, signal }: JobContext): Promise<AttemptEnd> {
  const began = full?.startedAt !== undefined || end.change?.patch?.startedAt !== undefined
  if (end.state !== 'cancelled' || began || full?.cancelRequestedAt !== undefined) return end
  const cause = await unmetUpstream(end.job, store, signal)
  return cause === undefined ? end : { ...end, state: 'failed', cause, exitCode: jobExit('failed', cause)?.code }
}

/** Nothing of a refused attempt began: its ranks and elements have no ends. Where a cancel was asked for, that is the end. */
function refusedEnd({ exitCode: _, ...end }: AttemptEnd, full: JobRow | undefined): AttemptEnd {
  const events = end.change?.events
  if (full?.cancelRequestedAt === undefined) return { ...end, change: events === undefined ? {} : { events } }
  const by = full.cancelBy ?? 'user'
  return { ...end, state: 'cancelled', cause: { kind: 'cancelled', by, message: `cancelled (by ${by})` } }
}

/** A job so short that its start is learned with its end. */
function firstStart({ job, change }: AttemptEnd): boolean {
  return job.startedAt === undefined && typeof change?.patch?.startedAt === 'number'
}

function endChange({ job, from, state, cause, change = {}, exitCode = jobExit(state, cause)?.code }: AttemptEnd, now: number): JobChange {
  const { proof, others, attemptPatch, endedAt } = partsOf({ job, from, state, cause, change, exitCode }, now)
  return {
    ...change,
    jobId: job.id,
    at: now,
    from,
    attempt: job.attempt,
    to: state,
    patch: { ...change.patch, cause: cause ?? null, exitCode: exitCode ?? null, endedAt },
    attemptPatch,
    events: [...others, { type: 'state', data: { from, ...proof, to: state, cause: cause ?? null } }],
  }
}

function retryChange(
  end: AttemptEnd,
  { positions, notBeforeDelayMs, why, requeue }: DecidedRetry,
  task: ResolvedTask | undefined,
  now: number,
): JobChange {
  const { job, from, state, cause, change = {} } = end
  const { proof, others, attemptPatch } = partsOf({ exitCode: jobExit(state, cause)?.code, ...end }, now)
  return {
    ...change,
    jobId: job.id,
    at: now,
    from,
    attempt: job.attempt,
    to: 'queued',
    newAttempt: { number: job.attempt + 1 },
    patch: {
      nativeId: null,
      nativeWord: null,
      notBefore: now + notBeforeDelayMs,
      reason: isRefusal(cause) ? why : null,
      ...(task?.array && positions.length > 0 ? { task: JSON.stringify({ ...task, array: { ...task.array, positions } }) } : {}),
    },
    attemptPatch,
    events: [
      ...others,
      { type: 'attempt_ended', data: { ...proof, state, cause: cause ?? null } },
      ...(requeue === undefined
        ? []
        : [{ type: 'requeued', data: { by: 'script', why: requeue.why, count: requeue.count, next_attempt: job.attempt + 1 } }]),
      {
        type: 'retry',
        data: {
          why,
          after_ms: notBeforeDelayMs,
          next_attempt: job.attempt + 1,
          ...(positions.length > 0 ? { elements: positions.length } : {}),
        },
      },
    ],
  }
}

/** What the record of an end and of an attempt that is tried again have in common. */
function partsOf({ state, cause, change = {}, exitCode }: AttemptEnd, now: number) {
  const endedAt = change.patch?.endedAt ?? now
  const events = change.events ?? []
  return {
    endedAt,
    proof: events.find((event) => event.type === 'state')?.data ?? {},
    others: events.filter((event) => event.type !== 'state'),
    attemptPatch: {
      state,
      endedAt,
      ...(cause === undefined ? {} : { cause }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...change.attemptPatch,
    },
  }
}

/** With the elements that are run again; none: the whole attempt. */
type DecidedRetry = RetryDecision & { readonly positions: readonly number[]; readonly requeue?: RequeueDecision }

async function decide(
  { job, state, cause, change }: AttemptEnd,
  task: ResolvedTask | undefined,
  cancelRequested: boolean,
  { store }: JobContext,
): Promise<DecidedRetry> {
  if (task === undefined || state !== 'failed' || cause === undefined) return { retry: false, notBeforeDelayMs: 0, why: '', positions: [] }
  const before = (await store.attempts(job.id)).filter(({ number }) => number < job.attempt)
  if (isRefusal(cause)) return { ...decideRefusal(cause, before, Math.random()), positions: [] }
  const mayBegin = requeueOf(task) !== undefined || mayRequeue(task)
  const events = mayBegin ? await store.events({ jobId: job.id, after: 0, limit: 10_000 }) : []
  const [requeued, restarted] = [requeuedAttempts(events, 'script'), requeuedAttempts(events, 'scheduler')]
  const tries = countTries(before.filter(({ number }) => !requeued.includes(number) && !restarted.includes(number))) + 1
  const asked = (failed: readonly ElementRow[]): RequeueDecision | undefined =>
    decideRequeue(requeueOf(task), cause, failed, requeued.length, cancelRequested)
  if (task.array) {
    const fresh: readonly ElementRow[] = change?.elements ?? []
    const positions = new Set(fresh.map((row) => row.position))
    const stored = await store.elements(job.id, ['failed'])
    const failed = [...stored.filter((row) => !positions.has(row.position)), ...fresh.filter((row) => row.state === 'failed')]
    if (failed.length > 0) {
      const requeue = asked(failed)
      const others = failed.filter(({ position }) => !requeue?.positions.includes(position))
      const retry = decideArrayRetry(task.retries, cause, others, tries, cancelRequested)
      return requeue === undefined ? retry : withRequeue(requeue, retry)
    }
  }
  const requeue = asked([])
  if (requeue !== undefined) return withRequeue(requeue)
  // No array, or one of which no element began: the whole attempt is tried again.
  return { ...decideRetry(task.retries, cause, tries, cancelRequested), positions: [] }
}

/** An attempt that the script itself asked for begins at once; elements that are to be retried run with it. */
function withRequeue(requeue: RequeueDecision, retry?: DecidedRetry): DecidedRetry {
  const positions = [...requeue.positions, ...(retry?.positions ?? [])].toSorted((a, b) => a - b)
  return { retry: true, notBeforeDelayMs: 0, why: requeue.why, positions, requeue }
}
