import type { DriverAllocation } from '../../driver/driver-options.ts'
import type { CheckLine } from '../../targets/check-line.ts'
import type { OptionRefusal } from '../../targets/parse-config.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import type { State } from '../../task/states.ts'
import type { Capabilities } from '../capabilities.ts'
import type { KeyOutcome, QueueNotes, ResolvedTask, SiteFacts } from '../executor.ts'
import type { ForeignOutput } from '../foreign-output.ts'
import type { HeldNodes } from './held-nodes.ts'

/**
 * What one batch system is to Drover: how its commands are written and what they answer. Everything here is pure: texts of
 * POSIX sh go out, texts of commands come back. `createBatchExecutor` makes an executor of it.
 */
export interface Scheduler<Options = unknown> {
  /** Kind of target: `slurm`. */
  readonly kind: string
  /** For people: `Slurm`. */
  readonly title: string
  /** One line for the table of executors. */
  readonly summary: string
  readonly capabilities: Capabilities
  /** Names of its options in a configuration file and, with their values, in a task (`options:`), beside those of the connection. */
  readonly optionNames: readonly string[]
  /** What an option takes, when this value is none; undefined for a value that may be used. */
  refuseOption(name: string, value: unknown): string | OptionRefusal | undefined
  /** Reads options that were not refused: those of the target with those of the task over them. */
  parseOptions(options: Readonly<Record<string, unknown>>): Options

  /** Reads what the scheduler tells of itself; in the same round trip as the facts of the login node. */
  readonly facts: { readonly script: string; parse(outcome: CommandOutcome): SchedulerFacts }
  /** Further lines of `target check`, by the facts and by what the commands of `checkScript` print. */
  readonly check?: { readonly script: string; lines(outcome: CommandOutcome, facts: SchedulerFacts): readonly CheckLine[] }

  /** The head of the script and how it runs inside. Throws InputError `unsupported` naming key and reason. */
  compile(request: BatchRequest<Options>): BatchHead
  /**
   * Submits the file `job.sh` (of part n of a split array: `job-<n>.sh`) of the current directory; its output is for `parseSubmit`.
   * `foreign`: a script that is not ours, with its arguments.
   */
  submitCommand(script: SubmitScript): string
  /** Runs once before several of those; they must do without, too. Default nothing. */
  readonly beforeSubmits?: string
  parseSubmit(outcome: CommandOutcome): SubmitAnswer

  /** All jobs that the queue knows of this user, or those named. */
  readonly queue: NativeQuery
  /** What is remembered of jobs that the queue may not know any more; used where `facts.accounting` says so. */
  readonly history: NativeQuery

  /** Where a script that is not ours writes, while the scheduler knows it; absent: it does not tell. */
  readonly outputOf?: { command(id: string): string; parse(outcome: CommandOutcome): ForeignTold }

  /**
   * Ends jobs. `ask`: TERM to the driver alone where the scheduler can. `end`: the scheduler's own end. `names`: the native name
   * of each id; an id may have been given to another job since, which must not be ended.
   */
  cancelCommand(ids: readonly string[], how: 'ask' | 'end', names?: readonly string[]): string
  /** Ends tasks of a native array; undefined where the scheduler cannot. */
  cancelTasksCommand?(id: string, tasks: readonly number[], name?: string): string

  /** How nodes are held for jobs of ours (`drover cluster up`); absent: they cannot be. */
  readonly held?: HeldNodes

  /** Why a job waits: `command` asks for what the poll doesn't tell (expected start, those before it). */
  readonly explain: {
    command(id: string): string
    parse(outcome: CommandOutcome, job: NativeJob, now: number): QueueNotes
  }
}

