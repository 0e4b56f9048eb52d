import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { DroverError } from '../errors.ts'

/** A lock older than this was left by a process that died, ms: a change takes milliseconds. */
const STALE_MS = 30_000

/** Writes a file under a temporary name, flushes it, and renames it into place: readers see the old text or the new one. */
export function replaceFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    const file = openSync(temporary, 'wx', mode)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw writeFailed(path, error)
  }
}

/** Removes a file; a missing one is no error. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw writeFailed(path, error)
  }
}

/**
 * Runs `work` while no other process is in a call for the same path (`<path>.lock`), so that of two changes at one moment
 * none is lost.
 *
 * @throws DroverError `conflict` (transient) when the lock is held for longer than 5 s
 */
export async function withFileLock<T>(path: string, work: () => T): Promise<T> {
  const lock = `${path}.lock`
  for (const deadline = Date.now() + 5_000; !takeLock(lock, path); ) {
    if (Date.now() > deadline)
      throw new DroverError('conflict', `${path} is being changed by another process`, {
        level: 'config',
        transient: true,
        hint: `If none is at work, remove ${lock}.`,
      })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  try {
    return work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function takeLock(lock: string, path: string): boolean {
  try {
    closeSync(openSync(lock, 'wx', 0o600))
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw writeFailed(path, error)
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs
    if (since !== undefined && Date.now() - since > STALE_MS) rmSync(lock, { force: true })
    return false
  }
}

function writeFailed(path: string, error: unknown): DroverError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  return new DroverError(
    code === 'ENOSPC' || code === 'EDQUOT' ? 'no_space' : 'no_permission',
    `cannot write ${path}: ${code === 'EACCES' || code === 'EPERM' ? 'permission denied' : (code ?? String(error))}`,
    {
      level: 'config',
      cause: error,
      hint: code === 'ENOSPC' || code === 'EDQUOT' ? 'Free some space.' : 'Make its directory writable for you.',
    },
  )
}
