import { createHash } from 'node:crypto'
import { chmodSync, lstatSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { DroverError } from '../errors.ts'
import { makeDirectory } from '../transports/local-files.ts'

/** Longest socket path used, bytes; the address of a unix socket holds 104 (macOS) or 108 (Linux). */
const MOST_SOCKET_BYTES = 100

/** Where Drover keeps its store and listens. */
export interface DroverHome {
  /** Absolute; exists, 0700 when Drover made it. */
  readonly home: string
  /** Absolute, at most 100 bytes; the directory exists. The same home always has the same socket. */
  readonly socketPath: string
}

/**
 * Finds (and makes) Drover's directory: `DROVER_HOME`, default `~/.drover`. The socket lies in it where the path is short
 * enough, else in `XDG_RUNTIME_DIR`, else in `/tmp/drover-<uid>`, which must be the user's own and closed to others.
 *
 * @throws DroverError `no_permission` when a directory cannot be made or belongs to someone else
 */
export function resolveHome(environment: Readonly<Record<string, string | undefined>>): DroverHome {
  const home = resolve(environment['DROVER_HOME'] || join(environment['HOME'] || homedir(), '.drover'))
  makeOwned(home)
  const inHome = join(home, 'supervisor.sock')
  if (Buffer.byteLength(inHome) <= MOST_SOCKET_BYTES) return { home, socketPath: inHome }
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const runtime = environment['XDG_RUNTIME_DIR']
  const inRuntime = runtime?.startsWith('/') ? join(runtime, `drover-${hash}.sock`) : undefined
  if (runtime !== undefined && inRuntime !== undefined && Buffer.byteLength(inRuntime) <= MOST_SOCKET_BYTES && isOwn(runtime)) {
    return { home, socketPath: inRuntime }
  }
  const directory = `/tmp/drover-${userInfo().uid}`
  makeOwned(directory)
  if (!isOwn(directory)) throw refused(directory, 'it belongs to someone else, or is a link')
  // In a directory everyone may write to, others could have made it with open permissions and the same name.
  chmodSync(directory, 0o700)
  return { home, socketPath: join(directory, `${hash}.sock`) }
}

function makeOwned(path: string): void {
  try {
    makeDirectory(path)
  } catch (error) {
    throw refused(path, error instanceof Error ? error.message : String(error), error)
  }
}

function isOwn(path: string): boolean {
  try {
    const entry = lstatSync(path)
    return entry.isDirectory() && entry.uid === userInfo().uid
  } catch {
    return false
  }
}

function refused(path: string, why: string, cause?: unknown): DroverError {
  return new DroverError('no_permission', `cannot use the directory ${path}: ${why}`, {
    level: 'config',
    cause,
    hint: 'Set DROVER_HOME to a directory of yours on a local disk.',
  })
}
