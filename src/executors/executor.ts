import type { PreparedRun } from '../driver/run-script.ts'
import type { GpuWish } from '../targets/gpu-match.ts'
import type { SiteFacts } from '../targets/site-facts.ts'
import type { Target } from '../targets/target.ts'
import type { State } from '../task/states.ts'
import type { ArraySpec, NotifySpec, RetriesSpec, TaskSpec } from '../task/task-spec.ts'
import type { Transport } from '../transports/transport.ts'
import type { AttemptFiles } from './attempt-files.ts'
import type { Capabilities } from './capabilities.ts'

/** A task with every default applied for one target; what compilers read. Holds names of secrets, never their values. */
export interface ResolvedTask {
  readonly name: string
  readonly target: string
  /** The target as it was configured at submission: where the job is, whatever the files say since. Absent in older stores. */
  readonly definition?: Target
  readonly numNodes: number
  /** Per node. `gpus` are whole devices (a fraction is rounded up). */
  readonly perNode: { readonly cpus: number; readonly memoryBytes?: number; readonly gpus: number } & GpuWish
  readonly priority: number
  readonly envs: Readonly<Record<string, string>>
  readonly secretNames: readonly string[]
  /** With the target's prologue before it. */
  readonly setup?: string
  readonly run: PreparedRun
  /** Undefined: an empty directory of the job's own. */
  readonly code?: { readonly kind: 'link'; readonly path: string } | { readonly kind: 'bundle'; readonly hash: string }
  /** On a target of other machines: the root here whose bundles are shipped there; sources of `mounts` lie in it. */
  readonly bundlesFrom?: string
  /** Local files placed before setup: absolute or `~/` destination → bundle path or absolute source. */
  readonly mounts: readonly { readonly destination: string; readonly source: string }[]
  /** `positions`: 0-based elements this attempt runs; absent: all. */
  readonly array?: ArraySpec & { readonly positions?: readonly number[]; readonly width: number }
  readonly timeoutMs?: number
  readonly graceMs: number
  readonly processesPerNode: number
  readonly cpusPerProcess?: number
  readonly retries: RetriesSpec
  readonly collect: readonly string[]
  readonly notify: NotifySpec
  /** Upstream task name → directory of its work files on the same target; becomes `DROVER_UPSTREAM_<NAME>`. */
  readonly upstreams: Readonly<Record<string, string>>
  /** Directory of the client that submitted, absolute; collected files go below it. */
  readonly clientDirectory?: string
  /** `autostop`: how long a supervisor without work stays after this job, ms. */
  readonly idleStopMs?: number
  /** Of a parallel group: cancelled `delayMs` after all of these jobs (ids of its primary tasks) have ended. */
  readonly companionOf?: { readonly jobs: readonly string[]; readonly delayMs: number }
  readonly spec: TaskSpec
}

export type { SiteFacts }

/** What one key of the task became, for `drover plan`. */
export interface KeyOutcome {
  readonly key: string
  readonly became: string
}

/** One generated file of an attempt. */
export interface PlannedFile {
  /** Relative to the attempt directory. */
  readonly path: string
  /** Octal permission bits, 0o600 or 0o700. */
  readonly mode: number
  readonly content: string
}

/** Where files of an attempt lie: a directory with a driver of its own, for the ranks that it starts. */
export interface AttemptPlace {
  /** Name of the node; '' on a target of one machine. */
  readonly node: string
  /** Absolute, on that node: `<root>/jobs/<job-id>/<attempt>`, with `-<first rank>` where there are several places. */
  readonly attemptDir: string
  readonly ranks: readonly number[]
  /** Slots of a packed array here, or of each task of a native one; 0 for a job that is no array. */
  readonly slots: number
  /** A native array: task t runs `chunk` elements, the last maybe fewer, and writes below `tasks/<t>/`. Absent: none. */
  readonly tasks?: { readonly count: number; readonly chunk: number }
}

/** One place of a plan, with all that is put there. */
export interface PlanPlace extends AttemptPlace {
  /** Work directories of the ranks here, absolute: `<root>/jobs/<job-id>/work/<rank>`, or the linked directory. */
  readonly workDirs: readonly string[]
  /** Relative to `attemptDir`, or absolute. */
  readonly directories: readonly string[]
  readonly files: readonly PlannedFile[]
  /** Non-secret variables, for the `env` file; secrets are added at staging, by the plan's names. */
  readonly env: Readonly<Record<string, string>>
  /** What is started, as argv. */
  readonly command: readonly string[]
}

/** The frozen, printable result of compiling a task. From here on what is executed is exactly what is printed. */
export interface Plan<Refs = unknown> {
  readonly version: 1
  readonly kind: string
  readonly target: string
  readonly jobId: string
  readonly attempt: number
  /** At least one; together they hold every rank. */
  readonly places: readonly PlanPlace[]
  readonly code?: ResolvedTask['code']
  readonly mounts: ResolvedTask['mounts']
  readonly bundlesFrom?: string
  readonly secretNames: readonly string[]
  readonly ranks: readonly { readonly rank: number; readonly node: string }[]
  /** 0-based positions this attempt runs; empty for a job that is no array. */
  readonly elements: readonly number[]
  /** Array elements at one time. */
  readonly width: number
  /** What the attempt takes of a target with slots. */
  readonly demand: { readonly cpus: number; readonly memoryBytes: number; readonly gpus: number }
  readonly graceMs: number
  readonly keys: readonly KeyOutcome[]
  readonly warnings: readonly string[]
  /** The executor's own part: native options and names. */
  readonly refs: Refs
}

