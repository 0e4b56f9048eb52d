import { toErrorJson } from '../errors.ts'
import type { JobRow } from '../store/store.ts'
import type { JobControl } from './job-context.ts'

/** Removes ended jobs: their directories on the target, then their rows. A failed clean-up is a warning that names the job. */
export async function removeJobs(rows: readonly JobRow[], control: JobControl): Promise<{ removed: string[]; warnings: string[] }> {
  const { store, writer, targets, graph, secrets } = control
  const warnings: string[] = []
  for (const row of rows) {
    try {
      const target = await targets.open(row)
      target.forget(row.id)
      await target.transport.remove([`${target.site.root}/jobs/${row.id}`])
    } catch (error) {
      warnings.push(`job ${row.id}: its directory on target "${row.target}" is still there: ${toErrorJson(error).message}`)
    }
    graph.remove(row.id)
    secrets.remove(row.id)
  }
  const removed = rows.map((row) => row.id)
  await store.removeJobs(removed)
  writer.announce(removed)
  return { removed, warnings }
}
