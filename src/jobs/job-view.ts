import type { AttemptRow, DependencyRow, ElementRow, EventRow, JobRow, RankRow } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { Job, JobAttempt, JobElements, JobEvent, JobRank } from './drover.ts'

/** How many failed elements are named. */
const FIRST_FAILED = 20

/** Rows beside the job's own. What is absent is shown as empty, as `list` does. */
export interface JobParts {
  readonly attempts?: readonly AttemptRow[] | undefined
  /** Of the current attempt. */
  readonly ranks?: readonly RankRow[] | undefined
  readonly after?: readonly DependencyRow[] | undefined
  /** Elements by state; those without a row are waiting. */
  readonly elementCounts?: Readonly<Partial<Record<State, number>>> | undefined
  /** Ordered by position. */
  readonly failedElements?: readonly ElementRow[] | undefined
}

/** The public object of a job. Absent knowledge is null; times are ISO 8601 in UTC. */
export function viewJob(row: JobRow, parts: JobParts = {}): Job {
  const current = parts.attempts?.findLast((attempt) => attempt.number === row.attempt)
  const wall = row.startedAt !== undefined && row.endedAt !== undefined ? Math.max(0, row.endedAt - row.startedAt) : null
  return {
    id: row.id,
    name: row.name,
    target: row.target,
    kind: row.kind,
    group: row.groupId ?? null,
    state: row.state,
    cause: row.cause ?? null,
    exit_code: row.exitCode ?? null,
    native_id: row.nativeId ?? null,
    native_word: row.nativeWord ?? null,
    reason: row.reason ?? null,
    attempt: row.attempt,
    attempts: (parts.attempts ?? []).map(viewAttempt),
    elements: row.elementCount === undefined ? null : viewElements(row.elementCount, parts),
    ranks: (parts.ranks ?? []).map(viewRank),
    after: (parts.after ?? []).map(({ upstream, condition }) => ({ job: upstream, condition })),
    created_at: iso(row.createdAt),
    started_at: isoOrNull(row.startedAt),
    ended_at: isoOrNull(row.endedAt),
    checked_at: isoOrNull(row.checkedAt),
    usage: { wall_ms: wall, cpu_ms: row.usage?.cpuMs ?? null, peak_memory_bytes: row.usage?.peakMemoryBytes ?? null },
    collected: row.collected ?? null,
    directory: current?.directory ?? null,
  }
}

/** The public object of one attempt. */
export function viewAttempt(row: AttemptRow): JobAttempt {
  return {
    number: row.number,
    state: row.state,
    cause: row.cause ?? null,
    exit_code: row.exitCode ?? null,
    native_id: row.nativeId ?? null,
    directory: row.directory ?? null,
    created_at: iso(row.createdAt),
    started_at: isoOrNull(row.startedAt),
    ended_at: isoOrNull(row.endedAt),
  }
}

/** The public object of one event. */
export function viewEvent(row: EventRow): JobEvent {
  return { seq: row.seq, job: row.jobId, attempt: row.attempt, at: iso(row.at), type: row.type, data: row.data }
}

function viewRank(row: RankRow): JobRank {
  return {
    rank: row.rank,
    node: row.node,
    pid: row.pid ?? null,
    state: row.state,
    exit_code: row.exitCode ?? null,
    signal: row.signal ?? null,
    killed_by_peer: row.killedByPeer ?? false,
  }
}

function viewElements(total: number, { elementCounts: counts = {}, failedElements = [] }: JobParts): JobElements {
  const sum = (...states: State[]): number => states.reduce((all, state) => all + (counts[state] ?? 0), 0)
  const running = sum('starting', 'running', 'finishing', 'suspended')
  const [succeeded, failed, cancelled, lost] = [sum('succeeded'), sum('failed'), sum('cancelled'), sum('lost')]
  return {
    total,
    // Elements get a row when something is known of them.
    queued: Math.max(0, total - running - succeeded - failed - cancelled - lost),
    running,
    succeeded,
    failed,
    cancelled,
    lost,
    first_failed: failedElements
      .slice(0, FIRST_FAILED)
      .map((row) => ({ position: row.position, exit_code: row.exitCode ?? null, cause: row.causeKind ?? null })),
  }
}

/** Times outside what a date can hold come from damaged rows; a wrong time must not make the job unreadable. */
function iso(ms: number): string {
  return new Date(Math.abs(ms) <= 8.64e15 ? ms : 0).toISOString()
}

function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : iso(ms)
}
