import { createHash, randomUUID } from 'node:crypto'
import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import type { Transport } from '../transports/transport.ts'
import { type CodeTree, changing } from './code-tree.ts'
import { type Manifest, parseManifest, readManifest } from './content-hash.ts'
import { compareManifests, type Difference } from './manifest-difference.ts'
import type { CodeEntry } from './walk-directory.ts'

/** One target, or one node of it. */
export interface BundlePlace {
  /** Drover's directory there, absolute. */
  readonly root: string
  readonly transport: Transport
}

/** Times a directory that changes under the reader is read before giving up. */
const TRIES = 4
/** Paths on one line of a script. */
const CHUNK = 200
/** Largest manifest that is fetched for a comparison, bytes; beyond it all files are sent. */
const MOST_MANIFEST_BYTES = 16 * 1024 ** 2

/** A place that lacks the bundle, and how it gets it. */
interface Delivery {
  readonly place: BundlePlace
  /** Temporary name, beside the bundle. */
  readonly arriving: string
  readonly base?: { readonly hash: string; readonly difference: Difference }
}

/** The name of a family of bundles: those of one directory, one repository, whatever its state. 32 hex digits. */
export function bundleFamily(of: string): string {
  return createHash('sha256').update(of).digest('hex').slice(0, 32)
}

/**
 * Sees to it that every place has the bundle of a tree, and resolves to its hash. Where it is there, that is one round
 * trip and nothing is sent. Else the target's latest bundle of the same family is taken, by hard links, and only what
 * differs is sent; without one, all is. A bundle appears complete, under its name, or not at all.
 *
 * On a target: `bundles/<hash>/`, `bundles/.manifests/<hash>` (its content), `bundles/.families/<hash>` (its family),
 * `bundles/.latest/<family>` (a hash).
 *
 * @param family from `bundleFamily`: chooses the earlier bundle
 * @throws DroverError `staging_failed`, `no_space`, `no_permission`, `transport_failed`
 */
export async function placeBundle(tree: CodeTree, family: string, places: readonly BundlePlace[]): Promise<string> {
  const read = async (): Promise<{ readonly entries: readonly CodeEntry[]; readonly manifest: Manifest }> => {
    const entries = await tree.list()
    return { entries, manifest: await readManifest(tree.root, entries) }
  }
  const withoutBase = new Set<BundlePlace>()
  let now = await read()
  for (let tries = 0; tries < TRIES; tries++) {
    const { entries, manifest } = now
    const asked = await Promise.all(places.map((place) => ask(place, manifest, family, withoutBase.has(place))))
    const deliveries = asked.filter((delivery) => delivery !== undefined)
    if (deliveries.length === 0) return manifest.hash
    try {
      await all(deliveries.map((delivery) => send(delivery, tree, entries)))
      // What was sent is what was hashed only if nothing changed meanwhile.
      if (!tree.still) now = await read()
      if (now.manifest.hash !== manifest.hash) continue
      const placed = await all(deliveries.map((delivery) => commit(delivery, manifest, family)))
      if (placed.every(Boolean)) return manifest.hash
      for (const [index, { place }] of deliveries.entries()) if (placed[index] === false) withoutBase.add(place)
    } finally {
      await Promise.allSettled(deliveries.map(({ place, arriving }) => place.transport.remove([arriving, `${arriving}.new`])))
    }
  }
  throw changing(tree.root)
}

