import { attemptPaths } from '../driver/protocol.ts'
import { DroverError } from '../errors.ts'
import type { Capabilities } from '../executors/capabilities.ts'
import type { Plan, PlanPlace, SiteFacts } from '../executors/executor.ts'
import { placeFiles } from '../executors/place-files.ts'
import { shipBundle } from '../packaging/ship-bundle.ts'
import { stageCode } from '../packaging/stage-code.ts'
import { factsOf } from '../targets/site-facts.ts'
import { type Transport, transportAt } from '../transports/transport.ts'

/**
 * Puts an attempt where it must be, all places side by side: directories, generated files, the `env` file with the secrets,
 * code in the work directories. Repeating it is harmless as long as the attempt has not been submitted. `onFailure` is told of
 * each node's failure before the first is thrown.
 */
export async function stageAttempt(
  plan: Plan,
  secrets: Readonly<Record<string, string>>,
  transport: Transport,
  site: SiteFacts,
  onFailure: (node: string, error: unknown) => void,
  staging: Capabilities['staging'] = 'before',
): Promise<void> {
  const shipping = new Map<string, Promise<void>>()
  const outcomes = await Promise.allSettled(
    plan.places.map(async (place) => {
      const at = transportAt(transport, place.node)
      const { root } = factsOf(site, place.node)
      // Nodes with one file system are sent a bundle once, through the first that asks.
      const ship = (hash: string): Promise<void> => {
        const key = `${site.sharedHome ? '' : place.node}:${hash}`
        const under = shipping.get(key) ?? shipBundle(hash, plan.bundlesFrom ?? root, plan.target, [{ root, transport: at }])
        shipping.set(key, under)
        return under
      }
      // The two know nothing of each other: one round trip for both.
      const files = staging === 'before' ? [writePlace(plan, place, secrets, at)] : []
      await settleAll([...files, stagePlaceCode(plan, place, at, root, ship)])
    }),
  )
  const failures = outcomes.flatMap((outcome, at) =>
    outcome.status === 'rejected' ? [{ node: plan.places[at]?.node ?? '', reason: outcome.reason as unknown }] : [],
  )
  for (const { node, reason } of failures) onFailure(node, reason)
  if (failures[0] !== undefined) throw failures[0].reason
}

/** Takes secrets away from where an attempt was staged that is not started; `but`: nodes that do not answer keep theirs. */
export async function unstageSecrets(plan: Plan, transport: Transport, but: readonly string[]): Promise<void> {
  if (plan.secretNames.length === 0) return
  const places = plan.places.filter(({ node }) => !but.includes(node))
  await Promise.allSettled(places.map(({ node, attemptDir }) => transportAt(transport, node).remove([`${attemptDir}/${attemptPaths.env}`])))
}

/** Waits for all before the first failure is thrown. */
async function settleAll(promises: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === 'rejected') throw outcome.reason
}

async function writePlace(plan: Plan, place: PlanPlace, secrets: Readonly<Record<string, string>>, transport: Transport): Promise<void> {
  const { directories, files } = placeFiles(plan, place, secrets)
  await transport.write(directories, files)
}

async function stagePlaceCode(
  plan: Plan,
  place: PlanPlace,
  transport: Transport,
  root: string,
  ship: (hash: string) => Promise<void>,
): Promise<void> {
  if (plan.code?.kind !== 'bundle' && plan.mounts.length === 0) return
  const code = {
    transport,
    root,
    ...(plan.code?.kind === 'bundle' ? { bundle: plan.code.hash } : {}),
    mounts: plan.mounts.map(({ destination, source }) => ({ destination, source: source.replace(`${plan.bundlesFrom}/`, `${root}/`) })),
    workDirs: place.workDirs,
  }
  try {
    // Mostly the bundles are there from the last time.
    await stageCode(code)
  } catch (error) {
    if (plan.bundlesFrom === undefined || !(error instanceof DroverError) || error.code !== 'staging_failed') throw error
    for (const hash of bundlesOf(plan)) await ship(hash)
    await stageCode(code)
  }
}

/** Hashes of all bundles of a plan. */
function bundlesOf({ code, mounts, bundlesFrom }: Plan): ReadonlySet<string> {
  const prefix = `${bundlesFrom}/bundles/`
  const mounted = mounts.flatMap(({ source }) => (source.startsWith(prefix) ? [source.slice(prefix.length).split('/')[0] ?? ''] : []))
  return new Set([...(code?.kind === 'bundle' ? [code.hash] : []), ...mounted])
}
