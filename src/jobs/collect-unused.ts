import { toErrorJson } from '../errors.ts'
import { bundlesNamedIn, collectBundles, UNUSED_BUNDLES_MS } from '../packaging/collect-bundles.ts'
import type { BundlePlace } from '../packaging/place-bundle.ts'
import type { JobRow, Store } from '../store/store.ts'
import { factsOf } from '../targets/site-facts.ts'
import { transportAt } from '../transports/transport.ts'
import type { JobControl } from './job-context.ts'
import type { OpenTarget } from './target-set.ts'

/** Tasks read from the store at one time. */
const READ_AT_ONCE = 100

/**
 * Removes what no remaining job refers to and nobody has used for the time of `limits.unused_bundles`: from this machine's
 * bundles, and from those of targets that jobs have just been removed from. Resolves to warnings that name the place.
 *
 * @param removed jobs that are no longer in the store
 * @param unreached names of nodes that could not be asked a moment ago, by target; they are passed over
 */
export async function collectUnusedBundles(
  removed: readonly JobRow[],
  { store, targets }: JobControl,
  unreached: ReadonlySet<string>,
): Promise<readonly string[]> {
  const concerned = new Set<OpenTarget>()
  const warnings: string[] = []
  try {
    concerned.add(await targets.open({ target: 'local' }))
  } catch (error) {
    warnings.push(`bundles of this machine were not collected: ${toErrorJson(error).message}`)
  }
  for (const row of removed) {
    if (row.task !== undefined && bundlesNamedIn(row.task).length === 0) continue
    // One that cannot be opened has been named already, with the job's directory.
    const target = await targets.open(row).catch(() => undefined)
    if (target !== undefined) concerned.add(target)
  }
  // Read after the removal; what is submitted from here on notes its use.
  let kept: Promise<ReadonlySet<string>> | undefined
  const referred = (): Promise<ReadonlySet<string>> => {
    kept ??= bundlesOfJobs(store)
    return kept
  }
  const collected = [...concerned].flatMap(({ name, transport, site, definition }) =>
    (transport.nodes ?? ['']).map(async (node) => {
      if (unreached.has(nodeKey(name, node))) return
      const place: BundlePlace = { root: factsOf(site, node).root, transport: transportAt(transport, node) }
      try {
        await collectBundles(place, referred, definition.limits.unused_bundles ?? UNUSED_BUNDLES_MS)
      } catch (error) {
        const where = node === '' ? `target "${name}"` : `node ${node} of target "${name}"`
        warnings.push(`unused bundles on ${where} are still there: ${toErrorJson(error).message}`)
      }
    }),
  )
  await Promise.all(collected)
  return warnings
}

/** Hashes of all bundles that jobs of the store refer to, ended or not: an ended one may be retried. */
async function bundlesOfJobs(store: Store): Promise<ReadonlySet<string>> {
  const named = new Set<string>()
  const rows = await store.jobs({ limit: 1_000_000 })
  for (let start = 0; start < rows.length; start += READ_AT_ONCE) {
    // The rows of a list come without their tasks.
    const whole = await Promise.all(rows.slice(start, start + READ_AT_ONCE).map(({ id }) => store.job(id)))
    for (const row of whole) for (const hash of bundlesNamedIn(row?.task ?? '')) named.add(hash)
  }
  return named
}

/** A node of a target, for a set of them. */
export function nodeKey(target: string, node: string): string {
  return `${target}\n${node}`
}
