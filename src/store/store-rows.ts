import { DroverError } from '../errors.ts'
import type { Cause, State } from '../task/states.ts'
import { STATES } from '../task/states.ts'
import type { AttemptRow, DependencyRow, ElementRow, EventRow, JobRow, RankRow } from './store.ts'

/** A row as a database hands it over: untrusted until read by a function below. */
export type RawRow = Readonly<Record<string, unknown>>

const KNOWN_STATES: ReadonlySet<string> = new Set(STATES)

/** Reads a job; `task` is there when the query joined it. Throws DroverError `store_unusable` on a value no Drover wrote. */
export function parseJobRow(row: RawRow): JobRow {
  const cause = row.cause
  const usage = row.usage
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    target: text(row, 'target'),
    kind: text(row, 'kind'),
    priority: number(row, 'priority'),
    state: state(row),
    attempt: number(row, 'attempt'),
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
    ...present({
      groupId: optionalText(row, 'group_id'),
      cause: typeof cause === 'string' ? (json(cause, 'cause') as Cause) : undefined,
      exitCode: optionalNumber(row, 'exit_code'),
      nativeId: optionalText(row, 'native_id'),
      nativeWord: optionalText(row, 'native_word'),
      reason: optionalText(row, 'reason'),
      startedAt: optionalNumber(row, 'started_at'),
      endedAt: optionalNumber(row, 'ended_at'),
      checkedAt: optionalNumber(row, 'checked_at'),
      notBefore: optionalNumber(row, 'not_before'),
      cancelRequestedAt: optionalNumber(row, 'cancel_requested_at'),
      cancelBy: optionalText(row, 'cancel_by'),
      elementCount: optionalNumber(row, 'element_count'),
      task: optionalText(row, 'task'),
      usage: typeof usage === 'string' ? (json(usage, 'usage') as NonNullable<JobRow['usage']>) : undefined,
      collected: optionalText(row, 'collected'),
    }),
  }
}

/** Reads an attempt. */
export function parseAttemptRow(row: RawRow): AttemptRow {
  const cause = row.cause
  return {
    number: number(row, 'number'),
    state: state(row),
    createdAt: number(row, 'created_at'),
    ...present({
      cause: typeof cause === 'string' ? (json(cause, 'cause') as Cause) : undefined,
      exitCode: optionalNumber(row, 'exit_code'),
      nativeId: optionalText(row, 'native_id'),
      directory: optionalText(row, 'directory'),
      plan: optionalText(row, 'plan'),
      startedAt: optionalNumber(row, 'started_at'),
      endedAt: optionalNumber(row, 'ended_at'),
    }),
  }
}

/** Reads a rank. */
export function parseRankRow(row: RawRow): RankRow {
  const killed = optionalNumber(row, 'killed_by_peer')
  return {
    rank: number(row, 'rank'),
    node: text(row, 'node'),
    state: state(row),
    ...present({
      pid: optionalNumber(row, 'pid'),
      exitCode: optionalNumber(row, 'exit_code'),
      signal: optionalNumber(row, 'signal'),
      killedByPeer: killed === undefined ? undefined : killed === 1,
      startedAt: optionalNumber(row, 'started_at'),
      endedAt: optionalNumber(row, 'ended_at'),
    }),
  }
}

/** Reads an array element. */
export function parseElementRow(row: RawRow): ElementRow {
  return {
    position: number(row, 'position'),
    attempt: number(row, 'attempt'),
    state: state(row),
    ...present({
      exitCode: optionalNumber(row, 'exit_code'),
      signal: optionalNumber(row, 'signal'),
      causeKind: optionalText(row, 'cause_kind') as Cause['kind'] | undefined,
      startedAt: optionalNumber(row, 'started_at'),
      endedAt: optionalNumber(row, 'ended_at'),
    }),
  }
}

/** Reads a dependency. */
export function parseDependencyRow(row: RawRow): DependencyRow {
  const condition = text(row, 'condition')
  if (condition !== 'ok' && condition !== 'any' && condition !== 'failed') throw unreadable(`condition "${condition}"`)
  return { jobId: text(row, 'job_id'), upstream: text(row, 'upstream'), condition }
}

/** Reads an event. */
export function parseEventRow(row: RawRow): EventRow {
  return {
    seq: number(row, 'seq'),
    jobId: text(row, 'job_id'),
    attempt: number(row, 'attempt'),
    at: number(row, 'at'),
    type: text(row, 'type'),
    data: json(text(row, 'data'), 'event') as Readonly<Record<string, unknown>>,
  }
}

/** Reads a state from the column of that name. */
export function state(row: RawRow): State {
  const value = text(row, 'state')
  if (!KNOWN_STATES.has(value)) throw unreadable(`state "${value}"`)
  return value as State
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** Leaves out what is undefined: an absent fact has no key. */
function present<T extends object>(fields: T): Present<T> {
  const kept: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) kept[key] = value
  return kept as Present<T>
}

function text(row: RawRow, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw unreadable(`${column} ${String(value)}`)
  return value
}

function number(row: RawRow, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw unreadable(`${column} ${String(value)}`)
  return value
}

function optionalText(row: RawRow, column: string): string | undefined {
  const value = row[column]
  return value === null || value === undefined ? undefined : text(row, column)
}

function optionalNumber(row: RawRow, column: string): number | undefined {
  const value = row[column]
  return value === null || value === undefined ? undefined : number(row, column)
}

function json(value: string, column: string): unknown {
  try {
    return JSON.parse(value)
  } catch (cause) {
    throw unreadable(`${column} that is no JSON`, cause)
  }
}

function unreadable(what: string, cause?: unknown): DroverError {
  return new DroverError('store_unusable', `the store holds an unknown ${what}`, {
    level: 'config',
    ...(cause === undefined ? {} : { cause }),
    hint: 'Another program, or a newer Drover, wrote it. Nothing was changed.',
  })
}
