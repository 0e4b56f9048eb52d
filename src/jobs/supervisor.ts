/**
 * The process that drives jobs: `Drover` in process. It owns the lease, the store, the graph of dependencies and one runtime
 * per target, from start to close; each call is a function of its own over them.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DroverError, InputError } from '../errors.ts'
import type { Logger } from '../executors/executor.ts'
import { acquireLease, isStillMine, type Lease, releaseLease } from '../store/lease.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { JobRow, Store } from '../store/store.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { isSettled } from '../task/states.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { cancelJob } from './cancel-job.ts'
import { ChangeWriter } from './change-writer.ts'
import { viewClusters } from './cluster-views.ts'
import { Companions } from './companions.ts'
import type {
  CheckLine,
  ClientOptions,
  ClusterView,
  Drover,
  Explanation,
  Job,
  JobElement,
  JobEvent,
  JobLocation,
  ListFilter,
  LogChunk,
  LogQuery,
  PlanView,
  PruneOptions,
  SubmitOptions,
  SupervisorStatus,
  TargetView,
} from './drover.ts'
import { explainRow } from './explain-job.ts'
import { fetchJob } from './fetch-job.ts'
import { findJob } from './find-job.ts'
import { followEvents, waitForJob } from './follow-changes.ts'
import { followElements } from './follow-elements.ts'
import type { JobContext, JobControl } from './job-context.ts'
import { JobGraph } from './job-graph.ts'
import { jobLogSource } from './job-log-source.ts'
import { locateJob } from './locate-job.ts'
import { readLogs } from './log-reader.ts'
import { OwnedWork } from './owned-work.ts'
import { planTasks } from './plan-tasks.ts'
import { chooseForPrune } from './prune.ts'
import { viewRows, viewWhole } from './read-job.ts'
import { recoverJobs } from './recover-jobs.ts'
import { removeJobs } from './remove-jobs.ts'
import { retryJob } from './retry-job.ts'
import { SecretFiles } from './secret-files.ts'
import { settleJob } from './settle-job.ts'
import { submitJobs } from './submit-jobs.ts'
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
  readonly #control: JobControl
  readonly #work: OwnedWork
  readonly #stopping = new AbortController()
  readonly #startedAt: number
  readonly #resolveStopped: () => void
  #busySince: number
  #idleExitMs: number | null
  #closing: Promise<void> | undefined
  #idleTimer: NodeJS.Timeout | undefined

  constructor(options: SupervisorOptions, socketPath: string, lease: Lease, store: Store) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.stopped = promise
    this.#resolveStopped = resolve
    this.#options = options
    this.#socketPath = socketPath
    this.#lease = lease
    const now = options.now ?? Date.now
    this.#idleExitMs = options.idleExitMs
    this.#startedAt = now()
    this.#busySince = now()
    const { log, home, environment } = options
    const { signal } = this.#stopping
    const writer = new ChangeWriter(store, () => {
      if (!isStillMine(home, lease.generation))
        throw new DroverError('conflict', 'another supervisor has taken over this home; this one no longer writes', { level: 'internal' })
    })
    this.#work = new OwnedWork({ signal, log, label: '' })
    const graph = new JobGraph(() => this.#control)
    const companions = new Companions(() => this.#control, this.#work)
    const context: JobContext = {
      store,
      writer,
      secrets: new SecretFiles(home),
      log,
      signal,
      now,
      own: (work) => this.#work.own(work),
      settled: (jobId, state) => {
        graph.settled(jobId, state)
        companions.settled(jobId, state)
      },
      submitted: (jobId) => graph.submitted(jobId),
    }
    this.#control = { ...context, graph, companions, targets: new TargetSet({ home, environment, context }) }
    if (options.idleExitMs !== null) this.#idleTimer = setInterval(() => this.#lookIdle(), IDLE_LOOK_MS)
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

  recover(): Promise<void> {
    return recoverJobs(this.#control)
  }

  touch(): void {
    this.#busySince = this.#control.now()
  }

  #lookIdle(): void {
    if (this.#control.targets.busy()) this.touch()
    if (this.#idleExitMs !== null && this.#control.now() - this.#busySince >= this.#idleExitMs) void this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#idleTimer)
    this.#stopping.abort(new DroverError('aborted', 'the supervisor is stopping', { level: 'internal', transient: true }))
    const { targets, writer, store } = this.#control
    await targets.close()
    await this.#work.stop()
    await writer.settle()
    await store.close()
    await releaseLease(this.#options.home, this.#lease)
    this.#resolveStopped()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Aborted by the caller or by the end of this supervisor. */
  #signal(own: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, ...(own ? [own] : [])])
  }

  #row(selector: string): Promise<JobRow> {
    return findJob(this.#control.store, selector)
  }

  async #view(row: JobRow | Promise<JobRow>): Promise<Job> {
    return viewWhole(this.#control.store, await row)
  }

  // ── Drover ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async submit(file: TaskFile, options: SubmitOptions = {}): Promise<readonly Job[]> {
    this.touch()
    const { ids, idleStopMs } = await submitJobs(file, options, this.#control)
    if (this.#idleExitMs !== null && idleStopMs !== undefined) this.#idleExitMs = idleStopMs
    return Promise.all(ids.map((id) => this.#view(this.#row(id))))
  }

  plan(file: TaskFile, options: ClientOptions = {}): Promise<readonly PlanView[]> {
    this.touch()
    return planTasks(file, options, this.#control)
  }

  async list(filter: ListFilter = {}): Promise<readonly Job[]> {
    const { store } = this.#control
    const { group: groupId, maxAgeMs, limit = 50, ...rest } = filter
    const rows = await store.jobs({
      ...rest,
      ...(groupId === undefined ? {} : { groupId }),
      ...(maxAgeMs === undefined ? {} : { since: this.#control.now() - maxAgeMs }),
      limit,
    })
    return viewRows(store, rows)
  }

  get(selector: string): Promise<Job> {
    return this.#view(this.#row(selector))
  }

  async wait(
    selector: string,
    options: { readonly until?: 'submitted' | 'started' | 'settled'; readonly signal?: AbortSignal } = {},
  ): Promise<Job> {
    const { id } = await this.#row(selector)
    return this.#view(waitForJob(id, options.until ?? 'settled', this.#signal(options.signal), this.#control))
  }

  async *events(
    query: { readonly jobs?: readonly string[]; readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<JobEvent> {
    const ids = query.jobs === undefined ? undefined : await Promise.all(query.jobs.map(async (selector) => (await this.#row(selector)).id))
    yield* followEvents(ids, query.after, this.#signal(query.signal), this.#control)
  }

  async *elements(selector: string, query: { readonly signal?: AbortSignal } = {}): AsyncIterable<JobElement> {
    const { id } = await this.#row(selector)
    yield* followElements(id, this.#signal(query.signal), this.#control)
  }

  async *logs(selector: string, query: LogQuery = {}): AsyncIterable<LogChunk> {
    const { store, writer, targets } = this.#control
    const { id } = await this.#row(selector)
    yield* readLogs(
      jobLogSource(id, store, writer, (name) => targets.open(name)),
      { ...query, signal: this.#signal(query.signal) },
    )
  }

  async cancel(selector: string, options: { readonly elements?: readonly number[]; readonly by?: string } = {}): Promise<Job> {
    this.touch()
    const { id } = await this.#row(selector)
    await cancelJob(id, options, this.#control)
    return this.get(id)
  }

  async retry(
    selector: string,
    options: { readonly elements?: readonly number[] | 'failed'; readonly secrets?: Readonly<Record<string, string>> } = {},
  ): Promise<Job> {
    this.touch()
    return this.#view(retryJob(selector, options, this.#control))
  }

  async settle(selector: string, options: { readonly as: 'succeeded' | 'failed' | 'cancelled'; readonly reason: string }): Promise<Job> {
    return this.get(await settleJob(selector, options, this.#control))
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
    return removeJobs(rows, this.#control)
  }

  async fetch(
    selector: string,
    options: { readonly globs?: readonly string[]; readonly to?: string } = {},
  ): Promise<{ readonly directory: string; readonly files: readonly string[] }> {
    return fetchJob(await this.#row(selector), options, this.#control)
  }

  async explain(selector: string): Promise<Explanation> {
    return explainRow(await this.#row(selector), this.#control)
  }

  async locate(selector: string, options: { readonly rank?: number } = {}): Promise<JobLocation> {
    return locateJob(await this.#row(selector), options, this.#control)
  }

  async prune(
    options: PruneOptions,
  ): Promise<{ readonly removed: readonly string[]; readonly bytes: number; readonly warnings: readonly string[] }> {
    const { store, targets } = this.#control
    const { rows, bytes, warnings } = await chooseForPrune(options, store, (name) => targets.open(name), this.#control.now())
    if (options.dryRun) return { removed: rows.map((row) => row.id), bytes, warnings }
    const result = await removeJobs(rows, this.#control)
    return { removed: result.removed, bytes, warnings: [...warnings, ...result.warnings] }
  }

  targets(options: ClientOptions = {}): Promise<readonly TargetView[]> {
    return this.#control.targets.views(options)
  }

  clusters(): Promise<readonly ClusterView[]> {
    return viewClusters(this.#options.home, this.#control)
  }

  checkTarget(name: string, options: ClientOptions = {}): Promise<readonly CheckLine[]> {
    return this.#control.targets.check(name, options)
  }

  async status(): Promise<SupervisorStatus> {
    return {
      pid: process.pid,
      version: this.#options.version,
      home: this.#options.home,
      socket: this.#socketPath,
      host: hostname(),
      started_at: new Date(this.#startedAt).toISOString(),
      jobs: await this.#control.store.counts(),
      memory_bytes: process.memoryUsage.rss(),
      idle_exit_ms: this.#idleExitMs,
    }
  }
}
