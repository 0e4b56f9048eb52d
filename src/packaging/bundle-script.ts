import { quoteShell } from '../driver/quote.ts'
import { noteUse } from './collect-bundles.ts'
import type { Manifest } from './content-hash.ts'
import type { Difference } from './manifest-difference.ts'

/** Paths on one line of a script. */
const CHUNK = 200

/** A bundle that is to appear on a target. */
export interface BundleToMake {
  /** Drover's directory there, absolute. */
  readonly root: string
  /** Where what was sent lies, beside the bundle's final place. */
  readonly arriving: string
  readonly manifest: Manifest
  /** 32 hex digits. */
  readonly family: string
  /** The earlier bundle of which it is made, together with what was sent. */
  readonly base?: { readonly hash: string; readonly difference: Difference }
  /** True: what was sent, and the manifest, are a tar archive on stdin (`packInline`); else stdin is the manifest. */
  readonly inline: boolean
}

/** Name of the manifest inside an archive that carries one; no entry of the bundle can have it, for the hash is that of them all. */
export function inlineManifestName(hash: string): string {
  return `.manifest-${hash}`
}

/**
 * The program that gives a bundle its name; complete, or not at all. It prints `left` where something of its own is still
 * there: another client was faster.
 */
export function compileBundle({ root, arriving, manifest, family, base, inline }: BundleToMake): string {
  return [
    PRELUDE,
    `mkdir -p ${quoteShell(`${root}/bundles`)}`,
    `cd ${quoteShell(`${root}/bundles`)}`,
    `hash=${manifest.hash} arriving=${quoteShell(arriving)} family=${family}`,
    'mkdir -p .manifests .families .latest',
    ...(inline ? [UNPACK] : []),
    ...(base === undefined ? [] : [compileRebuild(base.hash, base.difference, manifest)]),
    ...(inline && base === undefined ? [`cd "$arriving"\n${countCheck(manifest, 'what arrived')}\ncd - > /dev/null`] : []),
    ...(inline ? [] : ['cat > ".manifests/$hash-$$"']),
    CLOSE,
  ].join('\n')
}

const PRELUDE = `set -e
umask 077
open() { for one; do [ ! -d "$one" ] || chmod u+rwx "$one"; done; }`

// -m: times are those of the arrival, as of everything that is copied to a bundle.
const UNPACK = `command -v tar > /dev/null
mkdir "$arriving"
(cd "$arriving" && exec tar -xpmf -)
mv "$arriving/.manifest-$hash" ".manifests/$hash-$$"`

// A directory that another client put there in the meantime holds the same; the own one is dropped.
const CLOSE = `${noteUse(['"$hash"'])}
echo "$family" > ".families/$hash-$$"
mv -f ".families/$hash-$$" ".families/$hash"
mv -f ".manifests/$hash-$$" ".manifests/$hash"
mv -T -- "$arriving" "$hash" 2>/dev/null || [ -d "$hash" ] || mv "$arriving" "$hash"
echo "$hash" > ".latest/$family-$$"
mv -f ".latest/$family-$$" ".latest/$family"
[ ! -e "$arriving" ] || echo left`

/** Refuses what has not as many entries as the manifest. */
function countCheck({ lines }: Manifest, what: string): string {
  // Every name is a line of find's output, and each newline in a name makes one more.
  const names = [...lines.keys()].reduce((sum, path) => sum + path.split('\n').length, 1)
  return `[ "$(find . | wc -l)" -eq ${names} ] || { echo "${what} has other entries" >&2; exit 3; }`
}

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
${countCheck(manifest, `the bundle made of ${base}`)}
cd - > /dev/null
[ ! -d "$arriving" ] || find "$arriving" -type d ! -perm -700 -exec chmod u+rwx {} ';'
rm -rf "$arriving"
mv "$new" "$arriving"`
}
