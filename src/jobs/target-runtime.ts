/**
 * One target at work: starts what fits, hears the bell, polls, reconciles. One object, because the queue, the running
 * attempts and the poller share one budget and one view of the target.
 */
import { BELL } from '../driver/protocol.ts'
import { parseBell } from '../driver/protocol-reader.ts'
import { DroverError, toErrorJson } from '../errors.ts'
import type { Executor, Io, NativeObservation, NativeRef, ResolvedTask, SiteFacts } from '../executors/executor.ts'
import type { AttemptRow, ElementRow, JobChange, JobRow, Store } from '../store/store.ts'
import { type Cause, isSettled, type State } from '../task/states.ts'
import type { Transport } from '../transports/transport.ts'
import { type ActiveAttempt, createActiveAttempt, refOf, takeVerdict } from './active-attempt.ts'
import { attemptPlan, readAttemptPlan } from './attempt-plan.ts'
import { Capacity } from './capacity.ts'
import { collectOutputs } from './collect.ts'
import { jobExit } from './exit-code.ts'
import type { JobContext } from './job-context.ts'
import { notifyClient } from './notify.ts'
import { decideArrayRetry, decideRetry, type RetryDecision } from './retry-policy.ts'
import { stageAttempt } from './stage-attempt.ts'

/** Between two polls of a target while it has jobs; the bell is faster, this is what finds processes that died silently. */
const POLL_MS = 2_000
/** Slots ring no more often than about every 0.2 s. */
const SLOT_BELL_MS = 250
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
}

export class TargetRuntime {
  readonly name: string
  readonly executor: Executor
  readonly transport: Transport
  readonly site: SiteFacts
  readonly capacity: Capacity
  readonly #context: JobContext
  readonly #proofGraceMs: number
  readonly #active = new Map<string, ActiveAttempt>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #work = new Set<Promise<void>>()
  #bellOffset = 0
  #bellRest = ''
  #bellBusy = false
  #bellAgain = false
  #pumping = false
  #pumpAgain = false
  #pollTimer: NodeJS.Timeout | undefined
  #wakeTimer: NodeJS.Timeout | undefined

  constructor(options: TargetRuntimeOptions) {
    this.name = options.name
    this.executor = options.executor
    this.transport = options.transport
    this.site = options.site
    this.#context = options.context
    this.#proofGraceMs = options.proofGraceMs
    this.capacity = new Capacity({
      cpus: options.site.cpus,
      memoryBytes: options.site.memoryBytes,
      gpus: options.site.gpus.map((gpu) => gpu.index),
    })
  }

  get #io(): Io {
    return { transport: this.transport, signal: this.#context.signal, now: () => this.#context.now(), log: this.#context.log }
  }

