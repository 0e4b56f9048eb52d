import { type Document, isMap } from 'yaml'
import { InputError } from '../errors.ts'
import { findDatabase, forgetDatabasePassword, type KnownDatabase, loadDatabases, storeDatabasePassword } from '../targets/databases.ts'
import { editConfigFile, mapAt } from '../targets/edit-config.ts'
import { type DatabaseAddress, formatDatabaseUri, parseDatabaseUri } from '../targets/parse-database.ts'
import type { Cli } from './cli.ts'
import { configContext, configPath } from './config-context.ts'

/** Flags of `drover db add` and `edit`, as commander gives them. */
export interface DatabaseFlags {
  readonly uri?: string
  readonly type?: 'postgres' | 'mysql'
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly database?: string
  readonly passwordStdin?: boolean
  readonly passwordCommand?: string
  readonly project?: boolean
}

/** The address that the flags make of the one before; the message of a refusal never shows what may hold a password. */
function addressOf(name: string, flags: DatabaseFlags, before: DatabaseAddress | undefined): DatabaseAddress {
  if (flags.uri !== undefined) {
    const address = parseDatabaseUri(flags.uri)
    if (address !== undefined) return address
    throw new InputError('invalid_argument', '--uri is no address of a PostgreSQL or MySQL database', {
      hint: 'For example: postgresql://user@host:5432/name; signs such as / or ? in a password are written %2F, %3F.',
    })
  }
  const [, oldHost = '', oldPort] = /^(.*?)(?::(\d+))?$/.exec(before?.host ?? '') ?? []
  const host = flags.host === undefined ? oldHost : flags.host.includes(':') && !flags.host.startsWith('[') ? `[${flags.host}]` : flags.host
  if (host === '') throw new InputError('invalid_argument', `database "${name}" needs --uri, or --host with --type`)
  const port = flags.port ?? oldPort
  const type = flags.type === undefined ? undefined : flags.type === 'mysql' ? 'mysql' : 'postgresql'
  const address: DatabaseAddress = {
    scheme: type ?? before?.scheme ?? 'postgresql',
    user: flags.user ?? before?.user ?? '',
    host: port === undefined ? host : `${host}:${port}`,
    rest: flags.database === undefined ? (before?.rest ?? `/${encodeURIComponent(name)}`) : `/${encodeURIComponent(flags.database)}`,
  }
  if (parseDatabaseUri(formatDatabaseUri(address)) !== undefined) return address
  throw new InputError('invalid_argument', `no address of a database: ${formatDatabaseUri(address)}`)
}

async function save(cli: Cli, name: string, flags: DatabaseFlags, before: KnownDatabase | undefined): Promise<void> {
  const context = configContext(cli)
  const path = before !== undefined && flags.project !== true ? before.place.file : configPath(cli, flags.project)
  const { password: inUri, ...address } = addressOf(name, flags, before === undefined ? undefined : parseDatabaseUri(before.uri))
  const uri = formatDatabaseUri(address)
  const password = flags.passwordStdin === true ? (await cli.host.readStdin()).replace(/\r?\n$/, '') : inUri
  if (flags.passwordStdin === true && password === '')
    throw new InputError('missing_secret', 'standard input holds no password', { hint: 'For example: pass show lab-db | drover db …' })
  // First the address: a password alone is of no account.
  await editConfigFile({ ...context, path }, (document) => {
    mapAt(document, ['databases'])
    const entry = mapAt(document, ['databases', name])
    entry.set('uri', uri)
    if (flags.passwordCommand !== undefined) entry.set('password_command', flags.passwordCommand)
    else if (password !== undefined) entry.delete('password_command')
  })
  if (password !== undefined) storeDatabasePassword(context.home, name, uri, password)
  else if (flags.passwordCommand !== undefined) forgetDatabasePassword(context.home, name)
  const known = findDatabase(loadDatabases(context), name)
  await cli.print({
    json: { name, uri: known.uri, password: known.password, file: path },
    ids: [name],
    text: () => `${before === undefined ? 'added' : 'changed'} database ${name} (${known.uri}, password: ${known.password}) in ${path}\n`,
  })
  if (inUri !== undefined) await cli.say('drover: a password on a command line can be seen by others: next time, --password-stdin')
  if (before?.password === 'stored' && known.password === 'none')
    await cli.say(`drover: warning: the stored password was for another account: drover db edit ${name} --password-stdin`)
}

/** `drover db add NAME …`. */
export async function addDatabase(cli: Cli, name: string, flags: DatabaseFlags): Promise<void> {
  const before = loadDatabases(configContext(cli)).get(name)
  if (before !== undefined)
    throw new InputError('conflict', `there is a database "${name}" already (${before.place.file})`, {
      hint: `Change it: drover db edit ${name}`,
    })
  await save(cli, name, flags, undefined)
}

/** `drover db edit NAME …`. */
export async function editDatabase(cli: Cli, name: string, flags: DatabaseFlags): Promise<void> {
  const before = findDatabase(loadDatabases(configContext(cli)), name)
  await save(cli, name, flags, before)
}

function takeOut(document: Document, name: string): boolean {
  const databases = document.get('databases')
  return isMap(databases) && databases.delete(name)
}

/** `drover db remove NAME`. */
export async function removeDatabase(cli: Cli, name: string, flags: DatabaseFlags): Promise<void> {
  const context = configContext(cli)
  const { place } = findDatabase(loadDatabases(context), name)
  const path = flags.project === true ? configPath(cli, true) : place.file
  await editConfigFile({ ...context, path }, (document) => {
    if (!takeOut(document, name))
      throw new InputError('invalid_argument', `database "${name}" is not in ${path}`, { hint: `It is in ${place.file}.` })
  })
  const still = loadDatabases(context).get(name)?.place.file
  if (still === undefined) forgetDatabasePassword(context.home, name)
  await cli.print({
    json: { removed: name, file: path, still_in: still ?? null },
    ids: [name],
    text: () => `removed database ${name} from ${path}${still === undefined ? '' : `; ${still} still has one of this name`}\n`,
  })
}
