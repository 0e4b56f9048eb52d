import type { ConfigEntry, ConfigPlace, ConfigReader } from './config-reader.ts'

/** A database that jobs may use (optuna's studies), as a configuration file has it: without its password. */
export interface DatabaseEntry {
  readonly name: string
  /** As SQLAlchemy and Optuna take it, without a password: `postgresql://user@host:5432/db`, `mysql+pymysql://…`. */
  readonly uri: string
  /** A shell command on this machine that prints the password. Absent: the secrets file, else none. */
  readonly passwordCommand?: string
  readonly place: ConfigPlace
}

const DATABASE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/
const DATABASE_KEYS = ['uri', 'password_command'] as const
/** Dialects with an optional driver (SQLAlchemy, "Database URLs"): `postgresql+psycopg2`. */
const SCHEME = /^(postgresql|mysql|mariadb)(\+[a-z0-9_]+)?$/

/** What a database's address is made of; user and password decoded. */
export interface DatabaseAddress {
  /** Without user and password, and in this form given on: `postgresql://host:5432/db?sslmode=require`. */
  readonly scheme: string
  readonly user: string
  /** Undefined: there is none in the address. */
  readonly password?: string
  /** Host and port as written; an IPv6 address in brackets. */
  readonly host: string
  /** Path with its slash, and query, as written. */
  readonly rest: string
}

/**
 * Takes a URI apart; undefined for one that is none. A password may hold any character that a URI may, `@` encoded or not.
 * `postgres://` is read as `postgresql://`, the only name that SQLAlchemy 1.4 and later know.
 */
export function parseDatabaseUri(uri: string): DatabaseAddress | undefined {
  const [, written = '', authority = '', rest = ''] = /^([a-z][a-z0-9+_]*):\/\/([^/?#\s]*)([/?][^#\s]*)?$/.exec(uri) ?? []
  const scheme = written.replace(/^postgres(?=\+|$)/, 'postgresql')
  const at = authority.lastIndexOf('@')
  const [account, host] = [at < 0 ? '' : authority.slice(0, at), authority.slice(at + 1)]
  if (!SCHEME.test(scheme) || !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][\w.-]*)(?::\d{1,5})?$/.test(host)) return undefined
  const colon = account.indexOf(':')
  const user = decode(colon < 0 ? account : account.slice(0, colon))
  const password = colon < 0 ? undefined : decode(account.slice(colon + 1))
  return { scheme, user, ...(password === undefined ? {} : { password }), host, rest }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A bare % that encodes nothing stands for itself.
    return text
  }
}

/** The address as a URI; user and password are encoded, so that any character may be in them. */
export function formatDatabaseUri({ scheme, user, password, host, rest }: DatabaseAddress): string {
  const account = password === undefined ? encodeURIComponent(user) : `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return `${scheme}://${account === '' ? '' : `${account}@`}${host}${rest}`
}

/** Reads one entry of `databases`; throws `invalid_config` with its place. A password in the file is refused, and not shown. */
export function readDatabase(reader: ConfigReader, { key: name, at, node }: ConfigEntry): DatabaseEntry {
  const { entriesOf, asMap, refuse, placeOf, plain, place, unknown } = reader
  if (!DATABASE_NAME.test(name))
    throw refuse(at, `the database name "${name}" is not usable`, 'Use letters, digits, "_", "." and "-", at most 63.')
  const texts: { uri?: string; password_command?: string } = {}
  for (const entry of entriesOf(asMap(node, `database "${name}"`, at), `database "${name}"`)) {
    const key = DATABASE_KEYS.find((known) => known === entry.key)
    if (key === undefined) {
      const hint = 'A password is kept apart: drover db edit NAME --password-stdin, or password_command.'
      if (entry.key === 'password') throw refuse(entry.at, `database "${name}": the password does not belong into this file`, hint)
      throw unknown(entry.at, `database "${name}": key`, entry.key, DATABASE_KEYS)
    }
    const value = plain(entry.node)
    if (typeof value !== 'string' || value === '') throw refuse(entry.at, `database "${name}": ${key} must be a text`)
    const address = key === 'uri' ? parseDatabaseUri(value) : undefined
    if (key === 'uri' && address === undefined)
      throw refuse(
        placeOf(entry.node),
        `database "${name}": uri must be the address of a PostgreSQL or MySQL database`,
        'For example: postgresql://user@host:5432/name',
      )
    if (address?.password !== undefined)
      throw refuse(
        placeOf(entry.node),
        `database "${name}": the password does not belong into this file`,
        `Take it out of uri, then: drover db edit ${name} --password-stdin`,
      )
    texts[key] = value
  }
  if (texts.uri === undefined) throw refuse(at, `database "${name}" needs a uri`, 'For example: postgresql://user@host:5432/name')
  return {
    name,
    uri: texts.uri,
    ...(texts.password_command === undefined ? {} : { passwordCommand: texts.password_command }),
    place: place(at),
  }
}
