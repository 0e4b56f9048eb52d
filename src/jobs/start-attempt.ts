import { DroverError, toErrorJson } from '../errors.ts'
import type { Plan, ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import { type Cause, isSettled, type State } from '../task/states.ts'
import { type ActiveAttempt, createActiveAttempt, refOf } from './active-attempt.ts'
import { attemptPlan, grantedTo } from './attempt-plan.ts'
import { type AttemptWorld, moveJob, otherElements } from './attempt-world.ts'
import type { Start } from './capacity.ts'
import { endAttempt } from './end-attempt.ts'
import { isInLine } from './in-line.ts'
import { nativeAfter } from './native-dependencies.ts'
import { requeueOf } from './requeue-policy.ts'
import { showSecrets } from './secret-texts.ts'
import { SilentNodes } from './silent-nodes.ts'
import { stageAttempt, unstageSecrets } from './stage-attempt.ts'

/** A submit whose answer was lost is repeated after this long, then more patiently. */
const IN_DOUBT_MS = 1_000
const STILL_IN_DOUBT_MS = 5_000

/** Plans, stages and submits the next attempt of a job; any failure of it ends in the store. */
export async function startAttempt({ id: jobId, gpus, width, shares }: Start, world: AttemptWorld): Promise<void> {
  const { context, executor, transport, site } = world
  const { store, secrets } = context
  const job = await store.job(jobId)
  if (job === undefined || !isInLine(job) || job.task === undefined) {
    world.capacity.release(jobId)
    world.pump()
    return
  }
  const stored = JSON.parse(job.task) as ResolvedTask
  const task: ResolvedTask = stored.array ? { ...stored, array: { ...stored.array, width } } : stored
  let from: State = job.state
  const silent = new SilentNodes(world)
  let staged: Plan | undefined
  try {
    const values = task.secretNames.length === 0 ? {} : secrets.read(jobId)
    if (values === undefined)
      throw new DroverError('missing_secret', `the secrets of job ${jobId} are no longer there`, {
        level: 'staging',
        hint: `Give them again: drover retry ${jobId} --secret NAME`,
      })
    const after = executor.capabilities.dependencies === 'native' ? await nativeAfter(job, store) : []
    // What it was to wait for has ended otherwise meanwhile: the graph knows what becomes of it.
    if (after === undefined) return world.drop(jobId)
    const plan = executor.plan({ ...task, mounts: showMounts(task.mounts, values) }, site, {
      jobId,
      attempt: job.attempt,
      assignedGpus: gpus,
      ...(shares ? { shares } : {}),
      ...(after.length > 0 ? { after } : {}),
    })
    if (task.code?.kind === 'bundle' || task.mounts.length > 0) {
      if (!(await moveJob(job, from, 'staging', {}, context))) return world.drop(jobId)
      from = 'staging'
    }
    staged = plan
    await stageAttempt(plan, values, transport, site, (node, error) => silent.note(node, error), executor.capabilities.staging)
    staged = undefined
    const kept = attemptPlan(plan, task, gpus, shares)
    const change = { patch: { reason: null }, attemptPatch: { plan: JSON.stringify(kept), directory: plan.places[0]?.attemptDir ?? '' } }
    if (!(await moveJob(job, from, 'submitting', change, context))) return world.drop(jobId)
    const active = createActiveAttempt({
      job,
      number: job.attempt,
      plan: kept,
      task,
      state: 'submitting',
      proofGraceMs: world.proofGraceMs,
      otherElements: await otherElements(store, jobId, job.attempt, kept.elements),
    })
    world.watch(active)
    active.submittingSince = context.now()
    const nativeId = await executor.submit(plan, world.io, values).finally(() => {
      delete active.submittingSince
    })
    await noteNativeId(active, nativeId, world)
    // From here on the attempt's own env file has them; only a further attempt would need them again.
    // On nodes that others use too it may find no room and come back.
    if (job.attempt > task.retries.max && site.nodes === undefined && requeueOf(task) === undefined) secrets.remove(jobId)
    // A cancel that came before the native id was known has only left its mark.
    const current = await store.job(jobId)
    if (current?.cancelRequestedAt !== undefined) await executor.cancel([refOf(active)], world.io)
  } catch (error) {
    if (context.signal.aborted) return
    if (staged !== undefined) await unstageSecrets(staged, transport, silent.names)
    if (!(await silent.wait(job, from, stored))) await startFailed(job, from, error, world)
  }
}

/** Mounts as they are, with the secrets that their paths hold. */
function showMounts(mounts: ResolvedTask['mounts'], secrets: Readonly<Record<string, string>>): ResolvedTask['mounts'] {
  return mounts.map(({ destination, source }) => ({ destination: showSecrets(destination, secrets), source: showSecrets(source, secrets) }))
}

/** A start that broke before anything ran: `staging`, or in doubt when the submit itself had no answer. */
async function startFailed(job: JobRow, from: State, error: unknown, world: AttemptWorld): Promise<void> {
  const problem = toErrorJson(error)
  const active = world.active.get(job.id)
  if (active !== undefined && problem.level === 'transport') {
    world.wake(job.id)
    // In doubt: the poll adopts what is there, and submit is repeated; one claim lets one instance run.
    world.context.log.warn(`job ${job.id}: submit in doubt: ${problem.message}`)
    world.work.after(IN_DOUBT_MS, () => resubmit(active, world))
    return
  }
  // The summary of an end closes with a full stop of its own.
  const hint = problem.hint === undefined ? '' : `. ${problem.hint.replace(/\.$/, '')}`
  const cause: Cause = { kind: active === undefined ? 'staging' : 'rejected', message: `${problem.message}${hint}` }
  await endAttempt(
    {
      job,
      from: active === undefined ? from : 'submitting',
      state: 'failed',
      cause,
      change: { events: [{ type: 'error', data: { ...problem } }] },
    },
    world,
  )
}

/** Submits an attempt in doubt again, until there is an answer or the job has ended. Idempotent on the target. */
export async function resubmit(active: ActiveAttempt, world: AttemptWorld): Promise<void> {
  const { context, executor, site } = world
  if (world.active.get(active.jobId) !== active || active.nativeId !== undefined) return
  const job = await context.store.job(active.jobId)
  if (job === undefined || isSettled(job.state)) return
  try {
    const after = (executor.capabilities.dependencies === 'native' ? await nativeAfter(job, context.store) : undefined) ?? []
    const plan = executor.plan(active.task, site, {
      jobId: active.jobId,
      attempt: active.number,
      ...grantedTo(active.plan),
      ...(after.length > 0 ? { after } : {}),
    })
    await noteNativeId(active, await executor.submit(plan, world.io, context.secrets.read(active.jobId) ?? {}), world)
  } catch (error) {
    if (context.signal.aborted) return
    // The scheduler's own no, given now: nothing was made, and nothing will be.
    if (toErrorJson(error).code === 'rejected') return startFailed(job, 'submitting', error, world)
    context.log.warn(`job ${active.jobId}: submit still in doubt: ${toErrorJson(error).message}`)
    world.work.after(STILL_IN_DOUBT_MS, () => resubmit(active, world))
  }
}

async function noteNativeId(active: ActiveAttempt, nativeId: string, { context, executor, wake }: AttemptWorld): Promise<void> {
  active.nativeId = nativeId
  const noted = {
    jobId: active.jobId,
    at: context.now(),
    attempt: active.number,
    patch: { nativeId },
    attemptPatch: { nativeId },
    events: [{ type: 'submitted', data: { native_id: nativeId } }],
  }
  // What a scheduler has accepted stands in its queue; the driver may have begun to tell of itself meanwhile.
  const queued =
    executor.capabilities.capacity === 'scheduler' ? { ...noted, from: 'submitting' as const, to: 'queued' as const } : undefined
  if (queued === undefined || !(await context.writer.apply(queued))) await context.writer.apply(noted)
  else active.state = 'queued'
  context.submitted(active.jobId)
  wake(active.jobId)
}
