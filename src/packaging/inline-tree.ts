import { lstatSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveEntry } from './archive-entry.ts'
import { inlineManifestName } from './bundle-script.ts'
import { hashBytes, type Manifest } from './content-hash.ts'
import { fitsUstar, writeTar } from './tar-writer.ts'

/** More than this is a transfer of its own: with progress, and resumed when it was cut off. */
const MOST_BYTES = 4 * 1024 ** 2
const MOST_ENTRIES = 500

/**
 * A few small entries of a tree, with its manifest, as a tar archive that travels with the script which makes the bundle:
 * one round trip for all. Every byte is compared with the manifest on its way. `changed`: the tree is no longer what the
 * manifest says; undefined: too much, or names that not every tar reads.
 *
 * @param sent sorted, directories before what they hold
 */
export async function packInline(root: string, sent: readonly string[], manifest: Manifest): Promise<Buffer | 'changed' | undefined> {
  if (sent.length > MOST_ENTRIES) return undefined
  const text = Buffer.from(manifest.text)
  const entries: ArchiveEntry[] = [{ path: inlineManifestName(manifest.hash), type: 'file', mode: 0o600, bytes: text }]
  let total = 0
  for (const path of sent) {
    const [type, octal = '', hash] = (manifest.lines.get(path) ?? '').split(' ', 3)
    const mode = Number.parseInt(octal, 8)
    if (!fitsUstar(path)) return undefined
    const bytes = type === 'd' ? undefined : await readSmall(join(root, path), type === 'l', MOST_BYTES - total)
    if (bytes === 'large') return undefined
    if (type !== 'd' && (bytes === undefined || hashBytes(bytes) !== hash)) return 'changed'
    if (type === 'l' && !fitsUstar(path, bytes)) return undefined
    total += bytes?.length ?? 0
    entries.push({
      path,
      mode,
      type: type === 'd' ? 'directory' : type === 'l' ? 'link' : 'file',
      ...(bytes === undefined ? {} : { bytes }),
    })
  }
  const pieces: Buffer[] = []
  for await (const piece of writeTar(entries)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Undefined where it cannot be read. */
async function readSmall(path: string, isLink: boolean, most: number): Promise<Buffer | 'large' | undefined> {
  try {
    if (isLink) return await readlink(path, 'buffer')
    if (lstatSync(path).size > most) return 'large'
    return await readFile(path)
  } catch {
    // The next reading of the tree says what is wrong with it.
    return undefined
  }
}
