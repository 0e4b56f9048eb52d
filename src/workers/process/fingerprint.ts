import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** What comes into being by running a worker, and is none of its code. */
const MADE: readonly string[] = ['.venv', '__pycache__', '.git', 'node_modules', '.pytest_cache', '.ruff_cache']

/** What a worker is made of, as a hash: the content of a file, or of all files below a folder. Undefined where that can't be read. */
export async function fingerprintOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    await add(hash, await realpath(path), '')
  } catch {
    // Not known: the caller then trusts no version but that of the name.
    return undefined
  }
  return hash.digest('hex')
}

async function add(hash: Hash, path: string, name: string): Promise<void> {
  const stats = await stat(path)
  hash.update(JSON.stringify([name, stats.isDirectory(), stats.isFile() ? stats.size : 0]))
  if (stats.isFile()) await pipeline(createReadStream(path), hash, { end: false })
  if (!stats.isDirectory()) return
  for (const entry of (await readdir(path)).sort()) if (!MADE.includes(entry)) await add(hash, join(path, entry), `${name}/${entry}`)
}
