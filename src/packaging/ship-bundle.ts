import { DroverError } from '../errors.ts'
import { type BundlePlace, placeBundle } from './place-bundle.ts'
import { walkDirectory } from './walk-directory.ts'

/**
 * Sends a bundle that lies in `<root>/bundles/<hash>` of this machine to other places; what they have is not sent again.
 *
 * @throws DroverError `staging_failed` when it is gone from here, or arrived as something else; and as `placeBundle`
 */
export async function shipBundle(hash: string, root: string, family: string, places: readonly BundlePlace[]): Promise<void> {
  const directory = `${root}/bundles/${hash}`
  const tree = { root: directory, list: () => walkDirectory(directory, { ignoreFiles: false }), still: true }
  const arrived = await placeBundle(tree, family, places)
  if (arrived === hash) return
  throw new DroverError('staging_failed', `the bundle ${hash.slice(0, 12)} in ${root}/bundles has been changed`, {
    level: 'staging',
    hint: `Remove ${directory} and submit the task again.`,
  })
}
