import { createHash } from 'node:crypto'
import { createReadStream, lstatSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type CodeEntry, unreadable } from './walk-directory.ts'

/** The content of a directory, one line per entry. */
export interface Manifest {
  /** Name of the bundle: sha256, in hex, of `text`. */
  readonly hash: string
  /** Path → its line, sorted by path: `f 755 <sha256> "bin/x"`, `d 755 - "bin"`, `l 0 <sha256 of its text> "y"`. */
  readonly lines: ReadonlyMap<string, string>
  /** The lines, each closed by a newline. */
  readonly text: string
}

/** Entries described before other work gets its turn. */
const ENTRIES_PER_TURN = 200
/** Files hashed at one time. */
const AT_ONCE = 8
const SMALL_BYTES = 4 * 1024 ** 2
/**
 * A file whose times are younger may change once more within one tick of the file system's clock: up to 10 ms where it
 * keeps fractions of a second, else up to 2 s (FAT).
 */
const SETTLED_MS = 100
const SETTLED_WHOLE_SECONDS_MS = 2500
const MOST_KNOWN = 100_000

/** What was hashed before: a supervisor packages the same directory again and again. Path → times, size, inode; hash. */
const known = new Map<string, { readonly identity: string; readonly hash: string }>()

/**
 * Reads the content of entries. A file whose times, size and inode are those of an earlier reading is not read again. One
 * that changes while it is read gives a hash of no state; the caller compares a second reading.
 *
 * @throws DroverError `staging_failed` or `no_permission`
 */
export async function readManifest(root: string, entries: readonly CodeEntry[]): Promise<Manifest> {
  const lines: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < entries.length; at = next++) {
      const entry = entries[at]
      if (entry !== undefined) lines[at] = await describeEntry(root, entry)
      if (at % ENTRIES_PER_TURN === 0) await setImmediate()
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  } catch (error) {
    throw unreadable(root, error)
  }
  const text = lines.map((line) => `${line}\n`).join('')
  return {
    hash: createHash('sha256').update(text).digest('hex'),
    lines: new Map(entries.map(({ path }, at) => [path, lines[at] ?? ''])),
    text,
  }
}

/**
 * Reads a manifest's text back; undefined for text that is none, or whose hash is another.
 *
 * @param hash the name it was kept under
 */
export function parseManifest(text: string, hash: string): Manifest | undefined {
  if (createHash('sha256').update(text).digest('hex') !== hash) return undefined
  const lines = new Map<string, string>()
  for (const line of text.split('\n').slice(0, -1)) {
    const path: unknown = JSON.parse(/ (".*")$/.exec(line)?.[1] ?? 'null')
    if (typeof path !== 'string') return undefined
    lines.set(path, line)
  }
  return { hash, lines, text }
}

/** The content of a file or the text of a link, as its line has it. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function describeEntry(root: string, { path, type, mode }: CodeEntry): Promise<string> {
  const name = JSON.stringify(path)
  if (type === 'directory') return `d ${mode.toString(8)} - ${name}`
  if (type === 'link') return `l 0 ${hashBytes(await readlink(join(root, path), 'buffer'))} ${name}`
  return `f ${mode.toString(8)} ${await hashFile(join(root, path))} ${name}`
}

async function hashFile(path: string): Promise<string> {
  const before = identify(path)
  const earlier = known.get(path)
  if (earlier !== undefined && earlier.identity === before.identity) return earlier.hash
  const hash = before.size <= SMALL_BYTES ? hashBytes(await readFile(path)) : await hashStream(path)
  if (Date.now() - before.changedMs > before.settledMs && identify(path).identity === before.identity) {
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(path, { identity: before.identity, hash })
  }
  return hash
}

interface FileIdentity {
  readonly identity: string
  readonly size: number
  readonly changedMs: number
  readonly settledMs: number
}

function identify(path: string): FileIdentity {
  const { dev, ino, size, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true })
  // biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint.
  const youngest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  return {
    identity: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`,
    size: Number(size),
    changedMs: Number(youngest / 1_000_000n),
    settledMs: ctimeNs % 1_000_000_000n === 0n ? SETTLED_WHOLE_SECONDS_MS : SETTLED_MS,
  }
}

async function hashStream(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1024 ** 2 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
