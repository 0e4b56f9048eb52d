import { createReadStream } from 'node:fs'
import { DroverError } from '../errors.ts'

/** One thing in an exported archive. */
export interface ArchiveEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'link'
  /** Permission bits. */
  readonly mode: number
  /** A link's text, a small file's content; empty for a directory. */
  readonly bytes?: Buffer
  /** A file of this machine, in place of `bytes`. */
  readonly from?: { readonly path: string; readonly size: number }
}

/** Every entry of an archive carries this time, 1980-01-01 (the first a zip can name): the same content gives the same bytes. */
export const ENTRY_TIME_SECONDS = Date.UTC(1980, 0, 1) / 1000

/** Size of an entry's content, bytes. */
export function entrySize({ bytes, from }: ArchiveEntry): number {
  return from?.size ?? bytes?.length ?? 0
}

/** The content of an entry. @throws DroverError `staging_failed` where a file has another size than it had */
export async function* readEntry({ bytes, from }: ArchiveEntry): AsyncGenerator<Buffer> {
  if (from === undefined) {
    if (bytes !== undefined && bytes.length > 0) yield bytes
    return
  }
  let read = 0
  for await (const piece of createReadStream(from.path, { highWaterMark: 256 * 1024 })) {
    read += (piece as Buffer).length
    if (read <= from.size) yield piece as Buffer
  }
  if (read === from.size) return
  throw new DroverError('staging_failed', `cannot package ${from.path}: it changes while it is read`, { level: 'staging', transient: true })
}
