/**
 * The process that drives jobs: `Drover` in process. It holds the store, the graph of dependencies and one runtime per
 * target, and turns calls into conditional transitions. One class, because these calls share exactly that state.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DroverError, InputError, toErrorJson } from '../errors.ts'
import type { Logger, ResolvedTask } from '../executors/executor.ts'
import { resolveTask } from '../executors/resolve-task.ts'
import { type GraphAction, GraphReactor, type NodeOutcome, type NodeRecord } from '../graph/reactor.ts'
import { acquireLease, isStillMine, type Lease, releaseLease } from '../store/lease.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { JobRow, Store } from '../store/store.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { isEndState, isSettled, STATES, type State } from '../task/states.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { readAttemptPlan } from './attempt-plan.ts'
import { ChangeWriter } from './change-writer.ts'
import { fetchOutputs, outputDirectory } from './collect.ts'
import type {
  CheckLine,
  Drover,
  Explanation,
  Job,
  JobEvent,
  ListFilter,
  LogChunk,
  LogQuery,
  PlanView,
  PruneOptions,
  SubmitOptions,
  SupervisorStatus,
  TargetView,
} from './drover.ts'
import { jobExit } from './exit-code.ts'
import { explainJob } from './explain.ts'
import type { JobContext } from './job-context.ts'
import { jobLogSource } from './job-log-source.ts'
import { viewEvent } from './job-view.ts'
import { readLogs } from './log-reader.ts'
import { notifyClient } from './notify.ts'
import { planView } from './plan-view.ts'
import { chooseForPrune } from './prune.ts'
import { readJob, viewRows, viewWhole } from './read-job.ts'
import { SecretFiles } from './secret-files.ts'
import { prepareSubmission } from './submission.ts'
import { TargetSet } from './target-set.ts'

/** How often an idle supervisor looks whether its time is over. */
const IDLE_LOOK_MS = 1_000

export interface SupervisorOptions {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** ms without work or client after which `stopped` resolves; null: never. */
  readonly idleExitMs: number | null
  readonly log: Logger
  /** Default: the system clock. */
  readonly now?: () => number
}

/** `Drover`, and the facts its host process needs. */
export interface Supervisor extends Drover {
  /** Resolves after `close`, or when the idle time is over (then already closed). */
  readonly stopped: Promise<void>
  /** A client was there: the idle time begins anew. */
  touch(): void
}

