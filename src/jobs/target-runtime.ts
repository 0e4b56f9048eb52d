/**
 * One target at work: starts what fits, hears the bell, polls, reconciles. One object, because the queue, the running
 * attempts and the poller share one budget and one view of the target.
 */
import { BELL } from '../driver/protocol.ts'
import { toErrorJson } from '../errors.ts'
import {
  attemptKey,
  type Executor,
  type NativeObservation,
  type NativeRef,
  type QueueNotes,
  type ResolvedTask,
  type SiteFacts,
} from '../executors/executor.ts'
import type { AttemptRow, JobRow } from '../store/store.ts'
import { factsOf } from '../targets/site-facts.ts'
import { isSettled } from '../task/states.ts'
import { type Transport, transportAt } from '../transports/transport.ts'
import { type ActiveAttempt, createActiveAttempt, refOf, takeVerdict, wantEnded } from './active-attempt.ts'
import { readAttemptPlan } from './attempt-plan.ts'
import { type AttemptWorld, moveJob, otherElements } from './attempt-world.ts'
import { BellListener } from './bell-listener.ts'
import { cancelledElements, wholeTasks } from './cancelled-elements.ts'
import type { Slots } from './capacity.ts'
import { collectOutputs } from './collect.ts'
import { endAttempt } from './end-attempt.ts'
import type { JobContext } from './job-context.ts'
import { withLaunchReport } from './launch-report.ts'
import { notifyOf } from './notify.ts'
import { OwnedWork } from './owned-work.ts'
import { QueryBudget, type QueryRate } from './query-budget.ts'
import { beginRequeued, newRestart } from './requeue.ts'
import { resubmit, startAttempt } from './start-attempt.ts'
import { demandOf, slotsOf } from './target-slots.ts'

/** Between two polls of a target while it has jobs; the bell is faster, this is what finds processes that died silently. */
const POLL_MS = 2_000
/** The same where nothing has happened for `QUIET_MS`. */
const QUIET_POLL_MS = 5_000
const QUIET_MS = 30_000
/** Slots ring no more often than about every 0.2 s. */
const SLOT_BELL_MS = 250
/** How soon after a submit a scheduler is asked for the first time. */
const FIRST_POLL_MS = 1_000
/** Between two looks at the bell, and at some attempts' files, where a network file system tells nothing by itself. */
const LOOK_MS = 500
/** Attempts looked at each time, in turn. */
const LOOKS_AT_ONCE = 25
/** How long the end of a job waits for the answer to its submit. */
const ANSWER_MS = 3_000
/** Between two requests to end an attempt that was asked before and lives on. */
const INSIST_MS = 30_000
/** How often a `lost` job is asked for again. */
const LOST_POLL_MS = 600_000

export interface TargetRuntimeOptions {
  readonly name: string
  readonly executor: Executor
  readonly transport: Transport
  readonly site: SiteFacts
  readonly context: JobContext
  /** How long proof may still arrive after the processes are gone, ms. */
  readonly proofGraceMs: number
  /** How long a job waits in line for nodes that do not answer at its start, ms; absent: it fails at once. */
  readonly waitForNodesMs?: number
  /** How often the target may be asked for its jobs; absent: as often as is of use. */
  readonly queries?: QueryRate
}

export class TargetRuntime {
  readonly name: string
  readonly executor: Executor
  readonly transport: Transport
  readonly site: SiteFacts
  readonly capacity: Slots
  readonly #context: JobContext
  readonly #world: AttemptWorld
  readonly #work: OwnedWork
  readonly #bells: readonly BellListener[]
  readonly #active = new Map<string, ActiveAttempt>()
  /** The same as a list, while it stands: walked every half second, and a map's iterator leaves an object per step. */
  #attempts: readonly ActiveAttempt[] | undefined
  /** When a job last started or rang, epoch ms. */
  #movedAt = 0
  #pumping = false
  #pumpAgain = false
  #pollTimer: NodeJS.Timeout | undefined
  #wakeTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #polledAt = 0
  readonly #budget: QueryBudget | undefined