/** All settle before the first failure is thrown: what is still under way would fill what is being removed. */
async function all<Value>(promises: readonly Promise<Value>[]): Promise<readonly Value[]> {
  const settled = await Promise.allSettled(promises)
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

/** Undefined where the bundle is there. */
async function ask(place: BundlePlace, manifest: Manifest, family: string, withoutBase: boolean): Promise<Delivery | undefined> {
  const { code, stdout } = await place.transport.run(`cd ${quoteShell(`${place.root}/bundles`)} 2>/dev/null || exit 0
[ -d ${manifest.hash} ] && { echo there; exit 0; }
read -r base 2>/dev/null < .latest/${family} || exit 0
case $base in *[!0-9a-f]*|'') exit 0 ;; esac
[ -d "$base" ] && [ -f ".manifests/$base" ] || exit 0
[ "$(wc -c < ".manifests/$base")" -le ${MOST_MANIFEST_BYTES} ] || exit 0
echo "$base"
cat ".manifests/$base"`)
  if (code === 0 && stdout === 'there\n') return undefined
  const delivery = { place, arriving: `${place.root}/bundles/.${manifest.hash}-${randomUUID()}` }
  const [, hash, text] = /^([0-9a-f]{64})\n(.*)$/s.exec(stdout) ?? []
  if (code !== 0 || withoutBase || hash === undefined || text === undefined) return delivery
  const base = parseManifest(text, hash)
  const difference = base === undefined ? undefined : compareManifests(base, manifest)
  return difference === undefined ? delivery : { ...delivery, base: { hash, difference } }
}

async function send({ place, arriving, base }: Delivery, tree: CodeTree, entries: readonly CodeEntry[]): Promise<void> {
  const sent = base?.difference.sent ?? entries.map((entry) => entry.path)
  if (base !== undefined && sent.length === 0) return
  await place.transport.putTree(tree.root, sent, arriving)
}

/** Gives the bundle its name. False: it could not be made from an earlier one, and must be sent whole. */
async function commit({ place, arriving, base }: Delivery, manifest: Manifest, family: string): Promise<boolean> {
  const script = [
    PRELUDE,
    `cd ${quoteShell(`${place.root}/bundles`)}`,
    `hash=${manifest.hash} arriving=${quoteShell(arriving)} family=${family}`,
    ...(base === undefined ? [] : [compileRebuild(base.hash, base.difference, manifest)]),
    CLOSE,
  ].join('\n')
  const { code, stderr } = await place.transport.run(script, { stdin: manifest.text })
  if (code === 0) return true
  if (base !== undefined) return false
  throw new DroverError('staging_failed', `cannot place the bundle ${place.root}/bundles/${manifest.hash}: ${stderr.trim()}`, {
    level: 'staging',
    ...(code === undefined ? {} : { exitCode: code }),
    outputTail: stderr.slice(-2000),
  })
}

const PRELUDE = `set -e
umask 077
open() { for one; do [ ! -d "$one" ] || chmod u+rwx "$one"; done; }`

// A directory that another client put there in the meantime holds the same; the own one is dropped.
const CLOSE = `mkdir -p .manifests .families .latest
echo "$family" > ".families/$hash-$$"
mv -f ".families/$hash-$$" ".families/$hash"
cat > ".manifests/$hash-$$"
mv -f ".manifests/$hash-$$" ".manifests/$hash"
mv -T -- "$arriving" "$hash" 2>/dev/null || [ -d "$hash" ] || mv "$arriving" "$hash"
echo "$hash" > ".latest/$family-$$"
mv -f ".latest/$family-$$" ".latest/$family"`

/**
 * Lines that make a bundle from an earlier one: all of it by hard links (copies where there are none), without what is
 * gone or changed, with what was sent. A count at the end refuses a bundle that somebody has been at.
 */
function compileRebuild(base: string, { removed, directories }: Difference, manifest: Manifest): string {
  const here = (paths: readonly string[]): string => paths.map((path) => quoteShell(`./${path}`)).join(' ')
  const inChunks = (command: string, paths: readonly string[]): readonly string[] =>
    Array.from({ length: Math.ceil(paths.length / CHUNK) }, (_, at) => `${command} ${here(paths.slice(at * CHUNK, (at + 1) * CHUNK))}`)
  const modes = new Map<string, string[]>()
  for (const { path, mode } of directories) modes.set(mode, [...(modes.get(mode) ?? []), path])
  // Every name is a line of find's output, and each newline in a name makes one more.
  const names = [...manifest.lines.keys()].reduce((sum, path) => sum + path.split('\n').length, 1)
  return `new=$arriving.new link=l
cp -RPpl ${base} "$new" 2>/dev/null || { rm -rf "$new"; link=; cp -RPp ${base} "$new"; }
cd "$new"
${inChunks(
  'open',
  directories.map(({ path }) => path),
).join('\n')}
${inChunks('rm -rf --', removed).join('\n')}
[ ! -d "$arriving" ] || cp -RPp$link "$arriving/." ./
${[...modes].flatMap(([mode, paths]) => inChunks(`chmod ${mode}`, paths)).join('\n')}
[ "$(find . | wc -l)" -eq ${names} ] || { echo "the bundle ${base} was changed" >&2; exit 3; }
cd - > /dev/null
rm -rf "$arriving"
mv "$new" "$arriving"`
}