  get #bellPath(): string {
    return `${this.site.root}/${BELL}`
  }

  /** Makes the root and begins to listen. Call once, before anything is enqueued. */
  async open(): Promise<void> {
    await this.transport.write([this.site.root, `${this.site.root}/jobs`, `${this.site.root}/bundles`], [])
    const [bell] = await this.transport.read([{ path: this.#bellPath, offset: 0, maxBytes: 0 }])
    if (bell?.missing ?? true) await this.transport.write([], [{ path: this.#bellPath, mode: 0o600, content: '' }])
    this.#bellOffset = bell?.size ?? 0
    this.transport.watch(this.#bellPath, () => this.#own(this.#hearBell()), this.#context.signal)
  }

  /** True while an attempt is at work here (one that is lost does not count) or a job stands in line. */
  get busy(): boolean {
    return this.capacity.waiting > 0 || this.#work.size > 0 || [...this.#active.values()].some((active) => active.state !== 'lost')
  }

  active(jobId: string): ActiveAttempt | undefined {
    return this.#active.get(jobId)
  }

  /** Resolves when nothing started by this object is under way any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#pollTimer)
    clearTimeout(this.#wakeTimer)
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.allSettled(this.#work)
  }

  #own(promise: Promise<unknown>): void {
    const tracked: Promise<void> = promise
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!this.#context.signal.aborted) this.#context.log.warn(`target ${this.name}: ${toErrorJson(error).message}`)
      })
      .finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  #after(delayMs: number, act: () => Promise<unknown>): void {
    if (this.#context.signal.aborted) return
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.#own(act())
      },
      Math.min(delayMs, 2 ** 31 - 1),
    )
    this.#timers.add(timer)
  }

  // ── waiting and starting ───────────────────────────────────────────────────────────────────────────────────────

  /** Puts a job whose conditions hold in line. */
  enqueue(job: JobRow, task: ResolvedTask): void {
    const width = task.array ? Math.min(task.array.width, task.array.positions?.length ?? task.array.size) : 1
    const { cpus, memoryBytes, gpus } = task.perNode
    const nodes = task.array ? 1 : task.numNodes
    this.capacity.enqueue({
      id: job.id,
      priority: job.priority,
      createdAt: job.createdAt,
      ...(job.notBefore === undefined ? {} : { notBefore: job.notBefore }),
      width,
      demand: {
        // Several node runners of one task develop a distributed task here: together they take at most the machine.
        cpus: Math.min(cpus * nodes, this.site.cpus),
        memoryBytes: Math.min((memoryBytes ?? 0) * nodes, this.site.memoryBytes),
        gpus: Math.min(gpus * nodes, this.site.gpus.length),
      },
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
      for (const start of this.capacity.choose(now)) this.#own(this.#start(start.id, start.gpus, start.width))
      clearTimeout(this.#wakeTimer)
      const wakeAt = this.capacity.nextWakeAt(now)
      if (wakeAt !== undefined) this.#wakeTimer = setTimeout(() => this.pump(), Math.max(1, Math.min(wakeAt - now, 2 ** 31 - 1)))
      if (this.#pumpAgain) {
        this.#pumpAgain = false
        this.pump()
      }
    })
  }

  async #start(jobId: string, gpus: readonly number[], width: number): Promise<void> {
    const { store, secrets } = this.#context
    const job = await store.job(jobId)
    if (job === undefined || (job.state !== 'queued' && job.state !== 'created') || job.task === undefined) {
      this.capacity.release(jobId)
      this.pump()
      return
    }
    const stored = JSON.parse(job.task) as ResolvedTask
    const task: ResolvedTask = stored.array ? { ...stored, array: { ...stored.array, width } } : stored
    let from: State = job.state
    try {
      const values = task.secretNames.length === 0 ? {} : secrets.read(jobId)
      if (values === undefined)
        throw new DroverError('missing_secret', `the secrets of job ${jobId} are no longer there`, {
          level: 'staging',
          hint: `Give them again: drover retry ${jobId} --secret NAME`,
        })
      const plan = this.executor.plan(task, this.site, { jobId, attempt: job.attempt, assignedGpus: gpus })
      if (task.code?.kind === 'bundle' || task.mounts.length > 0) {
        if (!(await this.#move(job, from, 'staging', {}))) return this.#drop(jobId)
        from = 'staging'
      }
      await stageAttempt(plan, values, this.transport, this.site.root)
      const kept = attemptPlan(plan, task, gpus)
      const change = { attemptPatch: { plan: JSON.stringify(kept), directory: plan.attemptDir } }
      if (!(await this.#move(job, from, 'submitting', change))) return this.#drop(jobId)
      // From here on the attempt's own env file has them; only a further attempt would need them again.
      if (job.attempt > task.retries.max) secrets.remove(jobId)
      const active = createActiveAttempt({
        job,
        number: job.attempt,
        plan: kept,
        task,
        state: 'submitting',
        proofGraceMs: this.#proofGraceMs,
        otherElements: await this.#otherElements(jobId, job.attempt, kept.elements),
      })
      this.#active.set(jobId, active)
      this.#schedulePoll()
      const nativeId = await this.executor.submit(plan, this.#io)
      await this.#noteNativeId(active, nativeId)
      // A cancel that came before the native id was known has only left its mark.
      const current = await store.job(jobId)
      if (current?.cancelRequestedAt !== undefined) await this.executor.cancel([refOf(active)], this.#io)
    } catch (error) {
      if (this.#context.signal.aborted) return
      await this.#startFailed(job, from, error)
    }
  }

  async #move(job: JobRow, from: State, to: State, rest: Partial<JobChange>): Promise<boolean> {
    return this.#context.writer.apply({
      ...rest,
      jobId: job.id,
      at: this.#context.now(),
      from,
      attempt: job.attempt,
      to,
      events: [{ type: 'state', data: { from, to } }, ...(rest.events ?? [])],
    })
  }

  #drop(jobId: string): void {
    this.#active.delete(jobId)
    this.capacity.release(jobId)
    this.pump()
  }

  /** A start that broke before anything ran: `staging`, or in doubt when the submit itself had no answer. */
  async #startFailed(job: JobRow, from: State, error: unknown): Promise<void> {
    const problem = toErrorJson(error)
    const active = this.#active.get(job.id)
    if (active !== undefined && problem.level === 'transport') {
      // In doubt: the poll adopts what is there, and submit is repeated; one claim lets one instance run.
      this.#context.log.warn(`job ${job.id}: submit in doubt: ${problem.message}`)
      this.#after(1_000, () => this.#resubmit(active))
      return
    }
    const cause: Cause = { kind: active === undefined ? 'staging' : 'rejected', message: problem.message }
    await this.#end({ jobId: job.id, attempt: job.attempt, from: active === undefined ? from : 'submitting', job }, 'failed', cause, {
      events: [{ type: 'error', data: { ...problem } }],
    })
  }

  async #resubmit(active: ActiveAttempt): Promise<void> {
    if (this.#active.get(active.jobId) !== active || active.nativeId !== undefined) return
    const job = await this.#context.store.job(active.jobId)
    if (job === undefined || isSettled(job.state)) return
    try {
      const plan = this.executor.plan(active.task, this.site, {
        jobId: active.jobId,
        attempt: active.number,
        assignedGpus: active.plan.gpus,
      })
      await this.#noteNativeId(active, await this.executor.submit(plan, this.#io))
    } catch (error) {
      if (this.#context.signal.aborted) return
      this.#context.log.warn(`job ${active.jobId}: submit still in doubt: ${toErrorJson(error).message}`)
      this.#after(5_000, () => this.#resubmit(active))
    }
  }

  async #noteNativeId(active: ActiveAttempt, nativeId: string): Promise<void> {
    active.nativeId = nativeId
    await this.#context.writer.apply({
      jobId: active.jobId,
      at: this.#context.now(),
      attempt: active.number,
      patch: { nativeId },
      attemptPatch: { nativeId },
      events: [{ type: 'submitted', data: { native_id: nativeId } }],
    })
    this.wake(active.jobId)
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
      proofGraceMs: this.#proofGraceMs,
      otherElements: await this.#otherElements(job.id, attempt.number, plan.elements),
      cancelledElements: plan.elements.length > 0 ? await cancelledElements(this.#context.store, job.id, attempt.number) : new Set(),
    })
    if (attempt.nativeId !== undefined) active.nativeId = attempt.nativeId
    this.#active.set(job.id, active)
    if (job.state !== 'lost') this.capacity.take(job.id, plan.demand, plan.gpus)
    if (job.state === 'submitting' && active.nativeId === undefined) this.#own(this.#resubmit(active))
    this.wake(job.id)
    this.#schedulePoll()
    return true
  }

  // ── observing ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #hearBell(): Promise<void> {
    if (this.#bellBusy) {
      this.#bellAgain = true
      return
    }
    this.#bellBusy = true
    try {
      do {
        this.#bellAgain = false
        const [piece] = await this.transport.read([{ path: this.#bellPath, offset: this.#bellOffset, maxBytes: 1024 * 1024 }])
        if (piece === undefined) break
        if (piece.size < this.#bellOffset) this.#bellOffset = 0
        if (piece.bytes.length === 0) continue
        this.#bellOffset += piece.bytes.length
        const text = this.#bellRest + Buffer.from(piece.bytes).toString('latin1')
        const end = text.lastIndexOf('\n') + 1
        this.#bellRest = text.slice(end)
        for (const jobId of new Set(parseBell(text.slice(0, end)).lines.map((line) => line.jobId))) this.#heard(jobId)
        this.#bellAgain ||= piece.size > this.#bellOffset
      } while (this.#bellAgain)
    } finally {
      this.#bellBusy = false
    }
  }

  /** Slots ring at most every 0.2 s, so what they wrote after the last ring is looked for once more. */
  #heard(jobId: string): void {
    this.wake(jobId)
    const active = this.#active.get(jobId)
    if (active === undefined || active.files.shape.slots === 0 || active.lookAgain) return
    active.lookAgain = true
    this.#after(SLOT_BELL_MS, async () => {
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
    this.#own(
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
      this.#own(this.#poll().finally(() => this.#schedulePoll()))
    }, POLL_MS)
  }

  /** One round trip for all attempts at work here. */
  async #poll(): Promise<void> {
    const now = this.#context.now()
    const asked = [...this.#active.values()].filter((active) => active.state !== 'lost' || now - active.polledAt >= LOST_POLL_MS)
    if (asked.length === 0) return
    let answers: ReadonlyMap<string, NativeObservation>
    try {
      answers = await this.executor.poll(asked.map(refOf), this.#io)
    } catch (error) {
      const reason = toErrorJson(error).message
      answers = new Map(asked.map((active) => [`${active.jobId}/${active.number}`, { kind: 'could_not_ask', reason } as const]))
    }
    for (const active of asked) {
      active.polledAt = now
      const observation = answers.get(`${active.jobId}/${active.number}`)
      if (observation !== undefined) active.observation = observation
      this.wake(active.jobId)
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
    const job = await store.job(active.jobId)
    if (job === undefined || job.attempt !== active.number || (isSettled(job.state) && job.state !== 'lost')) {
      if (this.#active.get(active.jobId) === active) this.#drop(active.jobId)
      return
    }
    const taken = takeVerdict(active, job, this.#context.now())
    active.state = job.state
    if (taken.wakeInMs !== undefined) this.#after(taken.wakeInMs, async () => this.wake(active.jobId))
    const { verdict, change, commit } = taken
    if (verdict.state !== job.state && isSettled(verdict.state)) {
      const where = { jobId: job.id, attempt: job.attempt, from: job.state, job }
      const cause = verdict.cause
      if (verdict.state !== 'lost') await this.#collect(active, job)
      await this.#end({ ...where, from: active.state }, verdict.state, cause, change, verdict.exitCode)
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
      } else this.wake(active.jobId)
    }
  }

  async #collect(active: ActiveAttempt, job: JobRow): Promise<void> {
    if (active.task.collect.length === 0 || job.collected !== undefined) return
    if (job.state !== 'finishing' && (await this.#move(job, job.state, 'finishing', {}))) active.state = 'finishing'
    const outcome = await collectOutputs(active, job, this.transport)
    await this.#context.writer.apply({
      jobId: job.id,
      at: this.#context.now(),
      attempt: job.attempt,
      ...(outcome.directory === undefined ? {} : { patch: { collected: outcome.directory } }),
      events: [{ type: outcome.warning === undefined ? 'collected' : 'warning', data: { ...outcome } }],
    })
  }

  /** Writes an end (or `lost`), or the retry that follows it; then frees what the attempt held. */
  async #end(
    where: { readonly jobId: string; readonly attempt: number; readonly from: State; readonly job: JobRow },
    state: State,
    cause: Cause | undefined,
    change: Partial<JobChange> = {},
    exitCode: number | undefined = jobExit(state, cause)?.code,
  ): Promise<void> {
    const { writer, secrets, store } = this.#context
    const now = this.#context.now()
    const full = await store.job(where.jobId)
    const task = full?.task === undefined ? undefined : (JSON.parse(full.task) as ResolvedTask)
    const active = this.#active.get(where.jobId)
    const retry = await this.#decideRetry(where, state, cause, task, change.elements ?? [], full?.cancelRequestedAt !== undefined)
    const { positions } = retry
    const again = retry.retry
    const proof = change.events?.find((event) => event.type === 'state')?.data ?? {}
    const others = (change.events ?? []).filter((event) => event.type !== 'state')
    const attemptPatch = {
      state,
      endedAt: change.patch?.endedAt ?? now,
      ...(cause === undefined ? {} : { cause }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...change.attemptPatch,
    }
    const made = again
      ? await writer.apply({
          ...change,
          jobId: where.jobId,
          at: now,
          from: where.from,
          attempt: where.attempt,
          to: 'queued',
          newAttempt: { number: where.attempt + 1 },
          patch: {
            nativeId: null,
            nativeWord: null,
            notBefore: now + retry.notBeforeDelayMs,
            ...(task?.array && positions.length > 0 ? { task: JSON.stringify({ ...task, array: { ...task.array, positions } }) } : {}),
          },
          attemptPatch: { ...attemptPatch, endedAt: attemptPatch.endedAt ?? now },
          events: [
            ...others,
            { type: 'attempt_ended', data: { ...proof, state, cause: cause ?? null } },
            {
              type: 'retry',
              data: {
                why: retry.why,
                after_ms: retry.notBeforeDelayMs,
                next_attempt: where.attempt + 1,
                ...(positions.length > 0 ? { elements: positions.length } : {}),
              },
            },
          ],
        })
      : await writer.apply({
          ...change,
          jobId: where.jobId,
          at: now,
          from: where.from,
          attempt: where.attempt,
          to: state,
          patch: { ...change.patch, cause: cause ?? null, exitCode: exitCode ?? null, endedAt: change.patch?.endedAt ?? now },
          attemptPatch: { ...attemptPatch, endedAt: attemptPatch.endedAt ?? now },
          events: [...others, { type: 'state', data: { from: where.from, ...proof, to: state, cause: cause ?? null } }],
        })
    if (!made) {
      // Somebody else moved the job meanwhile (a person settled it, a retry): look again at what holds.
      if (active !== undefined) this.wake(where.jobId)
      return
    }
    if (state === 'lost') {
      // Still asked for, ever more rarely; it holds no capacity.
      if (active !== undefined) active.state = 'lost'
      this.capacity.release(where.jobId)
      this.pump()
      this.#context.settled(where.jobId, state)
      return
    }
    this.#drop(where.jobId)
    if (again && task !== undefined) {
      const next = await store.job(where.jobId)
      if (next?.task !== undefined) this.enqueue(next, JSON.parse(next.task) as ResolvedTask)
      return
    }
    if (task !== undefined && task.secretNames.length > 0) secrets.remove(where.jobId)
    this.#context.settled(where.jobId, state)
    if (task?.notify.onEnd !== undefined) this.#own(notifyClient(task, where.jobId, 'end', this.#context))
  }

  async #decideRetry(
    where: { readonly jobId: string; readonly attempt: number },
    state: State,
    cause: Cause | undefined,
    task: ResolvedTask | undefined,
    fresh: readonly ElementRow[],
    cancelRequested: boolean,
  ): Promise<RetryDecision & { readonly positions: readonly number[] }> {
    if (task === undefined || state !== 'failed' || cause === undefined)
      return { retry: false, notBeforeDelayMs: 0, why: '', positions: [] }
    if (task.array) {
      const positions = new Set(fresh.map((row) => row.position))
      const stored = await this.#context.store.elements(where.jobId, ['failed'])
      const failed = [...stored.filter((row) => !positions.has(row.position)), ...fresh.filter((row) => row.state === 'failed')]
      if (failed.length > 0) return decideArrayRetry(task.retries, cause, failed, where.attempt, cancelRequested)
    }
    // No array, or one of which no element began: the whole attempt is tried again.
    return { ...decideRetry(task.retries, cause, where.attempt, cancelRequested), positions: [] }
  }

  /** Elements that this attempt does not run and that have not succeeded: they decide the job's end with it. */
  async #otherElements(jobId: string, attempt: number, mine: readonly number[]): Promise<readonly ElementRow[]> {
    if (attempt === 1 || mine.length === 0) return []
    const own = new Set(mine)
    const rows = await this.#context.store.elements(jobId)
    return rows.filter((row) => !own.has(row.position) && row.state !== 'succeeded')
  }

  // ── asking it to end ───────────────────────────────────────────────────────────────────────────────────────────

  /** Marks the attempt and asks it to end; the request is on record before. Idempotent. */
  async cancel(jobId: string): Promise<void> {
    const active = this.#active.get(jobId)
    if (active === undefined) return
    await this.transport.write([], [{ path: `${active.plan.attemptDir}/cancel`, mode: 0o600, content: 'cancel\n' }])
    await this.executor.cancel([refOf(active)], this.#io)
    this.#after(active.plan.graceMs + 2_000, async () => {
      if (this.#active.get(jobId) === active) await this.executor.cancel([refOf(active)], this.#io)
    })
  }

  async cancelElements(jobId: string, positions: readonly number[]): Promise<void> {
    const active = this.#active.get(jobId)
    if (active === undefined || this.executor.cancelElements === undefined) return
    active.cancelledElements = new Set([...active.cancelledElements, ...positions])
    await this.executor.cancelElements(refOf(active), positions, this.#io)
  }

  /** Stops looking at a job that a person has settled or removed. */
  forget(jobId: string): void {
    if (this.#active.has(jobId)) this.#drop(jobId)
  }

  /** The native references of jobs at work here. */
  refs(): readonly NativeRef[] {
    return [...this.#active.values()].map(refOf)
  }
}

/** Positions whose cancel is on record for an attempt. */
async function cancelledElements(store: Store, jobId: string, attempt: number): Promise<ReadonlySet<number>> {
  const events = await store.events({ jobId, after: 0, limit: 10_000 })
  const asked = events.filter((event) => event.type === 'cancel_requested' && event.attempt === attempt)
  return new Set(
    asked.flatMap(({ data }) => (Array.isArray(data.elements) ? data.elements.filter((position) => typeof position === 'number') : [])),
  )
}
