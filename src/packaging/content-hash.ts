import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type CodeEntry, unreadable } from './walk-directory.ts'

/**
 * The name of a bundle: sha256, in hex, over the sorted entries, each as `<type> <mode> <bytes of path>:<path><bytes of
 * content>:<content>` (a link's content is its text, a directory's is empty). Lengths keep neighbours apart. A file that
 * changes while it is read gives a hash of no state; the caller compares a second reading.
 *
 * @throws DroverError `staging_failed` or `no_permission`
 */
export async function hashEntries(root: string, entries: readonly CodeEntry[]): Promise<string> {
  const hash = createHash('sha256')
  try {
    for (const { path, type, mode } of entries) {
      hash.update(`${type} ${type === 'link' ? 0 : mode.toString(8)} ${Buffer.byteLength(path)}:${path}`)
      if (type === 'link') {
        const text = await readlink(join(root, path), 'buffer')
        hash.update(`${text.length}:`).update(text)
      } else if (type === 'file') {
        hash.update(`${(await lstat(join(root, path))).size}:`)
        for await (const piece of createReadStream(join(root, path))) hash.update(piece as Buffer)
      } else hash.update('0:')
    }
  } catch (error) {
    throw unreadable(root, error)
  }
  return hash.digest('hex')
}