/** One command's answer. */
export interface CommandOutcome {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** What the scheduler tells of a script that is not ours. */
export interface ForeignTold {
  readonly files: readonly ForeignOutput[]
  readonly exits: readonly ForeignExit[]
}

/** How a job, or a task of its array, has ended. */
export interface ForeignExit {
  /** Native index; absent: the job is no array. */
  readonly task?: number
  readonly code: number
  readonly signal: number
}

/** What is to be submitted. */
export type SubmitScript =
  | { readonly kind: 'ours'; readonly file: string; readonly nativeName: string }
  | {
      readonly kind: 'foreign'
      readonly path: string
      readonly args: readonly string[]
      readonly nativeName: string
      readonly options: readonly string[]
    }

/** What a submit command said. Only `refused` is an end. */
export type SubmitAnswer =
  | { readonly kind: 'accepted'; readonly id: string }
  /** The scheduler's own no: nothing was made. */
  | { readonly kind: 'refused'; readonly message: string; readonly hint?: string }
  /** It was not reached: certainly nothing was made. Tried again. */
  | { readonly kind: 'not_reached'; readonly message: string }
  /** Nobody can tell: it may have been made, now or later. */
  | { readonly kind: 'in_doubt'; readonly message: string }

/** A task on its way to the scheduler. */
export interface BatchRequest<Options> {
  /** `perNode`: what one task of the scheduler needs, that of all elements which run in it at one time. */
  readonly task: ResolvedTask
  /** What the scheduler's own limit has to allow, ms, for its limit is not to be the first; undefined: the task has no timeout. */
  readonly limitMs?: number
  readonly options: Options
  readonly site: SiteFacts
  readonly facts: SchedulerFacts
  readonly jobId: string
  readonly attempt: number
  /** At most 15 characters of letters, digits and `-`; a part of a split array has its letter behind it. */
  readonly nativeName: string
  /** Absolute. */
  readonly attemptDir: string
  readonly workDir: string
  /** A native array. `first`, `last`: native indices, both included; `atOnce`: undefined for no limit. */
  readonly array?: { readonly first: number; readonly last: number; readonly atOnce?: number }
  /** Native dependencies, all of which must hold. */
  readonly after: readonly { readonly id: string; readonly condition: 'ok' | 'any' | 'failed' }[]
}

/** How a task becomes a job of the scheduler. */
export interface BatchHead {
  /** Lines after `#!/bin/sh`, without newlines. */
  readonly directives: readonly string[]
  /** POSIX sh before the driver: variables that are known only in the allocation. Default none. */
  readonly before?: readonly string[]
  /** Options on the command line, for a script that is not ours: those of the directives that belong to it. */
  readonly foreignOptions: readonly string[]
  readonly allocation: DriverAllocation
  /** What keys of the task became, over the general words. */
  readonly keys: readonly KeyOutcome[]
  readonly warnings: readonly string[]
}

/** A question for jobs, answered as a whole or not at all. */
export interface NativeQuery {
  /** `ids`: native ids asked for; undefined: all of this user. `name`: those of that native name only. */
  command(of: { readonly ids?: readonly string[]; readonly name?: string; readonly user: string }): string
  parse(outcome: CommandOutcome, now: number): QueryAnswer
}

export type QueryAnswer =
  | { readonly kind: 'answered'; readonly jobs: readonly NativeJob[] }
  /** Nothing may be concluded of any job. */
  | { readonly kind: 'could_not_ask'; readonly reason: string }

/** What the scheduler says of one job, or of tasks of an array. */
export interface NativeJob {
  /** Without the part that names tasks of an array. */
  readonly id: string
  readonly name: string
  /** Native indices of the array tasks meant; undefined: a job that is none, or the array as a whole. */
  readonly tasks?: readonly number[]
  /** The scheduler's own word. */
  readonly word: string
  /** The nearest of Drover's. */
  readonly state: State
  /** Kind of failure, for an end word. */
  readonly cause?: string
  readonly exitCode?: number
  readonly reason?: string
  /** Epoch ms; times of the scheduler. */
  readonly submittedAt?: number
  readonly startedAt?: number
  readonly expectedStart?: number
  readonly nodes?: string
  /** How often it was started anew under the same id. */
  readonly restarts?: number
}
