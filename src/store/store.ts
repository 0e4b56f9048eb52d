import type { Cause, State } from '../task/states.ts'

/**
 * What is kept. Every method is one transaction. An embedded SQLite store and a PostgreSQL store fill this interface;
 * both run the same migrations and cases. All times are epoch milliseconds; JSON columns hold what the caller gives.
 */
export interface Store {
  /** Inserts jobs in state `created` with attempt 1, their dependencies and a first event (`state`, `{to: 'created'}`). Rejects with `conflict` when an id is taken. A `submitKey` already present: nothing is inserted and the ids stored under it are returned. */
  createJobs(
    jobs: readonly NewJob[],
    submitKey: string | undefined,
  ): Promise<{ readonly created: boolean; readonly ids: readonly string[] }>
  /** Applies transitions, each only if the job is still in `from` and `attempt`; resolves to which were made. Patches without transition use `to: undefined`. */
  apply(changes: readonly JobChange[]): Promise<readonly boolean[]>
  job(id: string): Promise<JobRow | undefined>
  /** Ids that start with the prefix, then names that equal it (newest first); at most `limit`. */
  findJobs(prefixOrName: string, limit: number): Promise<readonly JobRow[]>
  jobs(filter: JobFilter): Promise<readonly JobRow[]>
  /** All jobs not in an end state, slim, oldest first; `lost` included. */
  openJobs(): Promise<readonly JobRow[]>
  attempts(jobId: string): Promise<readonly AttemptRow[]>
  ranks(jobId: string, attempt: number): Promise<readonly RankRow[]>
  /** Elements in one of the states (absent: all); ordered by position. */
  elements(jobId: string, states?: readonly State[]): Promise<readonly ElementRow[]>
  /** Recorded elements by state, at no cost that grows with their number; elements never recorded are in none. */
  elementCounts(jobIds: readonly string[]): Promise<ReadonlyMap<string, Readonly<Partial<Record<State, number>>>>>
  dependencies(jobId: string): Promise<readonly DependencyRow[]>
  dependents(jobId: string): Promise<readonly DependencyRow[]>
  /** Events with `seq` above `after`, oldest first; of one job, or of all. */
  events(query: { readonly jobId?: string; readonly after?: number; readonly limit: number }): Promise<readonly EventRow[]>
  /** Removes jobs with all that belongs to them. */
  removeJobs(ids: readonly string[]): Promise<void>
  /** `seq` of the newest event; 0 when there is none. */
  lastEventSeq(): Promise<number>
  counts(): Promise<Readonly<Partial<Record<State, number>>>>
  close(): Promise<void>
}

export interface NewJob {
  readonly id: string
  readonly name: string
  readonly target: string
  readonly kind: string
  readonly groupId?: string
  readonly priority: number
  readonly createdAt: number
  /** ResolvedTask as JSON, without secrets. */
  readonly task: string
  readonly elementCount?: number
  readonly after: readonly { readonly upstream: string; readonly condition: 'ok' | 'any' | 'failed' }[]
}

export interface JobRow {
  readonly id: string
  readonly name: string
  readonly target: string
  readonly kind: string
  readonly groupId?: string
  readonly priority: number
  readonly state: State
  readonly cause?: Cause
  /** Exit code the CLI returns for it. */
  readonly exitCode?: number
  /** Current attempt, from 1. */
  readonly attempt: number
  readonly nativeId?: string
  /** The target's own word for the state. */
  readonly nativeWord?: string
  /** Why it waits, in plain words. */
  readonly reason?: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly startedAt?: number
  readonly endedAt?: number
  /** When the target was last asked with success. */
  readonly checkedAt?: number
  /** Not before: backoff of a retry. */
  readonly notBefore?: number
  readonly cancelRequestedAt?: number
  readonly cancelBy?: string
  readonly elementCount?: number
  /** ResolvedTask as JSON; absent from `jobs` and `openJobs` (read it with `job`). */
  readonly task?: string
  readonly usage?: { readonly cpuMs?: number; readonly peakMemoryBytes?: number }
  readonly collected?: string
}

