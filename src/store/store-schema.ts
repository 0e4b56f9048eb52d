import type { Generated, Kysely } from 'kysely'

/**
 * Tables as the SQL builder sees them. Times are epoch milliseconds. `cause`, `usage`, `data` and `ids` hold JSON text.
 * The task text stands in a table of its own, so that listing jobs never reads it.
 */
export interface StoreSchema {
  readonly jobs: JobTable
  readonly job_tasks: { readonly job_id: string; readonly task: string }
  readonly attempts: AttemptTable
  readonly ranks: RankTable
  readonly elements: ElementTable
  /** Number of elements per state, kept in step with `elements` in the same transaction: counting costs nothing. */
  readonly element_counts: { readonly job_id: string; readonly state: string; readonly n: number }
  readonly dependencies: { readonly job_id: string; readonly upstream: string; readonly condition: string }
  readonly events: EventTable
  readonly submit_keys: { readonly submit_key: string; readonly ids: string; readonly created_at: number }
  readonly schema_version: { readonly version: number; readonly drover_version: string; readonly applied_at: number }
}

export interface JobTable {
  readonly id: string
  readonly name: string
  readonly target: string
  readonly kind: string
  readonly group_id: string | null
  readonly priority: number
  readonly state: string
  /** 1 while the state is no end state, else 0: the key of the index behind `openJobs`. */
  readonly is_open: number
  readonly cause: string | null
  readonly exit_code: number | null
  readonly attempt: number
  readonly native_id: string | null
  readonly native_word: string | null
  readonly reason: string | null
  readonly created_at: number
  readonly updated_at: number
  readonly started_at: number | null
  readonly ended_at: number | null
  readonly checked_at: number | null
  readonly not_before: number | null
  readonly cancel_requested_at: number | null
  readonly cancel_by: string | null
  readonly element_count: number | null
  readonly usage: string | null
  readonly collected: string | null
}

export interface AttemptTable {
  readonly job_id: string
  readonly number: number
  readonly state: string
  readonly cause: string | null
  readonly exit_code: number | null
  readonly native_id: string | null
  readonly directory: string | null
  readonly plan: string | null
  readonly created_at: number
  readonly started_at: number | null
  readonly ended_at: number | null
}

export interface RankTable {
  readonly job_id: string
  readonly attempt: number
  readonly rank: number
  readonly node: string
  readonly pid: number | null
  readonly state: string
  readonly exit_code: number | null
  readonly signal: number | null
  readonly killed_by_peer: number | null
  readonly started_at: number | null
  readonly ended_at: number | null
}

export interface ElementTable {
  readonly job_id: string
  readonly position: number
  readonly attempt: number
  readonly state: string
  readonly exit_code: number | null
  readonly signal: number | null
  readonly cause_kind: string | null
  readonly started_at: number | null
  readonly ended_at: number | null
}

export interface EventTable {
  readonly seq: Generated<number>
  readonly job_id: string
  readonly attempt: number
  readonly at: number
  readonly type: string
  readonly data: string
}

export type StoreDatabase = Kysely<StoreSchema>

/** One SQL statement with its values, ready to run. */
export interface Query {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

export interface QueryResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Rows inserted, updated or deleted; 0 for a statement that returns rows. */
  readonly changes: number
}

/**
 * Work of one transaction: yields statements, is given their results. SQLite drives it without leaving the tick, so
 * nothing can come between; a store across a network drives the same code with `await`.
 */
export type Steps<T> = Generator<Query, T, QueryResult>
