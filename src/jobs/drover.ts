import type { Capabilities } from '../executors/capabilities.ts'
import type { KeyOutcome, SiteFacts } from '../executors/executor.ts'
import type { CheckLine } from '../targets/check-line.ts'
import type { Limits } from '../targets/parse-config.ts'
import type { Cause, State } from '../task/states.ts'
import type { TaskFile } from '../task/task-spec.ts'

/**
 * What Drover can do, once: the supervisor implements it in process, the HTTP client implements it over the socket,
 * the CLI and `openDrover()` hand it out. Objects below are exactly what `-o json` prints (documented in docs/json.md).
 * Selectors are an id, a unique prefix of one, a name (newest job of it), or `last`.
 */
export interface Drover extends AsyncDisposable {
  submit(file: TaskFile, options?: SubmitOptions): Promise<readonly Job[]>
  plan(file: TaskFile, options?: ClientOptions): Promise<readonly PlanView[]>
  list(filter?: ListFilter): Promise<readonly Job[]>
  get(selector: string): Promise<Job>
  /** Resolves once the job is settled (end state or `lost`), or at the state asked for. */
  wait(selector: string, options?: { readonly until?: 'submitted' | 'started' | 'settled'; readonly signal?: AbortSignal }): Promise<Job>
  /** Events from `after` (default: only new ones), across all jobs or those named; ends when aborted, or when all named jobs are settled. */
  events(query?: { readonly jobs?: readonly string[]; readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<JobEvent>
  /**
   * Elements of an array, each once, when it has ended for good: a failure that would be retried is told with the job's end, as is
   * one that is lost. Ends when all have been told, or when aborted. `invalid_argument` for a job that is no array.
   */
  elements(selector: string, query?: { readonly signal?: AbortSignal }): AsyncIterable<JobElement>
  logs(selector: string, query?: LogQuery): AsyncIterable<LogChunk>
  cancel(selector: string, options?: { readonly elements?: readonly number[]; readonly by?: string }): Promise<Job>
  /** A new attempt under the same id; `secrets` where the task has some and the old values are gone. */
  retry(
    selector: string,
    options?: { readonly elements?: readonly number[] | 'failed'; readonly secrets?: Readonly<Record<string, string>> },
  ): Promise<Job>
  settle(selector: string, options: { readonly as: 'succeeded' | 'failed' | 'cancelled'; readonly reason: string }): Promise<Job>
  /** Removes ended jobs, their directories too. `force` cancels first. Warnings name what could not be removed and where. */
  remove(
    selectors: readonly string[],
    options?: { readonly force?: boolean },
  ): Promise<{ readonly removed: readonly string[]; readonly warnings: readonly string[] }>
  fetch(
    selector: string,
    options?: { readonly globs?: readonly string[]; readonly to?: string },
  ): Promise<{ readonly directory: string; readonly files: readonly string[] }>
  explain(selector: string): Promise<Explanation>
  /** Where a rank (default 0) of a started job runs, or ran, and how to get there. */
  locate(selector: string, options?: { readonly rank?: number }): Promise<JobLocation>
  prune(
    options: PruneOptions,
  ): Promise<{ readonly removed: readonly string[]; readonly bytes: number; readonly warnings: readonly string[] }>
  targets(options?: ClientOptions): Promise<readonly TargetView[]>
  /** Clusters that were brought up and not forgotten, by name; what holds their nodes is a job like any other. */
  clusters(): Promise<readonly ClusterView[]>
  checkTarget(name: string, options?: ClientOptions): Promise<readonly CheckLine[]>
  status(): Promise<SupervisorStatus>
  close(): Promise<void>
}

export interface ClientOptions {
  /** Directory of the client, absolute: its project's `drover.yaml` counts. Default: no project file does. */
  readonly clientDirectory?: string
}

export interface SubmitOptions extends ClientOptions {
  /** The same key never makes a second job: what a client sends again after a lost answer. */
  readonly key?: string
  /** Also where collected files go. */
  readonly clientDirectory?: string
}

/** One job. Times are ISO 8601 in UTC; absent knowledge is null. */
export interface Job {
  readonly id: string
  readonly name: string
  readonly target: string
  readonly kind: string
  readonly group: string | null
  readonly state: State
  readonly cause: Cause | null
  readonly exit_code: number | null
  readonly native_id: string | null
  readonly native_word: string | null
  /** Why it waits. */
  readonly reason: string | null
  readonly attempt: number
  /** All attempts; empty in `list`. */
  readonly attempts: readonly JobAttempt[]
  readonly elements: JobElements | null
  /** Ranks of the current attempt; empty in `list`. */
  readonly ranks: readonly JobRank[]
  readonly after: readonly { readonly job: string; readonly condition: 'ok' | 'any' | 'failed' }[]
  readonly created_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
  /** When the target last answered about it. */
  readonly checked_at: string | null
  readonly usage: { readonly wall_ms: number | null; readonly cpu_ms: number | null; readonly peak_memory_bytes: number | null }
  /** Local directory of collected files. */
  readonly collected: string | null
  /** Attempt directory on the target. */
  readonly directory: string | null
}

export interface JobAttempt {
  readonly number: number
  readonly state: State
  readonly cause: Cause | null
  readonly exit_code: number | null
  readonly native_id: string | null
  readonly directory: string | null
  readonly created_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
}

export interface JobElements {
  readonly total: number
  readonly queued: number
  readonly running: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly lost: number
  /** First failed positions, at most 20; empty in `list`. */
  readonly first_failed: readonly { readonly position: number; readonly exit_code: number | null; readonly cause: string | null }[]
}

/** How one element of an array ended. */
export interface JobElement {
  readonly position: number
  /** An end state, or `lost`. */
  readonly state: State
  readonly attempt: number
  readonly exit_code: number | null
  readonly signal: number | null
  /** A failure kind, `cancelled` or `unknown`; null beside `succeeded`. */
  readonly cause: string | null
}

export interface JobRank {
  readonly rank: number
  readonly node: string
  readonly pid: number | null
  readonly state: State
  readonly exit_code: number | null
  readonly signal: number | null
  readonly killed_by_peer: boolean
}

export interface JobEvent {
  readonly seq: number
  readonly job: string
  readonly attempt: number
  readonly at: string
  readonly type: string
  /** For `state` events: `from`, `to`, and the proof. */
  readonly data: Readonly<Record<string, unknown>>
}

export interface LogQuery {
  /** Default: all. */
  readonly ranks?: readonly number[]
  readonly elements?: readonly number[]
  /** Default both. `setup` and `driver` only when named. */
  readonly streams?: readonly ('stdout' | 'stderr' | 'setup' | 'driver')[]
  /** Default: the current attempt; `follow` goes on across attempts. */
  readonly attempt?: number
  readonly follow?: boolean
  /** Last lines per file; default all. */
  readonly tail?: number
  /** Byte cursors to go on from, `<attempt>/<file>` → offset, as chunks carried them. */
  readonly cursors?: Readonly<Record<string, number>>
  readonly signal?: AbortSignal
}

/** Bytes of one file of one attempt, in order. `offset + bytes.length` is the cursor to go on from. */
export interface LogChunk {
  readonly attempt: number
  /** Undefined for the driver's log. */
  readonly rank?: number
  readonly element?: number
  readonly stream: 'stdout' | 'stderr' | 'setup' | 'driver'
  /** `<attempt>/<file>`. */
  readonly file: string
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface ListFilter {
  readonly states?: readonly State[]
  readonly name?: string
  readonly target?: string
  readonly group?: string
  /** Created within the last so many ms. */
  readonly maxAgeMs?: number
  /** Default 50. */
  readonly limit?: number
}

/** What is put on one node, and started there. */
export interface PlacePlanView {
  /** '' on a target of one machine. */
  readonly node: string
  readonly attempt_dir: string
  readonly ranks: readonly number[]
  readonly command: readonly string[]
  readonly files: readonly { readonly path: string; readonly mode: string; readonly content: string }[]
  readonly env: Readonly<Record<string, string>>
}

export interface PlanView {
  readonly name: string
  readonly target: string
  readonly kind: string
  readonly keys: readonly KeyOutcome[]
  readonly warnings: readonly string[]
  /** One per directory with a driver of its own; the first holds rank 0. */
  readonly places: readonly PlacePlanView[]
  readonly secret_names: readonly string[]
  /** Shell text of the target that runs before setup and run. */
  readonly prologue: string | null
  readonly demand: { readonly cpus: number; readonly memory_bytes: number; readonly gpus: number }
  readonly after: readonly { readonly task: string; readonly condition: string }[]
  readonly native: unknown
}

export interface Explanation {
  readonly job: Job
  /** One or two plain sentences: why it waits, or how it ended. */
  readonly summary: string
  readonly chain: readonly { readonly at: string; readonly text: string }[]
  readonly log_tail: { readonly file: string; readonly lines: readonly string[] } | null
  /** Why its log could not be read now; null: it could. */
  readonly log_error: string | null
  readonly next_step: string
}

/** The place of one rank of a job. */
export interface JobLocation {
  readonly job: string
  /** The newest attempt that was put anywhere. */
  readonly attempt: number
  readonly rank: number
  readonly state: State
  readonly node: string
  readonly kind: string
  /** Absolute, on the node, as the other paths. */
  readonly attempt_dir: string
  readonly work_dir: string
  /** The job's variables, secrets among them; gone once the attempt has ended. */
  readonly env_file: string
  readonly ended: boolean
  /** The command runs in a container; the place is the node around it. */
  readonly container: boolean
  /** POSIX sh text that makes the rank's environment in the shell that reads it and goes to its work directory; holds no secret. */
  readonly enter: string
  /** Arguments of ssh up to the host; null: this machine. */
  readonly address: readonly string[] | null
}

export interface PruneOptions {
  /** Ended longer ago than this. */
  readonly olderThanMs?: number
  /** Remove oldest ended jobs until all job directories together take at most this. */
  readonly maxBytes?: number
  readonly dryRun?: boolean
}

export interface TargetView {
  readonly name: string
  readonly kind: string
  readonly capabilities: Capabilities
  readonly site: SiteFacts | null
  readonly site_age_ms: number | null
  readonly options: Readonly<Record<string, unknown>>
  /** As configured; `site.root` is what it is there. */
  readonly root: string
  readonly prologue: string | null
  /** What the configuration allows at most: `cpus`, `memory` (bytes), `gpus`, `queries_per_minute`, `query_burst`. */
  readonly limits: Limits
  /** Configuration files that were read: site, user, project. */
  readonly files: readonly string[]
  /** What those files say and does not hold. */
  readonly warnings: readonly string[]
}

/** A held cluster. Absent knowledge is null. */
export interface ClusterView {
  readonly name: string
  /** The target that its nodes are from. */
  readonly target: string
  /** The job that holds the nodes. */
  readonly job: string
  readonly native_id: string | null
  /** Of that job: `running` is up; an end state: it is gone. */
  readonly state: State
  readonly reason: string | null
  readonly num_nodes: number
  /** Empty until it is up. */
  readonly nodes: readonly {
    readonly node: string
    readonly address: string
    readonly cpus: number
    readonly memory_bytes: number
    readonly gpus: number
    readonly free: { readonly cpus: number; readonly memory_bytes: number; readonly gpus: number }
  }[]
  readonly jobs: { readonly running: number; readonly waiting: number }
  /** Since when no job of it has run or waited; null while one does. */
  readonly idle_ms: number | null
  /** After which it ends by itself; null: never. */
  readonly idle_limit_ms: number | null
  /** When the scheduler ends it; null: not known, or never. */
  readonly ends_at: string | null
  readonly created_at: string
}

export type { CheckLine }

export interface SupervisorStatus {
  readonly pid: number
  readonly version: string
  readonly home: string
  readonly socket: string
  readonly host: string
  readonly started_at: string
  readonly jobs: Readonly<Partial<Record<State, number>>>
  readonly memory_bytes: number
  /** ms without work after which it exits; null: never. */
  readonly idle_exit_ms: number | null
}
