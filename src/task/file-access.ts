import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'

/** The little that reading a task needs of the file system. Paths are absolute. */
export interface FileAccess {
  exists(path: string): boolean
  /** The whole file as UTF-8; throws when it cannot be read. */
  readText(path: string): string
  /** Home directory of the user, absolute; what `~` stands for. */
  readonly homedir: string
}

/** The real file system of this machine. */
export function localFileAccess(): FileAccess {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return { exists: existsSync, readText: (path) => decoder.decode(readFileSync(path)), homedir: homedir() }
}
