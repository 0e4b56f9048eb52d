import { setTimeout as sleep } from 'node:timers/promises'
import { InputError } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { ElementRow, JobRow, Store } from '../store/store.ts'
import { END_STATES, isSettled, type State } from '../task/states.ts'
import type { ChangeWriter } from './change-writer.ts'
import type { JobElement } from './drover.ts'

/** Least time between two readings of an array's rows, ms; a pause is ten times as long as the reading before it. */
const PAUSE_MS = 20

/**
 * Each element of an array once, when it has ended for good: at its end state or, where its failure would be retried, with the
 * job; with the job also as `lost`. Ends when all have been told.
 *
 * @throws InputError `invalid_argument` for a job that is no array, `unknown_job` when it is removed meanwhile
 */
export async function* followElements(
  id: string,
  signal: AbortSignal,
  { store, writer }: { readonly store: Store; readonly writer: ChangeWriter },
): AsyncIterable<JobElement> {
  const told = new Set<number>()
  while (!signal.aborted) {
    // Subscribed before reading, so that no change falls between.
    using waiter = writer.nextChange(signal, [id])
    const begun = performance.now()
    const row = await store.job(id)
    if (row === undefined) throw new InputError('unknown_job', `job ${id} was removed`)
    if (row.elementCount === undefined)
      throw new InputError('invalid_argument', `job ${row.id} is no array: it has no elements`, { hint: 'Use wait.' })
    const settled = isSettled(row.state)
    for (const element of await store.elements(id, settled ? undefined : finalStates(row))) {
      if (told.has(element.position) || !(isSettled(element.state) || settled)) continue
      told.add(element.position)
      yield viewElement(element, row)
    }
    if (settled) {
      for (let position = 0; position < row.elementCount; position++) if (!told.has(position)) yield unbegun(position, row)
      return
    }
    const spentMs = performance.now() - begun
    await waiter.changed
    // Rejects only when aborted, which the loop asks.
    await sleep(Math.max(PAUSE_MS, spentMs * 10), undefined, { signal }).catch(() => undefined)
  }
}

/** What no retry leaves again. */
function finalStates(row: JobRow): readonly State[] {
  const task = row.task === undefined ? undefined : (JSON.parse(row.task) as Pick<ResolvedTask, 'retries'>)
  return task !== undefined && task.retries.max > 0 ? ['succeeded', 'cancelled'] : END_STATES
}

function viewElement(row: ElementRow, job: JobRow): JobElement {
  // A row that is not settled although the job is: nothing is known of it that the job's own end would not say.
  if (!isSettled(row.state)) return unbegun(row.position, job)
  return {
    position: row.position,
    state: row.state,
    attempt: row.attempt,
    exit_code: row.exitCode ?? null,
    signal: row.signal ?? null,
    cause: row.causeKind ?? null,
  }
}

/** An element that never got a row shares the end of the job. */
function unbegun(position: number, { state, attempt, cause }: JobRow): JobElement {
  return { position, state, attempt, exit_code: null, signal: null, cause: cause?.kind ?? null }
}
