import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import type { Transport } from '../transports/transport.ts'
import { compileBundle } from './bundle-script.ts'
import { type CodeTree, changing } from './code-tree.ts'
import { noteUse } from './collect-bundles.ts'
import { type Manifest, parseManifest, readManifest } from './content-hash.ts'
import { packInline } from './inline-tree.ts'
import { compareManifests, type Difference } from './manifest-difference.ts'

/** One target, or one node of it. */
export interface BundlePlace {
  /** Drover's directory there, absolute. */
  readonly root: string
  readonly transport: Transport
}

/** Times a directory that changes under the reader is read before giving up. */
const TRIES = 4
/** Largest manifest that is fetched for a comparison, bytes; beyond it all files are sent. */
const MOST_MANIFEST_BYTES = 16 * 1024 ** 2

/** What is placed: a tree, or a bundle of this machine, of which a manifest is known that is its name. */
export interface Placeable extends CodeTree {
  /** Of a bundle: what it holds by its own account. */
  readonly manifest?: Manifest
  /** Of a bundle: compares entries (absent: all) with that account. @throws DroverError where it has been changed */
  readonly check?: (entries: readonly string[] | undefined) => Promise<void>
  /** A directory of this machine with manifests by hash: what is here isn't fetched from a target. */
  readonly manifests?: string
}

/** A place that lacks the bundle, and how it gets it. */
interface Delivery {
  readonly place: BundlePlace
  /** Temporary name, beside the bundle. */
  readonly arriving: string
  readonly base?: { readonly hash: string; readonly difference: Difference }
  /** Not with the script: it failed, or would again. */
  readonly bySelf: boolean
}

/** How the last try at a place went. */
interface Failed {
  inline?: boolean
  base?: boolean
}

interface Reading {
  readonly paths: readonly string[]
  readonly manifest: Manifest
}

/** The name of a family of bundles: those of one directory, one repository, whatever its state. 32 hex digits. */
export function bundleFamily(of: string): string {
  return createHash('sha256').update(of).digest('hex').slice(0, 32)
}

/**
 * Sees to it that every place has the bundle of a tree, and resolves to its hash. Where it is there, that is one round
 * trip and nothing is sent. Else the target's latest bundle of the same family is taken, by hard links, and only what
 * differs is sent; without one, all is. A little goes with the script that makes the bundle, in one more round trip. A
 * bundle appears complete, under its name, or not at all.
 *
 * On a target: `bundles/<hash>/`, `bundles/.manifests/<hash>` (its content), `bundles/.families/<hash>` (its family),
 * `bundles/.latest/<family>` (a hash), `bundles/.used/<hash>` (empty; its time is that of the last use).
 *
 * @param family from `bundleFamily`: chooses the earlier bundle
 * @throws DroverError `staging_failed`, `no_space`, `no_permission`, `transport_failed`
 */
export async function placeBundle(tree: Placeable, family: string, places: readonly BundlePlace[]): Promise<string> {
  const read = async (): Promise<Reading> => {
    if (tree.manifest !== undefined) return { paths: [...tree.manifest.lines.keys()], manifest: tree.manifest }
    const entries = await tree.list()
    return { paths: entries.map(({ path }) => path), manifest: await readManifest(tree.root, entries) }
  }
  const failed = new Map<BundlePlace, Failed>()
  let now = await read()
  for (let tries = 0; tries < TRIES; tries++) {
    const { paths, manifest } = now
    const asked = await Promise.all(places.map((place) => ask(place, tree, manifest, family, failed.get(place) ?? {})))
    const deliveries = asked.filter((delivery) => delivery !== undefined)
    if (deliveries.length === 0) return manifest.hash
    // What was sent is what was hashed only if nothing changed meanwhile.
    const readAgain = async (): Promise<boolean> => {
      if (!tree.still) now = await read()
      return now.manifest.hash === manifest.hash
    }
    const outcomes = await all(deliveries.map((delivery) => deliver(delivery, tree, paths, manifest, family, readAgain)))
    if (outcomes.every((outcome) => outcome === 'placed') && now.manifest.hash === manifest.hash) return manifest.hash
    if (outcomes.includes('changed')) now = await read()
    for (const [index, { place }] of deliveries.entries()) {
      const outcome = outcomes[index]
      if (outcome === 'no_inline') failed.set(place, { ...failed.get(place), inline: true })
      if (outcome === 'no_base') failed.set(place, { ...failed.get(place), base: true })
    }
  }
  throw changing(tree.root)
}

