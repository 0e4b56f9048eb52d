import { InputError } from '../errors.ts'
import type { JobRow, Store } from '../store/store.ts'
import { isSettled, STATES, type State } from '../task/states.ts'
import type { ChangeWriter } from './change-writer.ts'
import type { JobEvent } from './drover.ts'
import { viewEvent } from './job-view.ts'

/** What following needs of a supervisor. */
interface Changes {
  readonly store: Store
  readonly writer: ChangeWriter
}

/**
 * Resolves with a job's row when it has come as far as `until`.
 *
 * @throws InputError `unknown_job` when it is removed meanwhile; the signal's reason on abort
 */
export async function waitForJob(
  id: string,
  until: 'submitted' | 'started' | 'settled',
  signal: AbortSignal,
  { store, writer }: Changes,
): Promise<JobRow> {
  for (;;) {
    // Subscribed before reading, so that no change falls between.
    using waiter = writer.nextChange(signal, [id])
    const row = await store.job(id)
    if (row === undefined) throw new InputError('unknown_job', `job ${id} was removed`)
    const started = row.startedAt !== undefined || row.state === 'running' || row.state === 'finishing'
    if (isSettled(row.state) || (until === 'submitted' && row.nativeId !== undefined) || (until === 'started' && started)) return row
    signal.throwIfAborted()
    await waiter.changed
  }
}

/** Events after a cursor, as they come. With `ids` it ends when all of these jobs have settled; without, at the abort. */
export async function* followEvents(
  ids: readonly string[] | undefined,
  from: number | undefined,
  signal: AbortSignal,
  { store, writer }: Changes,
): AsyncIterable<JobEvent> {
  let after = from ?? (await store.lastEventSeq())
  const rows = await Promise.all((ids ?? []).map((id) => store.job(id)))
  // Settled before the cursor: no event will tell of it any more.
  const open = new Set(rows.flatMap((row) => (row === undefined || isSettled(row.state) ? [] : [row.id])))
  while (!signal.aborted) {
    using waiter = writer.nextChange(signal, ids)
    const found = await store.events({ after, limit: 500, ...(ids?.length === 1 && ids[0] !== undefined ? { jobId: ids[0] } : {}) })
    for (const event of found) {
      after = event.seq
      if (ids !== undefined && !ids.includes(event.jobId)) continue
      const to = event.type === 'state' ? event.data.to : undefined
      if (typeof to === 'string' && (STATES as readonly string[]).includes(to)) {
        if (isSettled(to as State)) open.delete(event.jobId)
        else if (ids !== undefined) open.add(event.jobId)
      }
      yield viewEvent(event)
    }
    if (found.length > 0) continue
    // A removed job leaves no event behind.
    for (const id of open) if ((await store.job(id)) === undefined) open.delete(id)
    if (ids !== undefined && open.size === 0) return
    await waiter.changed
  }
}
