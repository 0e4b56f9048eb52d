import { toErrorJson } from '../errors.ts'
import type { JobRow } from '../store/store.ts'
import { factsOf } from '../targets/site-facts.ts'
import { transportAt } from '../transports/transport.ts'
import { collectUnusedBundles, nodeKey } from './collect-unused.ts'
import type { JobControl } from './job-context.ts'
import type { TargetRuntime } from './target-runtime.ts'

/**
 * Removes ended jobs: their directories on the target, then their rows, then bundles that nobody uses any more. A failed
 * clean-up is a warning that names the job.
 */
export async function removeJobs(rows: readonly JobRow[], control: JobControl): Promise<{ removed: string[]; warnings: string[] }> {
  const { store, writer, targets, graph, secrets } = control
  const warnings: string[] = []
  const unreached = new Set<string>()
  for (const row of rows) {
    try {
      const target = await targets.open(row)
      target.forget(row.id)
      warnings.push(...(await removeDirectories(row, target, unreached)))
    } catch (error) {
      warnings.push(`job ${row.id}: its directory on target "${row.target}" is still there: ${toErrorJson(error).message}`)
    }
    graph.remove(row.id)
    secrets.remove(row.id)
  }
  const removed = rows.map((row) => row.id)
  await store.removeJobs(removed)
  writer.announce(removed)
  warnings.push(...(await collectUnusedBundles(rows, control, unreached)))
  return { removed, warnings }
}

/** Removes a job's directory on every node of its target; resolves to warnings that name the nodes where it could not. */
async function removeDirectories(row: JobRow, { transport, site }: TargetRuntime, unreached: Set<string>): Promise<readonly string[]> {
  const outcomes = await Promise.all(
    (transport.nodes ?? ['']).map(async (node) => {
      try {
        await transportAt(transport, node).remove([`${factsOf(site, node).root}/jobs/${row.id}`])
        return undefined
      } catch (error) {
        unreached.add(nodeKey(row.target, node))
        const where = node === '' ? `target "${row.target}"` : `node ${node} of target "${row.target}"`
        return `job ${row.id}: its directory on ${where} is still there: ${toErrorJson(error).message}`
      }
    }),
  )
  return outcomes.filter((warning) => warning !== undefined)
}
