import type { JobRow, Store } from '../store/store.ts'
import type { Job } from './drover.ts'
import { viewJob } from './job-view.ts'

/** One job with all that `show` prints; undefined when there is none. */
export async function readJob(store: Store, jobId: string): Promise<Job | undefined> {
  const row = await store.job(jobId)
  return row === undefined ? undefined : viewWhole(store, row)
}

/** The whole public object of a row: attempts, ranks, elements, dependencies. */
export async function viewWhole(store: Store, row: JobRow): Promise<Job> {
  const [attempts, ranks, after, counts, failed] = await Promise.all([
    store.attempts(row.id),
    store.ranks(row.id, row.attempt),
    store.dependencies(row.id),
    row.elementCount === undefined ? undefined : store.elementCounts([row.id]),
    row.elementCount === undefined ? [] : store.elements(row.id, ['failed']),
  ])
  return viewJob(row, { attempts, ranks, after, elementCounts: counts?.get(row.id), failedElements: failed })
}

/** Slim objects of many rows, as `list` prints them. */
export async function viewRows(store: Store, rows: readonly JobRow[]): Promise<readonly Job[]> {
  const arrays = rows.filter((row) => row.elementCount !== undefined).map((row) => row.id)
  const counts = arrays.length === 0 ? undefined : await store.elementCounts(arrays)
  return rows.map((row) => viewJob(row, { elementCounts: counts?.get(row.id) }))
}
