import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DroverError, InputError } from '../errors.ts'
import { nearestName } from '../task/nearest-name.ts'
import { makeDirectory } from '../transports/local-files.ts'
import { projectConfigPath, readConfigFile, siteConfigPath, userConfigPath } from './config-files.ts'
import { readConfigText } from './config-reader.ts'
import { type DatabaseEntry, formatDatabaseUri, parseDatabaseUri, readDatabase } from './parse-database.ts'
import { removeFile, replaceFile } from './replace-file.ts'

/** Whose files are read for databases, and where passwords are. */
export interface DatabasePlaces {
  /** Drover's home. */
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Absolute; undefined: no project file is read. */
  readonly clientDirectory?: string | undefined
}

/** A database as the files have it, and where its password comes from. */
export interface KnownDatabase extends DatabaseEntry {
  readonly password: 'command' | 'stored' | 'none'
}

/**
 * Databases of the site's, the user's and the project's file by name; a later file's entry stands in place of an earlier
 * one's. Only `databases` is read: a mistake elsewhere in a file is not this call's matter.
 *
 * @throws DroverError `invalid_config` with file, line and column
 */
export function loadDatabases(places: DatabasePlaces): ReadonlyMap<string, KnownDatabase> {
  const { environment, clientDirectory, home } = places
  const found = new Map<string, KnownDatabase>()
  const project = clientDirectory === undefined ? undefined : projectConfigPath(clientDirectory, [])
  for (const path of [siteConfigPath(environment), userConfigPath(environment), project]) {
    const text = path === undefined ? undefined : readConfigFile(path)
    if (path === undefined || text === undefined) continue
    const reader = readConfigText(text, path)
    const entry = reader.entriesOf(reader.asMap(reader.contents, 'the file', 0), 'the file').find(({ key }) => key === 'databases')
    if (entry === undefined) continue
    for (const written of reader.entriesOf(reader.asMap(entry.node, 'databases', entry.at), 'databases')) {
      const database = readDatabase(reader, written)
      const password = database.passwordCommand !== undefined ? 'command' : storedPassword(home, database) === undefined ? 'none' : 'stored'
      found.set(database.name, { ...database, password })
    }
  }
  return found
}

/** The database of a name; throws InputError `invalid_argument` with the nearest name. */
export function findDatabase(databases: ReadonlyMap<string, KnownDatabase>, name: string): KnownDatabase {
  const found = databases.get(name)
  if (found !== undefined) return found
  const near = nearestName(name, databases.keys())
  throw new InputError('invalid_argument', `no database "${name}"`, {
    hint: near === undefined ? `Register it: drover db add ${name} --uri postgresql://user@host:5432/name` : `Did you mean "${near}"?`,
  })
}

/**
 * The URI of a registered database with its password, as Optuna and SQLAlchemy take it. It is a secret: hand it to a job as
 * one, and print it nowhere.
 *
 * @throws InputError `invalid_argument` for a name that is not registered; DroverError `missing_secret` when the password
 * command fails or prints nothing, `invalid_config` for a file that is wrong
 */
export async function databaseUri(name: string, places: DatabasePlaces): Promise<string> {
  const database = findDatabase(loadDatabases(places), name)
  const address = parseDatabaseUri(database.uri)
  if (address === undefined) throw new DroverError('internal', `the address of database "${name}" cannot be read`, { level: 'internal' })
  const password =
    database.passwordCommand === undefined
      ? storedPassword(places.home, database)
      : await askCommand(name, database.passwordCommand, places.environment)
  return formatDatabaseUri({ ...address, ...(password === undefined ? {} : { password }) })
}

async function askCommand(name: string, command: string, environment: DatabasePlaces['environment']): Promise<string> {
  const failed = (why: string, cause?: unknown): DroverError =>
    new DroverError('missing_secret', `the password of database "${name}" is not to be had: ${why}`, {
      level: 'config',
      cause,
      hint: `Try its password_command by hand, or: drover db edit ${name} --password-stdin`,
    })
  let printed: string
  try {
    const child = promisify(execFile)('/bin/sh', ['-c', command], { env: { ...environment }, timeout: 60_000, maxBuffer: 64 * 1024 })
    child.child.stdin?.end()
    printed = (await child).stdout
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    throw failed(`its password_command failed${typeof code === 'number' ? ` (exit ${code})` : ''}`)
  }
  const password = printed.replace(/\r?\n$/, '')
  if (password === '') throw failed('its password_command printed nothing')
  return password
}

const secretPath = (home: string, name: string): string => join(home, 'secrets', `database-${name}.json`)

/** A stored password belongs to one account at one address: it never goes to another host that a file names by the same name. */
const accountOf = (uri: string): string => {
  const address = parseDatabaseUri(uri)
  return address === undefined ? '' : `${address.user}@${address.host}`
}

function storedPassword(home: string, { name, uri }: DatabaseEntry): string | undefined {
  let read: unknown
  try {
    read = JSON.parse(readFileSync(secretPath(home, name), 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new DroverError('missing_secret', `the stored password of database "${name}" cannot be read: ${secretPath(home, name)}`, {
      level: 'config',
      hint: `Give it again: drover db edit ${name} --password-stdin`,
    })
  }
  if (typeof read !== 'object' || read === null || !('password' in read) || !('account' in read)) return undefined
  return read.account === accountOf(uri) && typeof read.password === 'string' ? read.password : undefined
}

/** Keeps the password of an account of a database in a file of its own below Drover's home (0600). */
export function storeDatabasePassword(home: string, name: string, uri: string, password: string): void {
  makeDirectory(join(home, 'secrets'))
  replaceFile(secretPath(home, name), `${JSON.stringify({ account: accountOf(uri), password })}\n`, 0o600)
}

/** Forgets it; none is no error. */
export function forgetDatabasePassword(home: string, name: string): void {
  removeFile(secretPath(home, name))
}
