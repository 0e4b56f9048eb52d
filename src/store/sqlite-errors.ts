import { DroverError } from '../errors.ts'

/** Result codes of SQLite (sqlite.org/rescode.html); the low byte of what `node:sqlite` puts on an error as `errcode`. */
const PERM = 3
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26
/** No room to grow the shared-memory file beside the store. */
const IOERR_SHMSIZE = 4874

/** SQLite's result code of an error; undefined for anything that is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const code = Reflect.get(error, 'errcode')
  return typeof code === 'number' ? code : undefined
}

/** True when the file's content is at fault, so that a check of the whole file tells more. */
export function isDamage(error: unknown): boolean {
  const primary = (sqliteCode(error) ?? 0) & 0xff
  return primary === CORRUPT || primary === NOTADB
}

/** What SQLite or the file system said of the store at `path`, as Drover's error. Errors of other origin are returned as they are. */
export function storeError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof DroverError) return error
  const code = sqliteCode(error)
  if (code === undefined) return fileSystemError(error, path)
  const primary = code & 0xff
  const cause = error
  if (primary === FULL || code === IOERR_SHMSIZE) return noSpace(path, cause)
  if (primary === READONLY || primary === PERM) return noPermission(path, 'write to', cause)
  if (primary === CANTOPEN) return noPermission(path, 'open', cause)
  if (primary === CORRUPT || primary === NOTADB) return damaged(path, error.message, cause)
  if (primary === BUSY || primary === LOCKED) {
    return new DroverError('store_unusable', `cannot use the store ${path}: another process holds it (${error.message})`, {
      level: 'config',
      transient: true,
      cause,
      hint: `Only one supervisor opens a store. Ask it instead, or end the process that holds the file: fuser -v ${path}`,
    })
  }
  if (primary === IOERR) {
    return new DroverError('store_unusable', `cannot read or write the store ${path}: ${error.message} (SQLite code ${code})`, {
      level: 'config',
      transient: true,
      cause,
      hint: 'Nothing of the last change was kept. Check the disk or the mount under it.',
    })
  }
  if (primary === CONSTRAINT) {
    return new DroverError('conflict', `cannot store that: ${error.message}`, { level: 'internal', cause })
  }
  return new DroverError('internal', `the store ${path} refused a statement: ${error.message}`, { level: 'internal', cause })
}

/** The error for a file that holds no sound store. `finding` is what was found, in SQLite's words where it spoke. */
export function damaged(path: string, finding: string, cause?: unknown): DroverError {
  return new DroverError('store_unusable', `cannot use the store ${path}: ${finding}`, {
    level: 'config',
    ...(cause === undefined ? {} : { cause }),
    hint:
      `The file was left untouched, and running jobs are not affected: how they end stands in the exit records of their job directories. ` +
      `Keep a copy (cp -p ${path}* /some/safe/place/), then put a backup in its place, or move it away to begin with an empty store.`,
  })
}

function noSpace(path: string, cause: unknown): DroverError {
  return new DroverError('no_space', `cannot write the store ${path}: the disk or quota is full`, {
    level: 'config',
    transient: true,
    cause,
    hint: 'The change was not kept, the store is as it was before. Make room, then try again.',
  })
}

function noPermission(path: string, verb: string, cause: unknown): DroverError {
  return new DroverError('no_permission', `cannot ${verb} the store ${path}: no permission, or a read-only file system`, {
    level: 'config',
    cause,
    hint: 'The file and its directory must be writable by you. Change their permissions, or set DROVER_HOME to another directory.',
  })
}

function fileSystemError(error: Error, path: string): unknown {
  switch (Reflect.get(error, 'code')) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return noPermission(path, 'open', error)
    case 'ENOSPC':
    case 'EDQUOT':
      return noSpace(path, error)
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return new DroverError('store_unusable', `cannot use the store ${path}: ${error.message}`, {
        level: 'config',
        cause: error,
        hint: 'Set DROVER_HOME to a directory.',
      })
    default:
      return error
  }
}
