import type { Fixture } from '../executor-fixture.ts'
import type { CaseTask } from '../task-values.ts'

/** Ways in which every scheduler breaks: its controller is gone, or takes requests and does not answer; its history is gone. */
export type SchedulerOutage = 'down' | 'hung' | 'history_down'

/** Whose commands are meant, whatever they are called. */
export type SchedulerQuestion = 'queue' | 'history'

/**
 * What a case does to a scheduler. `id` is the native id. An optional member is a thing that not every scheduler has; a case
 * that needs one which is absent is skipped, and says which.
 */
export interface SchedulerControls {
  /** Lets the scheduler's time pass at once. */
  advance(ms: number): void
  /** Breaks the scheduler until `recover`. */
  outage(kind: SchedulerOutage): void
  /** Mends everything. `lost`: what a hung controller had taken is not carried out. */
  recover(options?: { readonly lost?: boolean }): void
  /** True while the queue lists a job as waiting or at work. */
  lives(id: string): boolean
  /** How often something was asked or told. */
  calls(what: SchedulerQuestion | 'submit' | 'cancel'): number
  /** A job of the same user that another Drover (`d-otherdrove-1`) submitted; resolves to its id. */
  submitForeign(): Promise<string>
  /** Submits what lies in an attempt's directory: a request that was delayed on its way. */
  submitLate(attemptDir: string): Promise<string>
  /** The next answer to such a question is cut off after so many bytes, or is this text. */
  truncateNext(what: SchedulerQuestion, bytes: number): void
  garbleNext(what: SchedulerQuestion, text: string): void
  /** The next submit makes its job and its answer is lost; or it is lost before one is made. */
  submitThenHang(): void
  submitHangsUnmade(): void

  /** The job's machine dies, and its processes with it. */
  nodeFail?(id: string): void
  oom?(id: string): void
  timeout?(id: string): void
  /** Somebody else's end of the job. */
  foreignCancel?(id: string): Promise<unknown>
  hold?(id: string): void
  release?(id: string): void
  suspend?(id: string): void
  resume?(id: string): void
  requeue?(id: string): void
  preempt?(id: string): void
  /** A word that nobody knows stands for the job in every answer of the queue, until `undefined`. */
  showWord?(word: string | undefined): void
  /** The queue forgets an ended job, or one whose processes are gone. */
  forget?(id: string): void
  /** Queue and history lose a job whose processes go on. */
  vanish?(id: string): void
  /** Lines that come before every answer, until `undefined`. */
  banner?(text: string | undefined): void
  /** The history forgets all that has ended. */
  purgeHistory?(): void
  /** The scheduler forgets all jobs from this id on, ends their processes and gives the ids out again. */
  reuseIds?(id: string): void
  /** What ends reaches the history so much later, by the scheduler's clock. */
  historyLag?(ms: number): void
  /** The waiting tasks of an array, as one who may cancels them one by one. */
  foreignCancelTask?(id: string, task: number): Promise<unknown>
}

/** How a home's scheduler is set up, beyond its defaults. */
export interface SchedulerSite {
  /** Default true. */
  readonly history?: boolean
  /** Longest native array. */
  readonly maxArraySize?: number
  /** Budget of queries as users have it. Default: hundred and twenty a minute, so that cases are short. */
  readonly realBudget?: boolean
  /** Partitions, accounts and limits are enforced at the submit. */
  readonly strict?: boolean
}

/** A home whose target is the scheduler under test, with what the cases need of it. */
export interface SchedulerFixture extends Fixture {
  readonly controls: SchedulerControls
  /** Its directory is where this process reads an attempt. */
  attemptDir: NonNullable<Fixture['attemptDir']>
  supervisorKill9: NonNullable<Fixture['supervisorKill9']>
  restart: NonNullable<Fixture['restart']>
  client: NonNullable<Fixture['client']>
  readonly supervisorPid: number
  /** Its `DROVER_PROOF_GRACE`, ms. */
  readonly graceMs: number
  /** Starts another supervisor on the same home beside the one that lives or starts; resolves to its exit code. */
  secondSupervisor(): Promise<number | null>
}

/** A site mistake: the task that makes it, and what a person then reads. */
export interface RefusalRow {
  readonly name: string
  readonly task: Partial<CaseTask>
  /** The scheduler's own words and the likely fix, in the cause. */
  readonly message: RegExp
  readonly fix: RegExp
}

/** A scheduler as the table sees it. */
export interface SchedulerUnderTest {
  /** For the title of the suite. */
  readonly name: string
  /** Name of the target that cases submit to. */
  readonly target: string
  open(site: SchedulerSite): Promise<SchedulerFixture>
  /** Its words, for what a job shows. */
  readonly words: Readonly<Partial<Record<CaseWord, RegExp>>>
  readonly refusals: readonly RefusalRow[]
  /** Tasks of kinds that are written otherwise for every scheduler. */
  readonly tasks: {
    /** Held from the start. */
    readonly held?: Partial<CaseTask>
    /** May be started again by the scheduler itself. */
    readonly requeued?: Partial<CaseTask>
    /** In a place where others take its nodes away: it is ended, or waits again. */
    readonly preemptedForGood?: Partial<CaseTask>
    readonly preemptedAndRequeued?: Partial<CaseTask>
    /** May run for hours. */
    readonly long?: Partial<CaseTask>
    /** Waits for a job of the scheduler, of this id, to succeed. */
    afterSuccess?(id: string): Partial<CaseTask>
  }
  /** A queue answer of so many jobs, all but one of them others', as the scheduler prints them; `id` and `name` are the one's. */
  manyJobs?(count: number, id: string, name: string): string
  /** Cases this scheduler cannot run: name → reason, printed. */
  readonly skip?: Readonly<Record<string, string>>
  /** Factor on every deadline. Default 1. */
  readonly patience?: number
}

/** What a scheduler has a word for. */
export type CaseWord = 'waiting' | 'suspended' | 'node_failure' | 'out_of_memory' | 'timeout' | 'cancelled' | 'preempted'
