import type { Executor, Io, ResolvedTask, SiteFacts } from '../executors/executor.ts'
import type { ElementRow, JobChange, JobRow, Store } from '../store/store.ts'
import type { State } from '../task/states.ts'
import type { Transport } from '../transports/transport.ts'
import type { ActiveAttempt } from './active-attempt.ts'
import type { Slots } from './capacity.ts'
import type { JobContext } from './job-context.ts'
import type { OwnedWork } from './owned-work.ts'

/** What starting and ending an attempt share with the runtime of its target. */
export interface AttemptWorld {
  readonly executor: Executor
  readonly transport: Transport
  readonly site: SiteFacts
  readonly io: Io
  readonly context: JobContext
  readonly capacity: Slots
  readonly work: OwnedWork
  /** Attempts at work on the target, by job. */
  readonly active: Map<string, ActiveAttempt>
  /** How long proof may still arrive after the processes are gone, ms. */
  readonly proofGraceMs: number
  /** How long a job waits in line for nodes that do not answer at its start, ms; absent: it fails at once. */
  readonly waitForNodesMs?: number
  /** Puts a job whose conditions hold in line. */
  enqueue(job: JobRow, task: ResolvedTask): void
  /** Begins to look after an attempt: it is polled from now on. */
  watch(active: ActiveAttempt): void
  /** Looks at a job's files soon. */
  wake(jobId: string): void
  /** Starts what fits, in order. */
  pump(): void
  /** Lets go of an attempt and of what it held; others may start. */
  drop(jobId: string): void
}

/** One conditional transition; false when the job was no longer in `from`. */
export function moveJob(job: JobRow, from: State, to: State, rest: Partial<JobChange>, context: JobContext): Promise<boolean> {
  return context.writer.apply({
    ...rest,
    jobId: job.id,
    at: context.now(),
    from,
    attempt: job.attempt,
    to,
    events: [{ type: 'state', data: { from, to } }, ...(rest.events ?? [])],
  })
}

/** Elements that this attempt does not run and that have not succeeded: they decide the job's end with it. */
export async function otherElements(store: Store, jobId: string, attempt: number, mine: readonly number[]): Promise<readonly ElementRow[]> {
  if (attempt === 1 || mine.length === 0) return []
  const own = new Set(mine)
  const rows = await store.elements(jobId)
  return rows.filter((row) => !own.has(row.position) && row.state !== 'succeeded')
}