type Outcome = 'placed' | 'changed' | 'no_inline' | 'no_base'

async function deliver(
  delivery: Delivery,
  tree: Placeable,
  paths: readonly string[],
  manifest: Manifest,
  family: string,
  readAgain: () => Promise<boolean>,
): Promise<Outcome> {
  const { place, arriving, base } = delivery
  let left = true
  const make = async (inline: boolean, stdin: string | Buffer): Promise<string | undefined> => {
    const { root, transport } = place
    const script = compileBundle({ root, arriving, manifest, family, ...(base === undefined ? {} : { base }), inline })
    const { code, stdout, stderr } = await transport.run(script, { stdin })
    left = code !== 0 || stdout !== ''
    if (code === 0) return undefined
    if (inline || base !== undefined) return stderr
    throw new DroverError('staging_failed', `cannot place the bundle ${root}/bundles/${manifest.hash}: ${stderr.trim()}`, {
      level: 'staging',
      ...(code === undefined ? {} : { exitCode: code }),
      outputTail: stderr.slice(-2000),
    })
  }
  try {
    const sent = base?.difference.sent ?? paths
    const packed = delivery.bySelf ? undefined : await packInline(tree.root, sent, manifest)
    if (packed === 'changed') {
      await tree.check?.(sent)
      return 'changed'
    }
    if (packed !== undefined) {
      // It is right under its name whatever happens to the tree meanwhile; only then it may not be what is wanted.
      const [refused] = await all([make(true, packed), readAgain()])
      return refused === undefined ? 'placed' : 'no_inline'
    }
    if (base === undefined || sent.length > 0)
      await all([place.transport.putTree(tree.root, sent, arriving), tree.check?.(base === undefined ? undefined : sent)])
    if (!(await readAgain())) return 'changed'
    return (await make(false, manifest.text)) === undefined ? 'placed' : 'no_base'
  } finally {
    if (left) await place.transport.remove([arriving, `${arriving}.new`]).catch(() => undefined)
  }
}

/** All settle before the first failure is thrown: what is still under way would fill what is being removed. */
async function all<const Values extends readonly unknown[]>(
  promises: Values,
): Promise<{ -readonly [At in keyof Values]: Awaited<Values[At]> }> {
  for (const one of await Promise.allSettled(promises)) if (one.status === 'rejected') throw one.reason
  return Promise.all(promises)
}

/** Undefined where the bundle is there. */
async function ask(
  place: BundlePlace,
  { manifests }: Placeable,
  manifest: Manifest,
  family: string,
  failed: Failed,
): Promise<Delivery | undefined> {
  const script = (withText: boolean): string => `cd ${quoteShell(`${place.root}/bundles`)} 2>/dev/null || exit 0
${noteUse([manifest.hash])}
[ -d ${manifest.hash} ] && { echo there; exit 0; }
read -r base 2>/dev/null < .latest/${family} || exit 0
case $base in *[!0-9a-f]*|'') exit 0 ;; esac
[ -d "$base" ] && [ -f ".manifests/$base" ] || exit 0
[ "$(wc -c < ".manifests/$base")" -le ${MOST_MANIFEST_BYTES} ] || exit 0
echo "$base"${withText ? '\ncat ".manifests/$base"' : ''}`
  const answer = async (withText: boolean): Promise<string> => {
    const { code, stdout } = await place.transport.run(script(withText))
    return code === 0 ? stdout : ''
  }
  let stdout = await answer(manifests === undefined)
  const known = manifests === undefined ? undefined : /^([0-9a-f]{64})\n$/.exec(stdout)?.[1]
  if (known !== undefined) {
    const text = await readFile(`${manifests}/${known}`, 'utf8').catch(() => undefined)
    stdout = text === undefined ? await answer(true) : `${known}\n${text}`
  }
  if (stdout === 'there\n') return undefined
  const delivery = {
    place,
    arriving: `${place.root}/bundles/.${manifest.hash}-${randomUUID()}`,
    bySelf: failed.inline === true,
  }
  const [, hash, text] = /^([0-9a-f]{64})\n(.*)$/s.exec(stdout) ?? []
  if (failed.base === true || hash === undefined || text === undefined) return delivery
  const base = parseManifest(text, hash)
  const difference = base === undefined ? undefined : compareManifests(base, manifest)
  return difference === undefined ? delivery : { ...delivery, base: { hash, difference } }
}
