import { InputError } from '../errors.ts'
import type { RunSpec } from '../task/task-spec.ts'
import type { ElementSource } from './array-elements.ts'
import { quoteArgv, quoteShell, validateVariableName } from './quote.ts'

/** One rank of a job: its node and where the user's script runs there. */
export interface DriverRank {
  readonly rank: number
  readonly node: string
  readonly ip: string
  /** Absolute; entered before setup and run. */
  readonly workDir: string
  /** Its own variables in setup and run, over those of the job. Default none. */
  readonly env?: Readonly<Record<string, string>>
}

/** What a job takes of its machine while it runs, and how much may be taken by all together. */
export interface DriverLease {
  /** Absolute, on the target: the same for all clients. */
  readonly directory: string
  readonly cpus: number
  readonly memoryBytes: number
  /** Device indices. */
  readonly gpus: readonly number[]
  readonly limits: { readonly cpus: number; readonly memoryBytes: number }
}

/** The attempt runs inside a scheduler's allocation; which nodes it has is known only there. */
export interface DriverAllocation {
  /** Ranks are 0 to nodes - 1. */
  readonly nodes: number
  /** Absolute; entered before setup and run, the same path on every node. */
  readonly workDir: string
  /** POSIX sh, run once when the driver begins: prints a line `<name> <address>` per node in order of rank. */
  readonly nodeList: string
  /** Words before a command that start it once on every node: `srun --nodes=4 …`. Used for several nodes, and for one with `always`. */
  readonly launch: readonly string[]
  readonly always?: boolean
  /** Variable in which a launched process finds its index: `SLURM_PROCID`. */
  readonly rankVariable: string
  /** Variable with the scheduler's restart count, which names the claim. Absent: 0. */
  readonly restartVariable?: string
  /** Signal by which the scheduler announces its time limit to the driver: the job is ended as timed out. Default none. */
  readonly limitSignal?: 'USR1' | 'USR2'
  /** Signal that the user's script wants before the limit; passed on to the scripts of all ranks, which go on. */
  readonly warning?: { readonly received: 'USR1' | 'USR2'; readonly sent: string }
  /** A native array: this instance is task t, the value of `variable` minus `offset`; it runs `chunk` elements from t * chunk on. */
  readonly task?: { readonly variable: string; readonly offset: number; readonly count: number; readonly chunk: number }
  /**
   * The scheduler may start the attempt again: restart n runs in `<attemptDir>r<n>`, with copies of the generated files, and
   * `env` stays until an end that is the script's own. Default false: a restarted instance runs only what the first has not
   * begun, else nothing: `REQUEUED_EXIT_CODE`.
   */
  readonly requeue?: boolean
}

/** All that driver and node runner are made of. Plain data. */
export interface DriverOptions {
  /** Letters, digits, `.`, `_`, `-`. */
  readonly jobId: string
  /** 1-based. */
  readonly attempt: number
  /** Absolute, on the target. */
  readonly attemptDir: string
  /** Absolute, on the target: the doorbell. */
  readonly bellPath: string
  /** Those that this driver starts, rising: all, or those of one node. Not looked at with `allocation`. */
  readonly ranks: readonly DriverRank[]
  readonly hasSetup: boolean
  /** What run.sh was compiled from: decides how it is started. */
  readonly run: RunSpec
  /** Shell of a script without a `#!` line, and of setup: `bash` where the target has one (SkyPilot's scripts expect it), else `sh`. */
  readonly shell: string
  /** Setup and run together; per element of an array, and for its setup alone. Undefined: no limit. */
  readonly timeoutSeconds?: number
  /** TERM to KILL. */
  readonly graceSeconds: number
  /** How process groups are made on the target, as its probe found. `none`: only the script itself is signalled. */
  readonly processGroups: 'setsid' | 'perl' | 'bash' | 'none'
  /** GPUs per node, for the phase's variables. Default 0. */
  readonly gpusPerNode?: number
  /** The supervisor opens the gate before run, after setup where there is one, by the file `gate`. Default false: the driver sees all ranks. */
  readonly gate?: boolean
  /** What the job takes of a machine that it shares with other clients, see `compileLease`. Default: nothing is noted. */
  readonly lease?: DriverLease
  /** Inside a scheduler's allocation. Default: this machine starts the ranks. */
  readonly allocation?: DriverAllocation
  /** Runs node.sh. Default `['sh']`. */
  readonly interpreter?: readonly string[]
  /**
   * An array: `width` elements at one time. `size`: of the whole array, default the count of `elements`. `env`: variables of
   * the elements of slot k, over those of job and rank; default none.
   */
  readonly slots?: {
    readonly width: number
    readonly elements: ElementSource
    readonly size?: number
    readonly env?: readonly Readonly<Record<string, string>>[]
  }
}