  constructor(options: TargetRuntimeOptions) {
    this.name = options.name
    this.executor = options.executor
    this.transport = options.transport
    this.site = options.site
    this.#context = options.context
    const { executor, transport, site, context, proofGraceMs, waitForNodesMs } = options
    this.capacity = slotsOf(executor.capabilities, site)
    const budget = options.queries === undefined ? undefined : new QueryBudget(options.queries, context.now())
    this.#budget = budget
    this.#work = new OwnedWork({ signal: context.signal, log: context.log, label: `target ${options.name}: ` })
    this.#bells = (transport.nodes ?? ['']).map(
      (node) =>
        new BellListener(`${factsOf(site, node).root}/${BELL}`, transportAt(transport, node), (jobId, tasks) => this.#heard(jobId, tasks)),
    )
    this.#world = {
      executor,
      transport,
      site,
      io: {
        transport,
        signal: context.signal,
        now: () => context.now(),
        log: context.log,
        onQuery: () => budget?.spend(context.now()),
      },
      context,
      capacity: this.capacity,
      work: this.#work,
      active: this.#active,
      proofGraceMs,
      ...(waitForNodesMs === undefined ? {} : { waitForNodesMs }),
      enqueue: (job, task) => this.enqueue(job, task),
      watch: (active) => this.#watch(active),
      wake: (jobId) => this.wake(jobId),
      pump: () => this.pump(),
      drop: (jobId) => this.#drop(jobId),
    }
  }

  /** Why a job waits in its scheduler's queue; undefined where there is none, or it could not be asked. */
  async explainQueue(jobId: string): Promise<QueueNotes | undefined> {
    const active = this.#active.get(jobId)
    if (active?.nativeId === undefined) return undefined
    try {
      return await this.executor.explain?.(refOf(active), this.#world.io)
    } catch (error) {
      this.#context.log.warn(`target ${this.name}: why job ${jobId} waits could not be asked: ${toErrorJson(error).message}`)
      return undefined
    }
  }

  /** Makes the root and begins to listen. Call once, before anything is enqueued. */
  async open(): Promise<void> {
    const nodes = this.transport.nodes ?? ['']
    const outcomes = await Promise.allSettled(
      nodes.map(async (node, index) => {
        const { root } = factsOf(this.site, node)
        await transportAt(this.transport, node).write([root, `${root}/jobs`, `${root}/bundles`], [])
        await this.#bells[index]?.open()
      }),
    )
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    // Where some nodes answer, the others may come back: their bells are heard then.
    if (failed.length === nodes.length && failed[0]) throw failed[0].reason
    for (const { reason } of failed) this.#context.log.warn(`target ${this.name}: ${toErrorJson(reason).message}`)
    for (const bell of this.#bells) bell.watch(this.#work, this.#context.signal)
  }

  /** True while an attempt is at work here (one that is lost does not count) or a job stands in line. */
  get busy(): boolean {
    return this.capacity.waiting > 0 || this.#work.size > 0 || this.#listActive().some((active) => active.state !== 'lost')
  }

  active(jobId: string): ActiveAttempt | undefined {
    return this.#active.get(jobId)
  }

  #listActive(): readonly ActiveAttempt[] {
    this.#attempts ??= [...this.#active.values()]
    return this.#attempts
  }

  /** Resolves when nothing started by this object is under way any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#pollTimer)
    clearTimeout(this.#wakeTimer)
    clearTimeout(this.#lookTimer)
    await this.#work.stop()
  }

  // ── waiting and starting ───────────────────────────────────────────────────────────────────────────────────────

  /** Puts a job whose conditions hold in line. */
  enqueue(job: JobRow, task: ResolvedTask): void {
    const width = task.array ? Math.min(task.array.width, task.array.positions?.length ?? task.array.size) : 1
    this.capacity.enqueue({
      id: job.id,
      priority: job.priority,
      createdAt: job.createdAt,
      ...(job.notBefore === undefined ? {} : { notBefore: job.notBefore }),
      width,
      demand: demandOf(task, this.site),
    })
    this.pump()
  }

  dequeue(jobId: string): void {
    this.capacity.dequeue(jobId)
    this.pump()
  }

  /** Starts what fits, in order. */
  pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true
      return
    }
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      if (this.#context.signal.aborted) return
      const now = this.#context.now()
      for (const start of this.capacity.choose(now)) this.#work.own(startAttempt(start, this.#world))
      clearTimeout(this.#wakeTimer)
      const wakeAt = this.capacity.nextWakeAt(now)
      if (wakeAt !== undefined) this.#wakeTimer = setTimeout(() => this.pump(), Math.max(1, Math.min(wakeAt - now, 2 ** 31 - 1)))
      if (this.#pumpAgain) {
        this.#pumpAgain = false
        this.pump()
      }
    })
  }

  #drop(jobId: string): void {
    this.#active.delete(jobId)
    this.#attempts = undefined
    this.capacity.release(jobId)
    this.pump()
  }

  #watch(active: ActiveAttempt): void {
    this.#movedAt = this.#context.now()
    this.#active.set(active.jobId, active)
    this.#attempts = undefined
    this.#schedulePoll()
    this.#scheduleLook()
  }

  // ── adoption at start-up ───────────────────────────────────────────────────────────────────────────────────────

  /** Takes over an attempt that an earlier supervisor had begun. */
  async adopt(job: JobRow, attempt: AttemptRow, task: ResolvedTask): Promise<boolean> {
    const plan = readAttemptPlan(attempt.plan)
    if (plan === undefined) return false
    const active = createActiveAttempt({
      job,
      number: attempt.number,
      plan,
      task,
      state: job.state,
      proofGraceMs: this.#world.proofGraceMs,
      otherElements: await otherElements(this.#context.store, job.id, attempt.number, plan.elements),
      cancelledElements: plan.elements.length > 0 ? await cancelledElements(this.#context.store, job.id, attempt.number) : new Set(),
    })
    if (attempt.nativeId !== undefined) active.nativeId = attempt.nativeId
    this.#watch(active)
    if (job.state !== 'lost') this.capacity.take(job.id, plan.demand, plan.gpus, plan.shares)
    if (job.state === 'submitting' && active.nativeId === undefined) this.#work.own(resubmit(active, this.#world))
    this.wake(job.id)
    return true
  }

  // ── observing ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Slots ring at most every 0.2 s, so what they wrote after the last ring is looked for once more. */
  #heard(jobId: string, tasks: readonly number[]): void {
    this.#movedAt = this.#context.now()
    const active = this.#active.get(jobId)
    for (const task of tasks) active?.files.tasks?.want(task)
    this.wake(jobId)
    if (active === undefined || active.files.slots === 0 || active.lookAgain) return
    active.lookAgain = true
    this.#work.after(SLOT_BELL_MS, async () => {
      active.lookAgain = false
      this.wake(jobId)
    })
  }

  /** Looks at a job's files soon; calls made meanwhile are one. */
  wake(jobId: string): void {
    const active = this.#active.get(jobId)
    if (active === undefined) return
    if (active.busy) {
      active.again = true
      return
    }
    active.busy = true
    this.#work.own(
      this.#examine(active).finally(() => {
        active.busy = false
        if (active.again && this.#active.get(jobId) === active) {
          active.again = false
          this.wake(jobId)
        }
      }),
    )
  }

  #schedulePoll(): void {
    if (this.#pollTimer !== undefined || this.#active.size === 0 || this.#context.signal.aborted) return
    this.#pollTimer = setTimeout(() => {
      this.#pollTimer = undefined
      this.#work.own(this.#poll().finally(() => this.#schedulePoll()))
    }, this.#nextPollMs())
  }

  #nextPollMs(): number {
    const now = this.#context.now()
    if (this.#budget === undefined) return now - this.#movedAt < QUIET_MS ? POLL_MS : QUIET_POLL_MS
    // Steadily, as the budget refills; at once after a submit, from what it has saved.
    const unknown = this.#listActive().some((active) => (active.observation === undefined || active.ending) && active.state !== 'lost')
    const steadyMs = this.#polledAt + this.#budget.refillMs - now
    return Math.max(this.#budget.waitMs(now), unknown ? FIRST_POLL_MS : steadyMs, 1)
  }

  /**
   * Where a network file system lies between, no change is announced: the bell is read on by its name, which asks the file's
   * server, and attempts whose ring was lost among those of others are looked at in turn.
   */
  #scheduleLook(): void {
    const { strongFiles } = this.executor.capabilities
    // Several machines are each asked about their own files.
    if (strongFiles || this.transport.nodes !== undefined || this.#lookTimer !== undefined) return
    if (this.#active.size === 0 || this.#context.signal.aborted) return
    this.#lookTimer = setTimeout(() => {
      this.#lookTimer = undefined
      this.#work.own(this.#look().finally(() => this.#scheduleLook()))
    }, LOOK_MS)
  }

  async #look(): Promise<void> {
    for (const bell of this.#bells) await bell.listen()
    const begun = this.#listActive().filter(({ state }) => state === 'running' || state === 'starting' || state === 'finishing')
    for (const active of begun.toSorted((a, b) => a.lookedAt - b.lookedAt).slice(0, LOOKS_AT_ONCE)) {
      active.lookedAt = this.#context.now()
      this.wake(active.jobId)
    }
  }

  /** One round trip for all attempts at work here. */
  async #poll(): Promise<void> {
    const now = this.#context.now()
    const asked = this.#listActive().filter((active) => active.state !== 'lost' || now - active.polledAt >= LOST_POLL_MS)
    if (asked.length === 0) return
    // A scheduler has nothing to say of jobs whose submit it has not answered yet.
    if (this.#budget !== undefined && asked.every(({ nativeId }) => nativeId === undefined)) return
    this.#polledAt = now
    let answers: ReadonlyMap<string, NativeObservation>
    try {
      answers = await this.executor.poll(asked.map(refOf), this.#world.io)
    } catch (error) {
      const reason = toErrorJson(error).message
      answers = new Map(asked.map((active) => [attemptKey(refOf(active)), { kind: 'could_not_ask', reason } as const]))
    }
    for (const active of asked) {
      active.polledAt = now
      active.ending = false
      const observation = answers.get(attemptKey(refOf(active)))
      const news = observation !== undefined && !saysTheSame(observation, active.observation)
      if (observation !== undefined) active.observation = observation
      wantEnded(active)
      // Ten thousand jobs in a queue are not looked at one by one to learn nothing.
      if (news || this.#budget === undefined || active.state !== 'queued') this.wake(active.jobId)
    }
  }

  async #examine(active: ActiveAttempt): Promise<void> {
    const { store, writer } = this.#context
    try {
      await active.files.read(this.transport)
    } catch (error) {
      // The files could not be read: nothing is known that was not known before.
      active.observation = { kind: 'could_not_ask', reason: toErrorJson(error).message }
    }
    try {
      await this.executor.coordinate?.(refOf(active), active.files, this.#world.io)
    } catch (error) {
      // Said again at the next look.
      this.#context.log.warn(`job ${active.jobId}: ${toErrorJson(error).message}`)
    }
    const job = await store.job(active.jobId)
    if (job === undefined || job.attempt !== active.number || (isSettled(job.state) && job.state !== 'lost')) {
      if (this.#active.get(active.jobId) === active) this.#drop(active.jobId)
      return
    }
    const restart = newRestart(active)
    if (restart !== undefined) return beginRequeued(active, job, restart, this.#world)
    const taken = takeVerdict(active, job, this.#context.now())
    active.state = job.state
    if (taken.wakeInMs !== undefined) this.#work.after(taken.wakeInMs, async () => this.wake(active.jobId))
    const { verdict, change, commit } = taken
    const answerMs = (active.submittingSince ?? Number.NEGATIVE_INFINITY) + ANSWER_MS - this.#context.now()
    if (isSettled(verdict.state) && answerMs > 0) {
      // It was quicker than the answer to its submit, which names it.
      this.#work.after(answerMs, async () => this.wake(active.jobId))
      return
    }
    if (verdict.state !== job.state && isSettled(verdict.state)) {
      if (verdict.state !== 'lost') await this.#collect(active, job)
      const { state, exitCode } = verdict
      const launched = active.task.spec.launcher !== undefined && state === 'failed'
      const cause = launched ? await withLaunchReport(verdict.cause, active.plan.places, this.transport) : verdict.cause
      await endAttempt({ job, from: active.state, state, cause, change, exitCode }, this.#world)
      return
    }
    if (change !== undefined) {
      const made = await writer.apply({
        ...change,
        jobId: job.id,
        at: this.#context.now(),
        attempt: job.attempt,
        ...(verdict.state === job.state ? {} : { from: job.state, to: verdict.state }),
      })
      if (made) {
        commit()
        active.state = verdict.state
        const started = job.startedAt === undefined && change.patch?.startedAt !== undefined
        this.#work.own(notifyOf(active.task, job.id, { started, ended: false }, this.#context))
      } else this.wake(active.jobId)
    }
  }

  async #collect(active: ActiveAttempt, job: JobRow): Promise<void> {
    if (active.task.collect.length === 0 || job.collected !== undefined) return
    if (job.state !== 'finishing' && (await moveJob(job, job.state, 'finishing', {}, this.#context))) active.state = 'finishing'
    const outcome = await collectOutputs(active, job, this.transport, this.#context)
    await this.#context.writer.apply({
      jobId: job.id,
      at: this.#context.now(),
      attempt: job.attempt,
      ...(outcome.directory === undefined ? {} : { patch: { collected: outcome.directory } }),
      events: [{ type: outcome.warning === undefined ? 'collected' : 'warning', data: { ...outcome } }],
    })
  }

  // ── asking it to end ───────────────────────────────────────────────────────────────────────────────────────────

  /** Marks the attempt and asks it to end; the request is on record before. Idempotent. */
  async cancel(jobId: string): Promise<void> {
    const active = this.#active.get(jobId)
    if (active === undefined) return
    await Promise.all(
      active.plan.places.map(({ node, attemptDir }) =>
        transportAt(this.transport, node).write([], [{ path: `${attemptDir}/cancel`, mode: 0o600, content: 'cancel\n' }]),
      ),
    )
    // A target that cannot be asked now is asked until it has ended.
    this.#work.after(active.plan.graceMs + 2_000, () => this.#insist(active))
    await this.executor.cancel([refOf(active)], this.#world.io)
    this.#pollSoon(active)
  }

  /** What was asked to end is looked for at once, as far as the budget goes. */
  #pollSoon(active: ActiveAttempt): void {
    active.ending = true
    if (this.#budget === undefined) return
    clearTimeout(this.#pollTimer)
    this.#pollTimer = undefined
    this.#schedulePoll()
  }

  async #insist(active: ActiveAttempt): Promise<void> {
    if (this.#active.get(active.jobId) !== active) return
    this.#work.after(INSIST_MS, () => this.#insist(active))
    await this.executor.cancel([refOf(active)], this.#world.io, true)
  }

  async cancelElements(jobId: string, positions: readonly number[]): Promise<void> {
    const active = this.#active.get(jobId)
    if (active === undefined || this.executor.cancelElements === undefined) return
    active.cancelledElements = new Set([...active.cancelledElements, ...positions])
    const tasks = wholeTasks(active.plan, positions, active.cancelledElements)
    await this.executor.cancelElements(refOf(active), positions, this.#world.io, tasks)
  }

  /** Stops looking at a job that a person has settled or removed. */
  forget(jobId: string): void {
    if (this.#active.has(jobId)) this.#drop(jobId)
  }

  /** The native references of jobs at work here. */
  refs(): readonly NativeRef[] {
    return this.#listActive().map(refOf)
  }
}

/** True where two answers say the same of a job; one about tasks of an array is always looked at. */
function saysTheSame(a: NativeObservation, b: NativeObservation | undefined): boolean {
  if (b === undefined || a.kind !== b.kind) return false
  if (a === b && (a.kind !== 'state' || a.tasks === undefined)) return true
  if (a.kind !== 'state' || b.kind !== 'state') return true
  if (a.tasks !== undefined || b.tasks !== undefined) return false
  return a.word === b.word && a.state === b.state && a.reason === b.reason && a.cause === b.cause && a.exitCode === b.exitCode
}
