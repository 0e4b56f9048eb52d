import { readFile } from 'node:fs/promises'
import { DroverError } from '../errors.ts'
import { type BundlePlace, bundleFamily, placeBundle } from './place-bundle.ts'
import { walkDirectory } from './walk-directory.ts'

/**
 * Sends a bundle that lies in `<root>/bundles/<hash>` of this machine to other places; what they have is not sent again.
 *
 * @param family counts where nothing is known of the bundle's own
 * @throws DroverError `staging_failed` when it is gone from here, or arrived as something else; and as `placeBundle`
 */
export async function shipBundle(hash: string, root: string, family: string, places: readonly BundlePlace[]): Promise<void> {
  const directory = `${root}/bundles/${hash}`
  const tree = { root: directory, list: () => walkDirectory(directory, { ignoreFiles: false, keepGit: true }), still: true }
  // The family it was packaged under, so that what is sent is what changed in that very directory.
  const known = await readFile(`${root}/bundles/.families/${hash}`, 'utf8').catch(() => '')
  const arrived = await placeBundle(tree, /^[0-9a-f]{32}\n$/.test(known) ? known.trim() : bundleFamily(family), places)
  if (arrived === hash) return
  throw new DroverError('staging_failed', `the bundle ${hash.slice(0, 12)} in ${root}/bundles has been changed`, {
    level: 'staging',
    hint: `Remove ${directory} and submit the task again.`,
  })
}