/** What can be patched on a job; undefined leaves it, null clears it. */
export type JobPatch = {
  readonly [K in
    | 'cause'
    | 'exitCode'
    | 'nativeId'
    | 'nativeWord'
    | 'reason'
    | 'startedAt'
    | 'endedAt'
    | 'checkedAt'
    | 'notBefore'
    | 'cancelRequestedAt'
    | 'cancelBy'
    | 'usage'
    | 'collected'
    | 'task']?: JobRow[K] | null
}

/**
 * One change of one job: made as a whole or, when its condition no longer holds (or the job is gone), not at all.
 * Conditions are checked in order, so of two equal transitions in one call the second is not made.
 */
export interface JobChange {
  readonly jobId: string
  readonly at: number
  /** Condition. Absent: unconditional patch; a change with `to` must name it (else DroverError `internal`). */
  readonly from?: State
  readonly attempt?: number
  readonly to?: State
  /** Makes the next attempt current, with a row in state `created` (the job's own state where it has a plan): `number` must be the old one plus 1 (a condition too). Clears nothing of the job; do that with `patch`. */
  readonly newAttempt?: NewAttempt
  readonly patch?: JobPatch
  /** Of the attempt that was current before the change. Its `state` follows `to` when not given, unless `newAttempt` is. */
  readonly attemptPatch?: AttemptPatch
  /** Of the attempt that was current before the change. Facts absent from a row keep what was recorded before. */
  readonly ranks?: readonly RankRow[]
  /** One row is kept per position. Absent facts keep what was recorded in the same attempt; rows of an older attempt than recorded are ignored. */
  readonly elements?: readonly ElementRow[]
  /** Recorded under the attempt that was current before the change. Transitions record none by themselves. */
  readonly events?: readonly NewEvent[]
}

/** The next attempt. Named with its plan and native id where it begins by itself: a scheduler has started its job anew. */
export interface NewAttempt {
  readonly number: number
  readonly nativeId?: string
  readonly directory?: string
  readonly plan?: string
}

export interface AttemptPatch {
  readonly state?: State
  readonly cause?: Cause
  readonly exitCode?: number
  readonly nativeId?: string
  readonly directory?: string
  readonly plan?: string
  readonly startedAt?: number
  readonly endedAt?: number
}

export interface AttemptRow extends AttemptPatch {
  readonly number: number
  readonly state: State
  readonly createdAt: number
}

export interface RankRow {
  readonly rank: number
  readonly node: string
  readonly pid?: number
  readonly state: State
  readonly exitCode?: number
  readonly signal?: number
  /** True when it was ended because of another rank. */
  readonly killedByPeer?: boolean
  readonly startedAt?: number
  readonly endedAt?: number
}

export interface ElementRow {
  readonly position: number
  readonly attempt: number
  readonly state: State
  readonly exitCode?: number
  readonly signal?: number
  readonly causeKind?: Cause['kind']
  readonly startedAt?: number
  readonly endedAt?: number
}

export interface DependencyRow {
  readonly jobId: string
  readonly upstream: string
  readonly condition: 'ok' | 'any' | 'failed'
}

export interface NewEvent {
  /** `state`, `submitted`, `observed`, `warning`, `retry`, `cancel_requested`, `settled`, `collected`, … */
  readonly type: string
  /** JSON-able facts; the proof of an end state stands here. */
  readonly data: Readonly<Record<string, unknown>>
}

export interface EventRow extends NewEvent {
  readonly seq: number
  readonly jobId: string
  readonly attempt: number
  readonly at: number
}

export interface JobFilter {
  readonly states?: readonly State[]
  readonly name?: string
  readonly target?: string
  readonly groupId?: string
  /** Created at or after. */
  readonly since?: number
  /** Created before. */
  readonly until?: number
  /** Newest first; default 50. */
  readonly limit?: number
}