/** Throws InputError `invalid_argument` on what the line formats of the protocol cannot carry. */
export function validateDriverOptions(options: DriverOptions): void {
  const refuse = (what: string): never => {
    throw new InputError('invalid_argument', `cannot compile the driver of job ${JSON.stringify(options.jobId)}: ${what}`)
  }
  if (!/^[A-Za-z0-9._-]+$/.test(options.jobId)) refuse('the job id holds a character other than letters, digits, ".", "_", "-"')
  if (!Number.isInteger(options.attempt) || options.attempt < 0) refuse(`attempt ${options.attempt} is no count`)
  if (options.ranks.length === 0 && !options.allocation) refuse('it has no rank')
  if (options.ranks.some(({ rank }, index) => !Number.isInteger(rank) || rank <= (options.ranks[index - 1]?.rank ?? -1))) {
    refuse('its ranks are not rising numbers')
  }
  for (const path of [
    options.attemptDir,
    options.bellPath,
    ...(options.lease ? [options.lease.directory] : []),
    ...options.ranks.map(({ workDir }) => workDir),
  ]) {
    if (!path.startsWith('/')) refuse(`the path ${JSON.stringify(path)} is not absolute`)
  }
  if (!(options.graceSeconds >= 0 && Number.isFinite(options.graceSeconds))) refuse(`the grace time ${options.graceSeconds} s is none`)
  if (options.timeoutSeconds !== undefined && !(options.timeoutSeconds > 0 && Number.isFinite(options.timeoutSeconds))) {
    refuse(`the time limit ${options.timeoutSeconds} s is none`)
  }
  if (options.slots && !(Number.isInteger(options.slots.width) && options.slots.width > 0)) refuse(`${options.slots.width} slots are none`)
  for (const path of options.lease ? [options.lease.directory, options.attemptDir] : []) {
    if (path.includes('\n')) refuse(`the path ${JSON.stringify(path)} holds a line break`)
  }
  if (options.slots && !options.allocation && options.ranks.length > 1) refuse('an array runs on one node per driver')
  if (options.allocation) validateAllocation(options, options.allocation, refuse)
}

function validateAllocation(options: DriverOptions, allocation: DriverAllocation, refuse: (what: string) => never): void {
  const { nodes, launch, task, warning, limitSignal } = allocation
  const isCount = (count: number, least: number): boolean => Number.isSafeInteger(count) && count >= least
  if (!isCount(nodes, 1)) refuse(`${nodes} nodes are none`)
  if (!allocation.workDir.startsWith('/')) refuse(`the path ${JSON.stringify(allocation.workDir)} is not absolute`)
  if (nodes > 1 && launch.length === 0) refuse('nothing starts it on several nodes')
  if (allocation.always && launch.length === 0) refuse('nothing launches it')
  if (options.slots && (nodes > 1 || allocation.always)) refuse('an array runs on one node per driver, started by the driver itself')
  if (task && !options.slots) refuse('tasks of a native array run elements, and it has none')
  if (task && !(isCount(task.count, 1) && isCount(task.chunk, 1) && isCount(task.offset, 0)))
    refuse('the tasks of its native array are none')
  if (task && options.slots && task.count * task.chunk < options.slots.elements.count) refuse('its tasks are too few for its elements')
  if (options.gate) refuse('inside an allocation the driver itself opens the gate')
  if (options.lease) refuse('inside an allocation nothing is leased')
  if (warning && warning.received === limitSignal) refuse(`${limitSignal} is to announce two things`)
  if (warning && !/^[A-Z]+[0-9]*$/.test(warning.sent)) refuse(`${JSON.stringify(warning.sent)} is no signal`)
  for (const name of [allocation.rankVariable, allocation.restartVariable, task?.variable]) {
    if (name !== undefined) validateVariableName(name)
  }
  quoteShell(allocation.nodeList)
  quoteArgv(launch)
}
