import { DURATION_FORMS, parseDuration } from '../task/durations.ts'
import { parseSize, SIZE_FORMS } from '../task/sizes.ts'
import { type ConfigPlace, type ConfigReader, readConfigText } from './config-reader.ts'
import { type DatabaseEntry, readDatabase } from './parse-database.ts'

/** What is wrong inside the value of an option: where (`[0, 'port']`, from the value on) and what must stand there. */
export interface OptionRefusal {
  readonly path: readonly (string | number)[]
  /** Completes `nodes[0].port must be …`. */
  readonly must: string
}

/** What a configuration file may say about targets of one kind. */
export interface TargetKind {
  readonly optionNames: readonly string[]
  /** Options without which a target of this kind cannot be used; some file must have them. */
  readonly requiredOptions?: readonly string[]
  /** What an option takes, when this value is none; undefined for a value that may be used. */
  readonly refuseOption?: (name: string, value: unknown) => string | OptionRefusal | undefined
}
/** Kinds of targets the registry knows. */
export type TargetKinds = Readonly<Record<string, TargetKind>>

/** What a site or a user allows at most. */
export interface Limits {
  /** Queries to a scheduler per minute and target. */
  readonly queries_per_minute?: number
  readonly query_burst?: number
  /** What jobs may take of this machine. */
  readonly cpus?: number
  /** Bytes. */
  readonly memory?: number
  readonly gpus?: number
  /** ms that a bundle no job refers to is kept after its last use. */
  readonly unused_bundles?: number
}
const LIMIT_KEYS = ['queries_per_minute', 'query_burst', 'cpus', 'memory', 'gpus', 'unused_bundles'] as const
/** The shortest `unused_bundles`, ms: 1 hour. What is being packaged or staged was used a moment ago. */
export const LEAST_UNUSED_BUNDLES_MS = 3_600_000

/** What only the site's file may say: what targets of users and projects may be. */
export interface SiteRules {
  /** A target's root must be one of these or lie below one. */
  readonly roots?: readonly string[]
  /** Kind → the options that users may set; a kind that is not named has no such limit. */
  readonly options?: Readonly<Record<string, readonly string[]>>
}

/** One target as a file has it. */
export interface WrittenTarget {
  readonly name: string
  readonly kind: string
  readonly root?: string
  readonly prologue?: string
  readonly options: Readonly<Record<string, unknown>>
  /** Where name, root and options stand in the file. */
  readonly places: { readonly name: ConfigPlace; readonly root?: ConfigPlace; readonly options: Readonly<Record<string, ConfigPlace>> }
}

/** One configuration file, checked. */
export interface ConfigFile {
  readonly path: string
  readonly targets: readonly WrittenTarget[]
  readonly databases: readonly DatabaseEntry[]
  readonly limits: Limits
  readonly rules: SiteRules
  /** Where the rules stand; undefined for a file without any. */
  readonly rulesPlace?: ConfigPlace
}

/** Names of targets are words of the command line and of file names. */
const TARGET_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/
const ROOT = /^(\/|~\/|~$)/
/** Keys of a file. */
const FILE_KEYS = ['version', 'targets', 'databases', 'limits'] as const

