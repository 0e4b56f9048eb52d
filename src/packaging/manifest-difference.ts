import { dirname } from 'node:path'
import type { Manifest } from './content-hash.ts'

/** What turns one bundle into another. */
export interface Difference {
  /** Entries to send, with the directories above them, sorted. */
  readonly sent: readonly string[]
  /** Trees to remove from a copy of the first before that; a changed file is removed, for the copy shares its content. */
  readonly removed: readonly string[]
  /** Every directory in which something changes, with its final mode in octal, the deepest first. */
  readonly directories: readonly { readonly path: string; readonly mode: string }[]
}

/** Beyond this share of a bundle's entries all of it is sent: one stream of files is faster than many corrections. */
const MOST_CHANGED = 0.5
const FEW = 64

/** Compares two manifests; undefined where so much differs that sending all is better. Pure. */
export function compareManifests(from: Manifest, to: Manifest): Difference | undefined {
  const changed = [...to.lines].flatMap(([path, line]) => (from.lines.get(path) === line ? [] : [path]))
  const gone = [...from.lines.keys()].filter((path) => !to.lines.has(path))
  if (changed.length + gone.length > Math.max(FEW, to.lines.size * MOST_CHANGED)) return undefined
  const isDirectory = (manifest: Manifest, path: string): boolean => manifest.lines.get(path)?.startsWith('d ') === true
  const removed = new Set(gone)
  for (const path of changed) if (from.lines.has(path) && !(isDirectory(from, path) && isDirectory(to, path))) removed.add(path)
  const touched = new Set<string>()
  const above = (path: string): void => {
    for (let at = dirname(path); at !== '.' && !touched.has(at); at = dirname(at)) touched.add(at)
  }
  for (const path of [...changed, ...gone]) above(path)
  for (const path of changed) if (isDirectory(to, path)) touched.add(path)
  const sent = new Set(changed)
  for (const path of changed) for (let at = dirname(path); at !== '.'; at = dirname(at)) sent.add(at)
  return {
    sent: [...sent].sort(),
    removed: [...removed].filter((path) => !removed.has(dirname(path))).sort(),
    directories: [...touched]
      .filter((path) => isDirectory(to, path))
      .sort()
      .reverse()
      .map((path) => ({ path, mode: to.lines.get(path)?.split(' ')[1] ?? '700' })),
  }
}