/** Takes the lease, opens the store, takes over what an earlier supervisor left, and drives jobs until `close`. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { home, socketPath } = resolveHome({ ...options.environment, DROVER_HOME: options.home })
  const outcome = await acquireLease(home, { socket: socketPath, droverVersion: options.version })
  if (outcome.kind === 'held') {
    throw new DroverError('conflict', `another supervisor (process ${outcome.lease.pid}) drives ${home}`, {
      level: 'config',
      transient: true,
      hint: 'Attach to it, or stop it: drover supervisor stop',
    })
  }
  const { lease } = outcome
  let store: Store | undefined
  try {
    store = await openSqliteStore(join(home, 'drover.db'))
    const supervisor = new JobSupervisor({ ...options, home }, socketPath, lease, store)
    await supervisor.recover()
    return supervisor
  } catch (error) {
    await store?.close()
    await releaseLease(home, lease)
    throw error
  }
}

class JobSupervisor implements Supervisor {
  readonly stopped: Promise<void>
  readonly #options: SupervisorOptions
  readonly #socketPath: string
  readonly #lease: Lease
  readonly #store: Store
  readonly #writer: ChangeWriter
  readonly #secrets: SecretFiles
  readonly #targets: TargetSet
  #graph = new GraphReactor()
  readonly #stopping = new AbortController()
  readonly #startedAt: number
  readonly #context: JobContext
  readonly #work = new Set<Promise<void>>()
  readonly #resolveStopped: () => void
  #busySince: number
  #closing: Promise<void> | undefined
  #idleTimer: NodeJS.Timeout | undefined
  #idleExitMs: number | null

  constructor(options: SupervisorOptions, socketPath: string, lease: Lease, store: Store) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.stopped = promise
    this.#resolveStopped = resolve
    this.#options = options
    this.#socketPath = socketPath
    this.#lease = lease
    this.#store = store
    this.#idleExitMs = options.idleExitMs
    this.#writer = new ChangeWriter(store, () => {
      if (!isStillMine(options.home, lease.generation))
        throw new DroverError('conflict', 'another supervisor has taken over this home; this one no longer writes', { level: 'internal' })
    })
    this.#secrets = new SecretFiles(options.home)
    const now = options.now ?? Date.now
    this.#startedAt = now()
    this.#busySince = now()
    this.#context = {
      store,
      writer: this.#writer,
      secrets: this.#secrets,
      log: options.log,
      signal: this.#stopping.signal,
      now,
      settled: (jobId, state) => this.#settled(jobId, state),
    }
    this.#targets = new TargetSet({ home: options.home, environment: options.environment, context: this.#context })
    if (options.idleExitMs !== null) this.#idleTimer = setInterval(() => this.#lookIdle(), IDLE_LOOK_MS)
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes over every job that has not ended. */
  async recover(): Promise<void> {
    const open = await this.#store.openJobs()
    const known = new Set(open.map((row) => row.id))
    const records: NodeRecord[] = []
    for (const row of open) {
      const waits = row.state === 'created' || row.state === 'queued'
      // A later attempt's conditions held once; what became of its upstreams since then does not matter.
      const after = waits && row.attempt === 1 ? await this.#store.dependencies(row.id) : []
      records.push({
        node: row.id,
        status: waits ? 'waiting' : row.state === 'lost' ? 'lost' : 'released',
        upstreams: after.map(({ upstream, condition }) => ({ upstream, condition })),
      })
      for (const { upstream } of after) {
        if (known.has(upstream)) continue
        known.add(upstream)
        const ended = await this.#store.job(upstream)
        records.push({ node: upstream, status: (ended === undefined ? undefined : outcomeOf(ended.state)) ?? 'cancelled', upstreams: [] })
      }
    }
    const { reactor, actions } = GraphReactor.restore(records)
    this.#graph = reactor
    for (const row of open) if (row.state !== 'created' && row.state !== 'queued') await this.#adopt(row)
    this.#act(actions)
  }

  async #adopt(row: JobRow): Promise<void> {
    const full = await this.#store.job(row.id)
    if (full?.task === undefined) return
    try {
      const target = await this.#targets.open(row.target)
      const attempt = (await this.#store.attempts(row.id)).find((candidate) => candidate.number === row.attempt)
      const task = JSON.parse(full.task) as ResolvedTask
      if (row.state !== 'staging' && attempt !== undefined && (await target.adopt(full, attempt, task))) {
        if (full.cancelRequestedAt !== undefined) this.#own(target.cancel(row.id))
        return
      }
      // Nothing was handed over yet: staging begins anew.
      const made = await this.#writer.apply({
        jobId: row.id,
        at: this.#context.now(),
        from: row.state,
        attempt: row.attempt,
        to: 'queued',
        events: [{ type: 'state', data: { from: row.state, to: 'queued', why: 'the supervisor ended during staging' } }],
      })
      if (made) target.enqueue({ ...full, state: 'queued' }, task)
    } catch (error) {
      this.#options.log.warn(`job ${row.id}: ${toErrorJson(error).message}`)
    }
  }

  touch(): void {
    this.#busySince = this.#context.now()
  }

  #lookIdle(): void {
    if (this.#targets.busy()) this.touch()
    if (this.#idleExitMs !== null && this.#context.now() - this.#busySince >= this.#idleExitMs) void this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#idleTimer)
    this.#stopping.abort(new DroverError('aborted', 'the supervisor is stopping', { level: 'internal', transient: true }))
    await this.#targets.close()
    await Promise.allSettled(this.#work)
    await this.#writer.settle()
    await this.#store.close()
    await releaseLease(this.#options.home, this.#lease)
    this.#resolveStopped()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #own(promise: Promise<unknown>): void {
    const tracked: Promise<void> = promise
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#options.log.warn(toErrorJson(error).message)
      })
      .finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  // ── the graph ──────────────────────────────────────────────────────────────────────────────────────────────────

  #settled(jobId: string, state: State): void {
    const outcome = outcomeOf(state)
    // `lost` opens nothing: no dependent starts or ends on missing knowledge.
    if (outcome === undefined || !this.#graph.has(jobId)) return
    this.#act(this.#graph.apply({ type: 'node_ended', node: jobId, outcome }))
  }

  #act(actions: readonly GraphAction[]): void {
    for (const action of actions)
      this.#own(action.type === 'release' ? this.#release(action.node) : this.#skip(action.node, action.because))
  }

  async #release(jobId: string): Promise<void> {
    const row = await this.#store.job(jobId)
    if (row?.task === undefined || (row.state !== 'queued' && row.state !== 'created')) return
    const target = await this.#targets.open(row.target)
    target.enqueue(row, JSON.parse(row.task) as ResolvedTask)
  }

  async #skip(jobId: string, because: string | undefined): Promise<void> {
    const row = await this.#store.job(jobId)
    if (row === undefined || isSettled(row.state)) return
    const upstream = because === undefined ? undefined : await this.#store.job(because)
    const message =
      upstream === undefined
        ? 'a job it depends on can no longer meet its condition'
        : `"${upstream.name}" (${upstream.id}) ${upstream.state}: the condition cannot be met any more`
    await this.#endUnstarted(row, 'failed', { kind: 'dependency', message })
  }

  /** Ends a job that was never handed over: nothing of it runs, which is the proof. */
  async #endUnstarted(row: JobRow, to: 'failed' | 'cancelled', cause: NonNullable<JobRow['cause']>, by?: string): Promise<boolean> {
    const at = this.#context.now()
    const exitCode = jobExit(to, cause)?.code
    const made = await this.#writer.apply({
      jobId: row.id,
      at,
      from: row.state,
      attempt: row.attempt,
      to,
      patch: { cause, endedAt: at, exitCode: exitCode ?? null, ...(by === undefined ? {} : { cancelRequestedAt: at, cancelBy: by }) },
      attemptPatch: { state: to, cause, endedAt: at },
      events: [
        ...(by === undefined ? [] : [{ type: 'cancel_requested', data: { by } }]),
        { type: 'state', data: { from: row.state, to, cause, proof: 'never handed over to the target' } },
      ],
    })
    if (!made) return false
    this.#targets.opened(row.target)?.dequeue(row.id)
    this.#secrets.remove(row.id)
    const full = await this.#store.job(row.id)
    const task = full?.task === undefined ? undefined : (JSON.parse(full.task) as ResolvedTask)
    if (task?.notify.onEnd !== undefined) this.#own(notifyClient(task, row.id, 'end', this.#context))
    this.#settled(row.id, to)
    return true
  }

  // ── selecting ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #row(selector: string): Promise<JobRow> {
    const unknown = (): InputError =>
      new InputError('unknown_job', `there is no job "${selector}"`, { hint: 'drover list shows the newest jobs.' })
    if (selector === 'last') {
      const [newest] = await this.#store.jobs({ limit: 1 })
      if (newest === undefined) throw unknown()
      return (await this.#store.job(newest.id)) ?? newest
    }
    const exact = await this.#store.job(selector)
    if (exact !== undefined) return exact
    const found = await this.#store.findJobs(selector, 5)
    const named = found.filter((row) => row.name === selector)
    const chosen = named[0] ?? (found.length === 1 ? found[0] : undefined)
    if (chosen !== undefined) return (await this.#store.job(chosen.id)) ?? chosen
    if (found.length > 1)
      throw new InputError('ambiguous_job', `"${selector}" fits several jobs: ${found.map((row) => row.id).join(', ')}`, {
        hint: 'Give more of the id.',
      })
    throw unknown()
  }

  // ── Drover ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async submit(file: TaskFile, options: SubmitOptions = {}): Promise<readonly Job[]> {
    this.touch()
    const submissions = await prepareSubmission(file, {
      target: (name) => this.#targets.open(name),
      others: (except) => this.#targets.capabilities(except),
      findJob: async (selector) => (await this.#store.job(selector))?.id,
      clientDirectory: options.clientDirectory,
      now: () => this.#context.now(),
    })
    // Secrets first: a job on record is never without them.
    for (const { job, secrets } of submissions) if (Object.keys(secrets).length > 0) this.#secrets.write(job.id, secrets)
    const { created, ids } = await this.#store.createJobs(
      submissions.map((submission) => submission.job),
      options.key,
    )
    if (!created) for (const { job } of submissions) this.#secrets.remove(job.id)
    else {
      this.#writer.announce(ids)
      const ofFile = new Set(ids)
      for (const { job } of submissions) {
        for (const { upstream } of job.after) {
          if (ofFile.has(upstream) || this.#graph.has(upstream)) continue
          const row = await this.#store.job(upstream)
          this.#graph.addNode(upstream, [])
          const outcome = row === undefined ? 'cancelled' : outcomeOf(row.state)
          if (outcome !== undefined) this.#graph.apply({ type: 'node_ended', node: upstream, outcome })
        }
      }
      await Promise.all(
        submissions.map(({ job }) =>
          this.#writer.apply({
            jobId: job.id,
            at: job.createdAt,
            from: 'created',
            attempt: 1,
            to: 'queued',
            events: [{ type: 'state', data: { from: 'created', to: 'queued' } }],
          }),
        ),
      )
      for (const { job } of submissions) this.#act(this.#graph.addNode(job.id, job.after))
    }
    const rows = await Promise.all(ids.map((id) => this.#store.job(id)))
    return Promise.all(rows.filter((row) => row !== undefined).map((row) => viewWhole(this.#store, row)))
  }

  async plan(file: TaskFile): Promise<readonly PlanView[]> {
    this.touch()
    const views: PlanView[] = []
    for (const spec of file.tasks) {
      const target = await this.#targets.open(spec.target)
      const task = resolveTask(spec, {
        target: target.name,
        kind: target.executor.kind,
        capabilities: target.executor.capabilities,
        site: target.site,
        others: this.#targets.capabilities(target.name),
        upstreams: Object.fromEntries(spec.after.map(({ task: name }) => [name, `${target.site.root}/jobs/<id of ${name}>/work/0`])),
        ...(spec.workdir?.kind === 'link' ? { code: { kind: 'link' as const, path: spec.workdir.path } } : {}),
      })
      views.push(planView(target.executor.plan(task, target.site, { jobId: 'JOBID', attempt: 1 }), task, spec))
    }
    return views
  }

  async list(filter: ListFilter = {}): Promise<readonly Job[]> {
    const rows = await this.#store.jobs({
      ...(filter.states === undefined ? {} : { states: filter.states }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
      ...(filter.target === undefined ? {} : { target: filter.target }),
      ...(filter.group === undefined ? {} : { groupId: filter.group }),
      ...(filter.maxAgeMs === undefined ? {} : { since: this.#context.now() - filter.maxAgeMs }),
      limit: filter.limit ?? 50,
    })
    return viewRows(this.#store, rows)
  }

  async get(selector: string): Promise<Job> {
    return viewWhole(this.#store, await this.#row(selector))
  }

  async wait(
    selector: string,
    options: { readonly until?: 'submitted' | 'started' | 'settled'; readonly signal?: AbortSignal } = {},
  ): Promise<Job> {
    const signal = AbortSignal.any([this.#stopping.signal, ...(options.signal ? [options.signal] : [])])
    const { id } = await this.#row(selector)
    for (;;) {
      // Subscribed before reading, so that no change falls between.
      using waiter = this.#writer.nextChange(signal, [id])
      const row = await this.#store.job(id)
      if (row === undefined) throw new InputError('unknown_job', `job ${id} was removed`)
      const started = row.startedAt !== undefined || row.state === 'running' || row.state === 'finishing'
      const reached =
        isSettled(row.state) || (options.until === 'submitted' && row.nativeId !== undefined) || (options.until === 'started' && started)
      if (reached) return viewWhole(this.#store, row)
      signal.throwIfAborted()
      await waiter.changed
    }
  }

  async *events(
    query: { readonly jobs?: readonly string[]; readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<JobEvent> {
    const signal = AbortSignal.any([this.#stopping.signal, ...(query.signal ? [query.signal] : [])])
    const ids = query.jobs === undefined ? undefined : await Promise.all(query.jobs.map(async (selector) => (await this.#row(selector)).id))
    let after = query.after ?? (await this.#store.lastEventSeq())
    const rows = await Promise.all((ids ?? []).map((id) => this.#store.job(id)))
    // Settled before the cursor: no event will tell of it any more.
    const open = new Set(rows.flatMap((row) => (row === undefined || isSettled(row.state) ? [] : [row.id])))
    while (!signal.aborted) {
      using waiter = this.#writer.nextChange(signal, ids)
      const found = await this.#store.events({ after, limit: 500, ...(ids?.length === 1 && ids[0] !== undefined ? { jobId: ids[0] } : {}) })
      for (const event of found) {
        after = event.seq
        if (ids !== undefined && !ids.includes(event.jobId)) continue
        const to = event.type === 'state' ? event.data.to : undefined
        if (typeof to === 'string' && (STATES as readonly string[]).includes(to)) {
          if (isSettled(to as State)) open.delete(event.jobId)
          else if (ids !== undefined) open.add(event.jobId)
        }
        yield viewEvent(event)
      }
      if (found.length > 0) continue
      // A removed job leaves no event behind.
      for (const id of open) if ((await this.#store.job(id)) === undefined) open.delete(id)
      if (ids !== undefined && open.size === 0) return
      await waiter.changed
    }
  }

  async *logs(selector: string, query: LogQuery = {}): AsyncIterable<LogChunk> {
    const { id } = await this.#row(selector)
    const signal = AbortSignal.any([this.#stopping.signal, ...(query.signal ? [query.signal] : [])])
    yield* readLogs(
      jobLogSource(id, this.#store, this.#writer, (name) => this.#targets.open(name)),
      { ...query, signal },
    )
  }

  async cancel(selector: string, options: { readonly elements?: readonly number[]; readonly by?: string } = {}): Promise<Job> {
    this.touch()
    const by = options.by ?? 'user'
    for (;;) {
      const row = await this.#row(selector)
      if (isEndState(row.state)) break
      if (options.elements !== undefined) {
        const target = await this.#targets.open(row.target)
        if (row.elementCount === undefined)
          throw new InputError('invalid_argument', `job ${row.id} is no array: it has no elements to cancel`)
        // On record first: an element told to stop is then never taken for one that failed.
        await this.#writer.apply({
          jobId: row.id,
          at: this.#context.now(),
          events: [{ type: 'cancel_requested', data: { by, elements: options.elements } }],
        })
        await target.cancelElements(row.id, options.elements)
        break
      }
      const target = this.#targets.opened(row.target)
      if ((row.state === 'queued' || row.state === 'created' || row.state === 'staging') && target?.active(row.id) === undefined) {
        const message = `cancelled by ${by} before it started`
        if (await this.#endUnstarted(row, 'cancelled', { kind: 'cancelled', by, message }, by)) break
        continue
      }
      const at = this.#context.now()
      if (row.cancelRequestedAt === undefined) {
        await this.#writer.apply({
          jobId: row.id,
          at,
          patch: { cancelRequestedAt: at, cancelBy: by },
          events: [{ type: 'cancel_requested', data: { by } }],
        })
      }
      await (await this.#targets.open(row.target)).cancel(row.id)
      break
    }
    return this.get((await this.#row(selector)).id)
  }

  async retry(
    selector: string,
    options: { readonly elements?: readonly number[] | 'failed'; readonly secrets?: Readonly<Record<string, string>> } = {},
  ): Promise<Job> {
    this.touch()
    const row = await this.#row(selector)
    if (!isSettled(row.state) || row.task === undefined)
      throw new InputError('conflict', `job ${row.id} is ${row.state}: only an ended job is retried`, {
        hint: `drover cancel ${row.id} ends it first.`,
      })
    const task = JSON.parse(row.task) as ResolvedTask
    const target = await this.#targets.open(row.target)
    if (task.secretNames.length > 0) {
      const values = { ...this.#secrets.read(row.id), ...options.secrets }
      const missing = task.secretNames.filter((name) => values[name] === undefined)
      if (missing.length > 0)
        throw new InputError('missing_secret', `job ${row.id} needs the secrets ${missing.join(', ')} again`, {
          hint: `drover retry ${row.id} ${missing.map((name) => `--secret ${name}`).join(' ')}`,
        })
      this.#secrets.write(row.id, values)
    }
    const next = task.array ? { ...task, array: { ...task.array, ...(await this.#positions(row, options.elements)) } } : task
    const at = this.#context.now()
    target.forget(row.id)
    const made = await this.#writer.apply({
      jobId: row.id,
      at,
      from: row.state,
      attempt: row.attempt,
      to: 'queued',
      newAttempt: { number: row.attempt + 1 },
      patch: {
        cause: null,
        exitCode: null,
        endedAt: null,
        startedAt: null,
        nativeId: null,
        nativeWord: null,
        reason: null,
        notBefore: null,
        cancelRequestedAt: null,
        cancelBy: null,
        collected: null,
        usage: null,
        task: JSON.stringify(next),
      },
      events: [{ type: 'state', data: { from: row.state, to: 'queued', why: 'retry asked by user' } }],
    })
    if (!made) throw new InputError('conflict', `job ${row.id} changed at the same moment; look again`, { hint: `drover show ${row.id}` })
    const fresh = await this.#row(row.id)
    if (this.#graph.has(row.id)) this.#graph.removeNode(row.id)
    this.#graph.addNode(row.id, [])
    target.enqueue(fresh, next)
    return viewWhole(this.#store, fresh)
  }

  async #positions(row: JobRow, wanted: readonly number[] | 'failed' | undefined): Promise<{ readonly positions?: readonly number[] }> {
    if (Array.isArray(wanted)) return { positions: [...wanted] }
    const rows = await this.#store.elements(row.id)
    const done = new Set(rows.filter((element) => element.state === 'succeeded').map((element) => element.position))
    if (wanted === undefined && done.size === row.elementCount) return {}
    const positions =
      wanted === 'failed'
        ? rows.filter((element) => element.state === 'failed').map((element) => element.position)
        : Array.from({ length: row.elementCount ?? 0 }, (_, index) => index).filter((index) => !done.has(index))
    if (positions.length === 0) throw new InputError('invalid_argument', `job ${row.id} has no failed elements`)
    return { positions }
  }

  async settle(selector: string, options: { readonly as: 'succeeded' | 'failed' | 'cancelled'; readonly reason: string }): Promise<Job> {
    const row = await this.#row(selector)
    if (row.state !== 'lost') {
      throw new InputError('conflict', `job ${row.id} is ${row.state}: only a lost job is settled by hand`, {
        hint: isEndState(row.state) ? `drover retry ${row.id} starts it anew.` : `drover cancel ${row.id} ends it.`,
      })
    }
    const at = this.#context.now()
    const cause =
      options.as === 'succeeded'
        ? undefined
        : {
            kind: options.as === 'cancelled' ? ('cancelled' as const) : ('driver' as const),
            message: `settled by a person: ${options.reason}`,
            by: 'user',
          }
    const exitCode = options.as === 'succeeded' ? 0 : jobExit(options.as, cause)?.code
    await this.#writer.apply({
      jobId: row.id,
      at,
      from: 'lost',
      attempt: row.attempt,
      to: options.as,
      patch: { cause: cause ?? null, exitCode: exitCode ?? null, endedAt: at },
      attemptPatch: { state: options.as, endedAt: at, ...(cause === undefined ? {} : { cause }) },
      events: [
        { type: 'settled', data: { as: options.as, reason: options.reason } },
        { type: 'state', data: { from: 'lost', to: options.as, cause: cause ?? null, proof: 'a person said so', reason: options.reason } },
      ],
    })
    this.#targets.opened(row.target)?.forget(row.id)
    this.#secrets.remove(row.id)
    this.#settled(row.id, options.as)
    return this.get(row.id)
  }

  async remove(
    selectors: readonly string[],
    options: { readonly force?: boolean } = {},
  ): Promise<{ readonly removed: readonly string[]; readonly warnings: readonly string[] }> {
    const rows = await Promise.all(selectors.map((selector) => this.#row(selector)))
    for (const row of rows) {
      if (isSettled(row.state)) continue
      if (!options.force)
        throw new InputError('conflict', `job ${row.id} is ${row.state}: only an ended job is removed`, {
          hint: `drover cancel ${row.id}, or drover rm --force ${row.id}`,
        })
      await this.cancel(row.id)
      await this.wait(row.id)
    }
    return this.#removeRows(rows)
  }

  async #removeRows(rows: readonly JobRow[]): Promise<{ removed: string[]; warnings: string[] }> {
    const warnings: string[] = []
    for (const row of rows) {
      try {
        const target = await this.#targets.open(row.target)
        target.forget(row.id)
        await target.transport.remove([`${target.site.root}/jobs/${row.id}`])
      } catch (error) {
        warnings.push(`job ${row.id}: its directory on target "${row.target}" is still there: ${toErrorJson(error).message}`)
      }
      if (this.#graph.has(row.id)) this.#graph.removeNode(row.id)
      this.#secrets.remove(row.id)
    }
    await this.#store.removeJobs(rows.map((row) => row.id))
    this.#writer.announce(rows.map((row) => row.id))
    return { removed: rows.map((row) => row.id), warnings }
  }

  async fetch(
    selector: string,
    options: { readonly globs?: readonly string[]; readonly to?: string } = {},
  ): Promise<{ readonly directory: string; readonly files: readonly string[] }> {
    const row = await this.#row(selector)
    const task = row.task === undefined ? undefined : (JSON.parse(row.task) as ResolvedTask)
    const plan = readAttemptPlan((await this.#store.attempts(row.id)).findLast((attempt) => attempt.plan !== undefined)?.plan)
    if (plan === undefined || task === undefined)
      throw new InputError('conflict', `job ${row.id} has not started: there is nothing to fetch`)
    const globs = options.globs?.length ? options.globs : task.collect.length > 0 ? task.collect : ['**']
    const directory = options.to ?? outputDirectory(task.clientDirectory ?? task.spec.baseDirectory, row)
    const target = await this.#targets.open(row.target)
    const files = await fetchOutputs(plan.workDirs, globs, directory, target.transport)
    if (files.length === 0)
      throw new InputError('missing_file', `nothing in the work directory of job ${row.id} matches ${globs.join(', ')}`)
    return { directory, files }
  }

  async explain(selector: string): Promise<Explanation> {
    const row = await this.#row(selector)
    const job = await viewWhole(this.#store, row)
    const events = await this.#store.events({ jobId: row.id, after: 0, limit: 1000 })
    const lines: string[] = []
    const rank = row.cause?.rank
    const element = row.cause?.element
    let file = ''
    const query: LogQuery = {
      tail: 10,
      ...(rank === undefined ? {} : { ranks: [rank] }),
      ...(element === undefined ? {} : { elements: [element] }),
      streams: row.cause?.kind === 'setup' ? ['setup'] : row.cause?.kind === 'driver' ? ['driver'] : ['stderr', 'stdout'],
    }
    for await (const chunk of this.logs(row.id, query)) {
      if (lines.length > 0) break
      file = chunk.file
      lines.push(...Buffer.from(chunk.bytes).toString('utf8').trimEnd().split('\n').slice(-10))
    }
    const waiting = await Promise.all(
      (await this.#store.dependencies(row.id)).map(async (edge) => ({ ...edge, job: await readJob(this.#store, edge.upstream) })),
    )
    const queue = this.#targets.opened(row.target)?.capacity.explain(row.id, this.#context.now())
    const names = new Map<string, string>()
    for (const { id } of queue?.heldBy ?? []) names.set(id, (await this.#store.job(id))?.name ?? id)
    return explainJob(job, events, lines.length > 0 ? { file, lines } : null, {
      now: this.#context.now(),
      upstreams: waiting,
      queue,
      names,
      ...(row.notBefore === undefined ? {} : { notBefore: row.notBefore }),
      ...(row.cancelRequestedAt === undefined ? {} : { cancelRequestedAt: row.cancelRequestedAt }),
    })
  }

  async prune(
    options: PruneOptions,
  ): Promise<{ readonly removed: readonly string[]; readonly bytes: number; readonly warnings: readonly string[] }> {
    const { rows, bytes, warnings } = await chooseForPrune(options, this.#store, (name) => this.#targets.open(name), this.#context.now())
    if (options.dryRun) return { removed: rows.map((row) => row.id), bytes, warnings }
    const result = await this.#removeRows(rows)
    return { removed: result.removed, bytes, warnings: [...warnings, ...result.warnings] }
  }

  targets(): Promise<readonly TargetView[]> {
    return this.#targets.views()
  }

  checkTarget(name: string): Promise<readonly CheckLine[]> {
    return this.#targets.check(name)
  }

  async status(): Promise<SupervisorStatus> {
    return {
      pid: process.pid,
      version: this.#options.version,
      home: this.#options.home,
      socket: this.#socketPath,
      host: hostname(),
      started_at: new Date(this.#startedAt).toISOString(),
      jobs: await this.#store.counts(),
      memory_bytes: process.memoryUsage.rss(),
      idle_exit_ms: this.#idleExitMs,
    }
  }
}

/** What an end means to dependents; undefined for a state that is no end. */
function outcomeOf(state: State): NodeOutcome | undefined {
  return state === 'succeeded' ? 'ok' : state === 'failed' ? 'failed' : state === 'cancelled' ? 'cancelled' : undefined
}
