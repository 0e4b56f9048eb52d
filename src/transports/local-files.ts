import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { freshSize } from './fresh-size.ts'
import type { FilePiece, FileToWrite } from './transport.ts'
import { fileError, systemCode } from './transport-errors.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants

/**
 * Makes a directory (0700) and its parents. A link in its place is followed only when it is the user's own (or root's)
 * and leads to a directory: nobody else can then choose where files go.
 *
 * @throws DroverError as `fileError`
 */
export function makeDirectory(path: string): void {
  try {
    if (makeWithParents(path)) return
    const entry = lstatSync(path)
    const own = entry.uid === 0 || process.getuid === undefined || entry.uid === process.getuid()
    if (entry.isSymbolicLink() && !own) throw Object.assign(new Error('link of another user'), { code: 'EPERM' })
  } catch (error) {
    throw fileError('make directory', path, error)
  }
}

/**
 * True when the directory was made, false when something is there already. Not by `recursive: true`, which never returns
 * where an existing directory answers ENOENT to a mkdir in it (/proc, autofs mounts, a removed directory).
 */
function makeWithParents(path: string): boolean {
  try {
    mkdirSync(path, 0o700)
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') {
      if (!statSync(path).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
      return false
    }
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error
  }
  makeWithParents(dirname(path))
  mkdirSync(path, 0o700)
  return true
}

/**
 * Writes one file with its mode. A regular file is overwritten in place (whoever reads it by name goes on reading it);
 * a link or a special file is removed first, never written through.
 *
 * @throws DroverError as `fileError`
 */
export function writeFileInPlace(file: FileToWrite): void {
  let descriptor: number | undefined
  try {
    descriptor = openForWriting(file.path, file.mode)
    // Before the content, so that a secret is never readable by others; the mode given to open is cut by the umask.
    fchmodSync(descriptor, file.mode)
    const bytes = typeof file.content === 'string' ? Buffer.from(file.content) : file.content
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
  } catch (error) {
    throw fileError('write', file.path, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function openForWriting(path: string, mode: number): number {
  for (let tries = 0; ; tries++) {
    try {
      return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST' || tries > 4) throw error
    }
    try {
      const entry = lstatSync(path)
      if (entry.isFile()) return openSync(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK)
      // A directory makes unlink fail, with the error that is shown.
      unlinkSync(path)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ELOOP') throw error
    }
  }
}

/** Reads one piece of a file. A missing file is an answer, not an error. @throws DroverError as `fileError` */
export function readPiece(piece: { readonly path: string; readonly offset: number; readonly maxBytes: number }): FilePiece {
  const { path, offset } = piece
  let descriptor: number
  try {
    // Without blocking: a pipe put in a file's place must not stop the process.
    descriptor = openSync(path, O_RDONLY | O_NONBLOCK)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { path, offset, bytes: new Uint8Array(0), size: 0, missing: true }
    throw fileError('read', path, error)
  }
  try {
    const size = freshSize(descriptor, path)
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(piece.maxBytes, size - offset)))
    let filled = 0
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, offset + filled)
      if (count === 0) break
      filled += count
    }
    return { path, offset, bytes: bytes.subarray(0, filled), size, missing: false }
  } catch (error) {
    throw fileError('read', path, error)
  } finally {
    closeSync(descriptor)
  }
}
