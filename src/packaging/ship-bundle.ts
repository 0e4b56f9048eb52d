import { lstatSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DroverError } from '../errors.ts'
import { type Manifest, parseManifest, readManifest } from './content-hash.ts'
import { type BundlePlace, bundleFamily, type Placeable, placeBundle } from './place-bundle.ts'
import { type CodeEntry, walkDirectory } from './walk-directory.ts'

/** Entries looked at before other work gets its turn. */
const ENTRIES_PER_TURN = 200

/**
 * Sends a bundle that lies in `<root>/bundles/<hash>` of this machine to other places; what they have is not sent again.
 * What it holds is known from its manifest; that it still holds it is checked of everything that is sent, beside the sending.
 *
 * @param family counts where nothing is known of the bundle's own
 * @throws DroverError `staging_failed` when it is gone from here, or no longer what its name says; and as `placeBundle`
 */
export async function shipBundle(hash: string, root: string, family: string, places: readonly BundlePlace[]): Promise<void> {
  const directory = `${root}/bundles/${hash}`
  const list = (): Promise<readonly CodeEntry[]> => walkDirectory(directory, { ignoreFiles: false, keepGit: true })
  // The family it was packaged under, so that what is sent is what changed in that very directory.
  const family_ = await readFile(`${root}/bundles/.families/${hash}`, 'utf8').catch(() => '')
  const known = await readKnown(root, hash)
  const tree: Placeable = { root: directory, list, still: true, manifests: `${root}/bundles/.manifests` }
  const arrived = await placeBundle(
    known === undefined ? tree : { ...tree, manifest: known.manifest, check: (sent) => checkBundle(tree, known, sent, root) },
    /^[0-9a-f]{32}\n$/.test(family_) ? family_.trim() : bundleFamily(family),
    places,
  )
  if (arrived !== hash) throw spoilt(hash, root)
}

interface Known {
  readonly manifest: Manifest
  /** When it was written down, after all that it tells of. */
  readonly writtenNs: bigint
}

async function readKnown(root: string, hash: string): Promise<Known | undefined> {
  const path = `${root}/bundles/.manifests/${hash}`
  try {
    const [text, { mtimeNs }] = await Promise.all([readFile(path, 'utf8'), stat(path, { bigint: true })])
    const manifest = parseManifest(text, hash)
    return manifest === undefined ? undefined : { manifest, writtenNs: mtimeNs }
  } catch {
    return undefined
  }
}

/**
 * A file whose status has not changed since the manifest was written is what the manifest says: no program can set that
 * time. The others (also those that a later bundle shares) are read.
 */
async function checkBundle(
  tree: Placeable,
  { manifest, writtenNs }: Known,
  sent: readonly string[] | undefined,
  root: string,
): Promise<void> {
  const entries = await tree.list()
  const wanted = new Set(sent)
  const suspects: CodeEntry[] = []
  const whole = sent === undefined
  if (whole && entries.length !== manifest.lines.size) throw spoilt(manifest.hash, root)
  let there = 0
  for (const [at, entry] of entries.entries()) {
    if (!whole && !wanted.has(entry.path)) continue
    there++
    const [type, mode] = (manifest.lines.get(entry.path) ?? '').split(' ', 2)
    if (type !== entry.type[0] || (type !== 'l' && mode !== entry.mode.toString(8))) throw spoilt(manifest.hash, root)
    if (type !== 'd' && lstatSync(join(tree.root, entry.path), { bigint: true }).ctimeNs >= writtenNs) suspects.push(entry)
    if (at % ENTRIES_PER_TURN === 0) await setImmediate()
  }
  if (!whole && there !== wanted.size) throw spoilt(manifest.hash, root)
  const { lines } = await readManifest(tree.root, suspects)
  for (const [path, line] of lines) if (manifest.lines.get(path) !== line) throw spoilt(manifest.hash, root)
}

function spoilt(hash: string, root: string): DroverError {
  return new DroverError('staging_failed', `the bundle ${hash.slice(0, 12)} in ${root}/bundles has been changed`, {
    level: 'staging',
    hint: `Remove ${root}/bundles/${hash} and submit the task again.`,
  })
}
