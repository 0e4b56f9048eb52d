import type { Drover, Job } from '../jobs/drover.ts'
import type { CaseTask } from './task-values.ts'

/** How a fixture is to be opened. */
export interface FixtureOptions {
  /** Last part of the home's path, hostile characters included. Default: a plain name. */
  readonly homeName?: string
  /** Room for job directories in bytes; only honoured where `smallDisk` is offered. Default: the disk's own. */
  readonly diskBytes?: number
}

/**
 * What a case gets of an executor under test. The optional members are hooks: a case that needs one which is absent is
 * skipped, and says which. Every process and directory a fixture makes ends with `close`.
 */
export interface Fixture {
  /** A client of the supervisor; after `restart`, of the new one. */
  readonly drover: Drover
  /** The home (store, socket, and for `local` the job directories too); temporary. */
  readonly home: string
  /** A directory that both this process and the jobs see under the same path; temporary, empty. */
  readonly directory: string
  /** Another client of the same supervisor. */
  client?(): Promise<Drover>
  /** Kills the supervisor by signal 9 and resolves when it is gone. */
  supervisorKill9?(): Promise<void>
  /** Starts a supervisor on the same home; `drover` is its client from then on. */
  restart?(): Promise<void>
  /** Where this process reads the directory of an attempt (default: the current one). */
  attemptDir?(job: Job, attempt?: number): string
  /** Whether a process of a job lives. */
  alive?(pid: number): boolean
  /** Kills one process of a job by signal 9. */
  kill9?(pid: number): void
  /** Command lines of all processes of the machine the jobs run on. */
  commandLines?(): Promise<string>
  close(): Promise<void>
}

/** Names of the hooks a fixture may offer. */
export type FixtureHook = 'client' | 'supervisorKill9' | 'restart' | 'attemptDir' | 'alive' | 'kill9' | 'commandLines'

/** An executor as the case table sees it. */
export interface ExecutorUnderTest {
  /** For the title of the test suite. */
  readonly name: string
  /** Name of the target that the cases submit to. */
  readonly target: string
  open(options?: FixtureOptions): Promise<Fixture>
  /** Which cases are defined at all: a second way to a target whose whole table runs elsewhere. Default: all. */
  readonly only?: RegExp
  /** Cases this executor cannot run: name → reason, printed. */
  readonly skip?: Readonly<Record<string, string>>
  /** Factor on every deadline; schedulers that look around once a minute need more. Default 1. */
  readonly patience?: number
  /**
   * What a task of a thousand elements that take no time is given beside: where each would be a job of its own, several to one.
   * Default nothing.
   */
  readonly manyElements?: Pick<CaseTask, 'options'>
  /** A reason why `diskBytes` cannot be honoured; undefined: it can. */
  readonly smallDisk?: string
}

/** What a case is called with. Every hook is there: a case that lists it under `needs` may call it. */
export interface CaseContext extends Required<Fixture> {
  readonly target: string
  /** As the executor has it. */
  readonly manyElements: Pick<CaseTask, 'options'>
  /** Milliseconds a case waits for something before it fails. */
  readonly deadlineMs: number
}

/** One case of the table. It throws when the executor breaks its promise. */
export interface ExecutorCase {
  readonly name: string
  /** Hooks without which the case says nothing. */
  readonly needs?: readonly FixtureHook[]
  /** Opens a fixture of its own: the case kills, restarts or prunes. Default: one fixture shared by all. */
  readonly fresh?: FixtureOptions
  run(context: CaseContext): Promise<void>
}