/** A native job as Drover knows it: the id alone is no identity. */
export interface NativeRef {
  readonly nativeId: string
  readonly jobId: string
  readonly attempt: number
  /** The attempt under whose name the scheduler has it, where that is an earlier one: it was requeued. */
  readonly submittedAs?: number
  readonly places: readonly AttemptPlace[]
}

/** What the target said of one job. `word` is its own word; `state` the nearest in Drover's vocabulary. */
export type NativeObservation =
  | {
      readonly kind: 'state'
      readonly word: string
      readonly state: State
      readonly cause?: string
      readonly exitCode?: number
      /** Why it waits, or how it ended, in the target's words. */
      readonly reason?: string
      /** A native array: what was said of each of its tasks, by their 0-based number. */
      readonly tasks?: ReadonlyMap<number, TaskObservation>
    }
  /** All that exists was asked and answered, and does not know the job. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'could_not_ask'; readonly reason: string }

/** What the target said of one task of a native array; `could_not_ask` is said of the whole array only. */
export type TaskObservation = Exclude<NativeObservation, { kind: 'could_not_ask' }>

/** What the target said of a job's state. */
export type StateObservation = Extract<NativeObservation, { kind: 'state' }>

/** The key of an attempt in a `PollResult`: `jobId/attempt`. */
export function attemptKey({ jobId, attempt }: Pick<NativeRef, 'jobId' | 'attempt'>): string {
  return `${jobId}/${attempt}`
}

/** Keyed by `attemptKey`. */
export type PollResult = ReadonlyMap<string, NativeObservation>

export interface Logger {
  debug(message: string): void
  warn(message: string): void
}

/** What an executor may use of the world. */
export interface Io {
  readonly transport: Transport
  readonly signal: AbortSignal
  /** Epoch milliseconds. */
  now(): number
  readonly log: Logger
  /** Told of each question to a scheduler: they are counted. */
  readonly onQuery?: () => void
}

/** What a job was given on one node of a target of several. */
export interface NodeShare {
  readonly node: string
  /** Device indices. */
  readonly gpus: readonly number[]
  /** Elements of an array at one time; 1 for a job that is no array. */
  readonly width: number
}

/** Which attempt is planned, and what it was given. */
export interface PlanFor {
  readonly jobId: string
  readonly attempt: number
  /** Device indices, on a target of one machine. */
  readonly assignedGpus?: readonly number[]
  /** On a target of several machines, in order of rank; absent: an example, for `drover plan`. */
  readonly shares?: readonly NodeShare[]
  /** Jobs of the scheduler that it waits for natively. */
  readonly after?: readonly { readonly id: string; readonly condition: 'ok' | 'any' | 'failed' }[]
}

/** The contract of a back-end. One folder each; registered by one line in `registry.ts`. */
export interface Executor<Refs = unknown> {
  readonly kind: string
  readonly capabilities: Capabilities
  /** Pure. Throws InputError `unsupported` when the task cannot run there, naming key and reason. */
  plan(task: ResolvedTask, site: SiteFacts, as: PlanFor): Plan<Refs>
  /**
   * Idempotent: however often it is called for one attempt, one instance runs. Resolves to the native id. `secrets`: for
   * executors that stage with the submit (`staging`), values by name.
   */
  submit(plan: Plan<Refs>, io: Io, secrets: Readonly<Record<string, string>>): Promise<string>
  /** One round trip for all. */
  poll(jobs: readonly NativeRef[], io: Io): Promise<PollResult>
  /** What is mine there, for adoption after an unknown submit. */
  list(io: Io, root: string): Promise<readonly NativeRef[]>
  /**
   * Asks the attempt to end (TERM, grace, KILL by its runner). Idempotent; does not wait. `insist`: it was asked before, and
   * its grace is over.
   */
  cancel(jobs: readonly NativeRef[], io: Io, insist?: boolean): Promise<void>
  /**
   * What Drover does between the nodes of an attempt where nobody else can (`gate: 'supervisor'`): called after its files
   * were read. Idempotent.
   */
  coordinate?(job: NativeRef, files: AttemptFiles, io: Io): Promise<void>
  /** `tasks`: of a native array, those that run nothing but these elements. */
  cancelElements?(job: NativeRef, elements: readonly number[], io: Io, tasks: readonly number[]): Promise<void>
  /** Why a job waits, and when it may start, in the scheduler's own terms; asks the scheduler. */
  explain?(job: NativeRef, io: Io): Promise<QueueNotes | undefined>
}

/** What a scheduler tells of a waiting job. */
export interface QueueNotes {
  /** In plain words. */
  readonly reason: string
  readonly nativeReason: string
  /** What would help; absent: only waiting does. */
  readonly advice?: string
  /** Jobs before it in the queue, where that can be told. */
  readonly before?: number
  /** Epoch ms. */
  readonly expectedStart?: number
}
