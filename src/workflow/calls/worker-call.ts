/** The contract between the controller and what runs worker tasks. Types only. */
import type { Value } from '../values/value.ts'

/**
 * What a worker is told of one call: the `definition` file. Seven keys, the same in Tierkreis 2.0.9 to 2.1.1; `call-args.ts`
 * reads all known dialects and writes this one. Paths are relative to the checkpoints directory (`TKR_DIR`), or absolute.
 */
export interface WorkerCallArgs {
  readonly function_name: string
  /** File of each input port. A file that is not there: the worker's default. */
  readonly inputs: Readonly<Record<string, string>>
  /** File of each output port that somebody reads; `*` for the elements of `unfold_values`. */
  readonly outputs: Readonly<Record<string, string>>
  readonly output_dir: string
  readonly done_path: string
  readonly error_path: string
  /** Null: nowhere. */
  readonly logs_path: string | null
  /** Some dialects name it beside `error_path`. */
  readonly errors_path?: string | null
  /** Keys of other dialects are kept. */
  readonly [key: string]: unknown
}

/** One call of a worker's task. */
export interface WorkerCall {
  /** The run's id: the name of its directory under `root`. */
  readonly runId: string
  /** Location of the node: `-.N3.M7.N2`. */
  readonly loc: string
  /** Of the node's name `my.worker.task` all before the last dot: `my.worker`. */
  readonly worker: string
  readonly task: string
  /** From 1; grows with each retry. */
  readonly attempt: number
  /** Absolute checkpoints directory (`TKR_DIR`) that the paths of `args` are relative to. */
  readonly root: string
  /** Absolute: `<root>/<runId>/<loc>`. It exists, with `definition` and `outputs/` in it, before an executor gets the call. */
  readonly directory: string
  /** Of the `definition`, relative to `root`. */
  readonly argsPath: string
  readonly args: WorkerCallArgs
  /** Ends the call as `timeout`; undefined: no limit. The controller keeps it where an executor can't. */
  readonly timeoutMs?: number
}

/** Why a call failed; part of a run's `failed` list and of retry rules. */
export const CALL_FAILURES = [
  /** Exit code other than 0. */
  'exit',
  'signal',
  'timeout',
  /** Ended well, but an output that somebody reads is not there. */
  'missing_output',
  /** The worker, or its executor, could not be started. */
  'start',
  /** Everything that could know was asked, and knows nothing. */
  'lost',
  /** Of a job: its own cause is in the message (`out_of_memory`, `preempted`, `node_failure`, …). */
  'job',
  /** The task reported it: a builtin's error, an exception of an in-memory task. */
  'task',
] as const
export type CallFailure = (typeof CALL_FAILURES)[number]

/** How a call ended, as its executor knows it. The controller then checks the outputs that are read, whatever this says. */
export type WorkerEnd =
  | { readonly outcome: 'succeeded' }
  | {
      readonly outcome: 'failed'
      readonly cause: CallFailure
      /** What the worker said, else what happened to it; one to a few lines for a person. */
      readonly message: string
      readonly exitCode?: number
      readonly signal?: number
      /** True where another try may end otherwise though nothing was changed (a preempted job). Default false. */
      readonly transient?: boolean
    }
  | { readonly outcome: 'cancelled' }

/** What an executor is given with each call. */
export interface CallIo {
  /** Aborted: the call is to be ended, processes and all; it then resolves to `cancelled`. */
  readonly signal: AbortSignal
}

/** Runs worker tasks somewhere, by files. It ends what it started, but for calls that `leave` lets go. */
export interface FileExecutor {
  /** `uv`, `shell`, `stdinout`, `job`, `custom`, …; also how messages name it. */
  readonly kind: string
  /** Most calls at one time. */
  readonly maxParallel: number
  /**
   * Asked before the run: why this worker (these of its tasks, with the ports of each node that are connected) can't be called
   * here, in a sentence that says what to do; undefined: it can.
   */
  check(worker: string, tasks: readonly CheckedTask[]): Promise<string | undefined>
  /** Starts the call and resolves at its end. Rejects only for defects of Drover itself. */
  run(call: WorkerCall, io: CallIo): Promise<WorkerEnd>
  /**
   * A call that an earlier controller, now dead, had started: waits for its end, or reads the end it left. Undefined: nothing of it
   * lives and it left no end; it is then run again.
   */
  attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined>
  /** What the worker is made of, as a hash: calls of another version are not taken from the cache. Undefined: not known. */
  fingerprint?(worker: string): Promise<string | undefined>
  /** Frees what the executor itself holds (hosts, shells, watchers). Calls still running are left running and can be attached to. */
  close(): Promise<void>
}

/** A task as a graph uses it. */
export interface CheckedTask {
  readonly task: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** What a task in memory gets and gives: values by port. A value that lies in a file is read when it is asked for. */
export interface ValueExecutor {
  readonly kind: string
  readonly maxParallel: number
  check(worker: string, tasks: readonly CheckedTask[]): Promise<string | undefined>
  /** Values of all outputs that it has. Throws what the task throws: its message is the node's error. */
  invoke(call: ValueCall, io: CallIo): Promise<ReadonlyMap<string, Value>>
  close(): Promise<void>
}

/** One call in memory. */
export interface ValueCall {
  readonly runId: string
  readonly loc: string
  readonly worker: string
  readonly task: string
  readonly attempt: number
  /** Raw contents of the input ports, as their files would have them; absent where nothing was given. */
  readonly inputs: ReadonlyMap<string, Uint8Array>
}

export type WorkerExecutor = FileExecutor | ValueExecutor

/** Whether the executor takes values instead of files. */
export function takesValues(executor: WorkerExecutor): executor is ValueExecutor {
  return 'invoke' in executor
}

/** Which executor runs which call; `multiple` is one. */
export interface ExecutorSet {
  /** All executors of the run, by name; names are for messages and for `maxParallel`. */
  readonly executors: ReadonlyMap<string, WorkerExecutor>
  /** Name of the executor of a call. Total: for every worker there is one. `loc` undefined: asked before the run. */
  assign(worker: string, task: string, loc?: string): string
}