/** A place inside an option as a person reads it: `nodes[1].port`. */
export function optionPlaceText(name: string, path: OptionRefusal['path']): string {
  return path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`), name)
}

/**
 * Reads a configuration file: `{version: 1, targets: {<name>: {kind, root, prologue, <options of the kind>}}, databases, limits}`.
 * A target called as a kind needs no `kind`. An empty file is valid.
 *
 * @throws DroverError `invalid_config` with file, line and column, and the nearest valid name
 */
export function parseConfig(text: string, path: string, kinds: TargetKinds): ConfigFile {
  const reader = readConfigText(text, path)
  const { asMap, entriesOf, placeOf, plain, refuse } = reader
  const targets: WrittenTarget[] = []
  const databases: DatabaseEntry[] = []
  const limits: Partial<Record<keyof Limits, number>> = {}
  let rules: SiteRules = {}
  let rulesPlace: ConfigPlace | undefined
  for (const { key, at, node } of entriesOf(asMap(reader.contents, 'the file', 0), 'the file')) {
    if (key === 'version') {
      if (plain(node) !== 1) throw refuse(placeOf(node) || at, 'version must be 1', 'A newer file needs a newer Drover.')
    } else if (key === 'targets') {
      for (const entry of entriesOf(asMap(node, 'targets', at), 'targets'))
        targets.push(readTarget(reader, kinds, entry.key, entry.at, entry.node))
    } else if (key === 'databases') {
      for (const entry of entriesOf(asMap(node, 'databases', at), 'databases')) databases.push(readDatabase(reader, entry))
    } else if (key === 'limits') {
      for (const entry of entriesOf(asMap(node, 'limits', at), 'limits')) {
        if (entry.key === 'roots') rules = { ...rules, roots: readRoots(reader, entry.node, entry.at) }
        else if (entry.key === 'options') rules = { ...rules, options: readOptionRules(reader, kinds, entry.node, entry.at) }
        else {
          readLimit(reader, limits, entry.key, entry.at, entry.node)
          continue
        }
        rulesPlace ??= reader.place(entry.at)
      }
    } else throw reader.unknown(at, 'key', key, FILE_KEYS)
  }
  return { path, targets, databases, limits, rules, ...(rulesPlace === undefined ? {} : { rulesPlace }) }
}

function readTarget(reader: ConfigReader, kinds: TargetKinds, name: string, at: number, node: unknown): WrittenTarget {
  const { asMap, entriesOf, place, placeOf, plain, refuse, unknown } = reader
  if (!TARGET_NAME.test(name))
    throw refuse(at, `the target name "${name}" is not usable`, 'Use letters, digits, "_", "." and "-", at most 63.')
  const entries = entriesOf(asMap(node, `target "${name}"`, at), `target "${name}"`)
  const kindEntry = entries.find((entry) => entry.key === 'kind')
  const kind = kindEntry === undefined ? (Object.hasOwn(kinds, name) ? name : undefined) : plain(kindEntry.node)
  if (typeof kind !== 'string')
    throw refuse(kindEntry?.at ?? at, `target "${name}" needs a kind`, `One of: ${Object.keys(kinds).join(', ')}.`)
  if (!Object.hasOwn(kinds, kind)) throw unknown(placeOf(kindEntry?.node), `target "${name}": kind`, kind, Object.keys(kinds))
  if (name === 'local' && kind !== 'local')
    throw refuse(placeOf(kindEntry?.node), 'the target "local" is always of kind local', 'Give the target another name.')
  const known = kinds[kind]?.optionNames ?? []
  const options: Record<string, unknown> = {}
  const optionPlaces: Record<string, ConfigPlace> = {}
  const texts: { root?: string; prologue?: string } = {}
  let rootPlace: ConfigPlace | undefined
  for (const entry of entries) {
    if (entry.key === 'kind') continue
    const value = plain(entry.node)
    if (entry.key === 'root' || entry.key === 'prologue') {
      if (typeof value !== 'string' || value === '') throw refuse(entry.at, `target "${name}": ${entry.key} must be a text`)
      if (entry.key === 'root') {
        rootPlace = place(placeOf(entry.node))
        if (!ROOT.test(value)) throw refuse(placeOf(entry.node), `target "${name}": root must be absolute or begin with ~/`)
      }
      texts[entry.key] = value
    } else if (known.includes(entry.key)) {
      const refused = kinds[kind]?.refuseOption?.(entry.key, value)
      if (refused !== undefined) {
        const { path, must } = typeof refused === 'string' ? { path: [], must: refused } : refused
        throw refuse(
          reader.placeBelow(entry.node, path) || entry.at,
          `target "${name}": ${optionPlaceText(entry.key, path)} must be ${must}, and is ${JSON.stringify(valueBelow(value, path))}`,
        )
      }
      options[entry.key] = value
      optionPlaces[entry.key] = place(entry.at)
    } else throw unknown(entry.at, `target "${name}" (${kind}): key`, entry.key, ['kind', 'root', 'prologue', ...known])
  }
  const places = { name: place(at), ...(rootPlace === undefined ? {} : { root: rootPlace }), options: optionPlaces }
  return { name, kind, ...texts, options, places }
}

/** What a path leads to; null where nothing is. */
function valueBelow(value: unknown, path: OptionRefusal['path']): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Readonly<Record<string | number, unknown>>)[step] : null) ?? null,
    value,
  )
}

function readLimit(reader: ConfigReader, limits: Partial<Record<keyof Limits, number>>, key: string, at: number, node: unknown): void {
  const known = LIMIT_KEYS.find((name) => name === key)
  if (known === undefined) throw reader.unknown(at, 'limits: key', key, [...LIMIT_KEYS, 'roots', 'options'])
  const value = reader.plain(node)
  const scalar = typeof value === 'string' || typeof value === 'number'
  const isTime = known === 'unused_bundles'
  const number = scalar && known === 'memory' ? parseSize(value) : scalar && isTime ? parseDuration(value) : value
  if (typeof number !== 'number' || !(number >= (isTime ? LEAST_UNUSED_BUNDLES_MS : 0))) {
    const must = known === 'memory' ? SIZE_FORMS : isTime ? `1h or more: ${DURATION_FORMS}` : 'a number of 0 or more'
    throw reader.refuse(reader.placeOf(node) || at, `limits.${key} must be ${must}`)
  }
  limits[known] = number
}

function readWords(reader: ConfigReader, node: unknown, at: number, what: string): readonly string[] {
  const value = reader.plain(node)
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value
  throw reader.refuse(reader.placeOf(node) || at, `${what} must be a list of texts`)
}

function readRoots(reader: ConfigReader, node: unknown, at: number): readonly string[] {
  const roots = readWords(reader, node, at, 'limits.roots')
  const wrong = roots.findIndex((root) => !ROOT.test(root))
  if (wrong >= 0) throw reader.refuse(reader.placeBelow(node, [wrong]), 'limits.roots: a root must be absolute or begin with ~/')
  return roots
}

function readOptionRules(reader: ConfigReader, kinds: TargetKinds, node: unknown, at: number): Readonly<Record<string, readonly string[]>> {
  const rules: Record<string, readonly string[]> = {}
  for (const entry of reader.entriesOf(reader.asMap(node, 'limits.options', at), 'limits.options')) {
    const known = Object.hasOwn(kinds, entry.key) ? kinds[entry.key] : undefined
    if (known === undefined) throw reader.unknown(entry.at, 'limits.options: kind', entry.key, Object.keys(kinds))
    const names = readWords(reader, entry.node, entry.at, `limits.options.${entry.key}`)
    const wrong = names.find((name) => !known.optionNames.includes(name))
    if (wrong !== undefined)
      throw reader.unknown(reader.placeOf(entry.node) || entry.at, `limits.options.${entry.key}: option`, wrong, known.optionNames)
    rules[entry.key] = names
  }
  return rules
}
