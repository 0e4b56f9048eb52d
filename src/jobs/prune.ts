import { quoteShell } from '../driver/quote.ts'
import { toErrorJson } from '../errors.ts'
import type { JobRow, Store } from '../store/store.ts'
import { isEndState } from '../task/states.ts'
import type { PruneOptions } from './drover.ts'
import type { TargetRuntime } from './target-runtime.ts'

/** Directories measured in one round trip. */
const MEASURED_AT_ONCE = 200

interface Choice {
  readonly rows: readonly JobRow[]
  readonly bytes: number
  readonly warnings: readonly string[]
}

/** Sizes in bytes of the job directories on one target; a directory that is gone counts 0. */
async function measure(target: TargetRuntime, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for (let start = 0; start < ids.length; start += MEASURED_AT_ONCE) {
    const paths = ids.slice(start, start + MEASURED_AT_ONCE).map((id) => quoteShell(`${target.site.root}/jobs/${id}`))
    const { stdout } = await target.transport.run(`du -sk ${paths.join(' ')} 2>/dev/null; true`)
    for (const line of stdout.split('\n')) {
      const match = /^(\d+)\t.*\/([^/]+)$/.exec(line)
      if (match?.[1] !== undefined && match[2] !== undefined) sizes.set(match[2], Number(match[1]) * 1024)
    }
  }
  return sizes
}

/** Which ended jobs go: those older than the limit, then the oldest until the rest takes at most `maxBytes`. What runs stays. */
export async function chooseForPrune(
  options: PruneOptions,
  store: Store,
  open: (job: JobRow) => Promise<TargetRuntime>,
  now: number,
): Promise<Choice> {
  const all = await store.jobs({ limit: 1_000_000 })
  const ended = all.filter((row) => isEndState(row.state)).sort((a, b) => (a.endedAt ?? a.updatedAt) - (b.endedAt ?? b.updatedAt))
  const sizes = new Map<string, number>()
  const warnings: string[] = []
  const idsOf = new Map<TargetRuntime, string[]>()
  // One that cannot be opened is not tried again for each of its jobs.
  const unreached = new Set<string>()
  const failed = (name: string, error: unknown): void => {
    unreached.add(name)
    warnings.push(`target "${name}" could not be measured: ${toErrorJson(error).message}`)
  }
  for (const row of all) {
    if (unreached.has(row.target)) continue
    try {
      const target = await open(row)
      const ids = idsOf.get(target)
      if (ids === undefined) idsOf.set(target, [row.id])
      else ids.push(row.id)
    } catch (error) {
      failed(row.target, error)
    }
  }
  for (const [target, ids] of idsOf) {
    try {
      for (const [id, size] of await measure(target, ids)) sizes.set(id, size)
    } catch (error) {
      failed(target.name, error)
    }
  }
  const chosen = new Set<JobRow>()
  // Without any limit every ended job goes.
  const limited = options.olderThanMs !== undefined || options.maxBytes !== undefined
  for (const row of ended) {
    const age = now - (row.endedAt ?? row.updatedAt)
    if (!limited || (options.olderThanMs !== undefined && age > options.olderThanMs)) chosen.add(row)
  }
  if (options.maxBytes !== undefined) {
    let total = all.reduce((sum, row) => sum + (chosen.has(row) ? 0 : (sizes.get(row.id) ?? 0)), 0)
    for (const row of ended) {
      if (total <= options.maxBytes) break
      if (chosen.has(row)) continue
      chosen.add(row)
      total -= sizes.get(row.id) ?? 0
    }
  }
  const rows = [...chosen]
  return { rows, bytes: rows.reduce((sum, row) => sum + (sizes.get(row.id) ?? 0), 0), warnings }
}
