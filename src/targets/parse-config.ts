import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { DroverError } from '../errors.ts'
import { nearestName } from '../task/nearest-name.ts'
import { parseSize, SIZE_FORMS } from '../task/sizes.ts'

/** What a configuration file may say about targets of one kind. */
export interface TargetKind {
  readonly optionNames: readonly string[]
  /** What an option takes, when this value is none; undefined for a value that may be used. */
  readonly refuseOption?: (name: string, value: unknown) => string | undefined
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
}
const LIMIT_KEYS = ['queries_per_minute', 'query_burst', 'cpus', 'memory', 'gpus'] as const

/** One target as a file has it. */
export interface WrittenTarget {
  readonly name: string
  readonly kind: string
  readonly root?: string
  readonly prologue?: string
  readonly options: Readonly<Record<string, unknown>>
}

/** One configuration file, checked. */
export interface ConfigFile {
  readonly path: string
  readonly targets: readonly WrittenTarget[]
  readonly limits: Limits
}

/** Names of targets are words of the command line and of file names. */
const TARGET_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/**
 * Reads a configuration file: `{version: 1, targets: {<name>: {kind, root, prologue, <options of the kind>}}, limits}`.
 * A target called as a kind needs no `kind`. An empty file is valid.
 *
 * @throws DroverError `invalid_config` with file, line and column, and the nearest valid name
 */
export function parseConfig(text: string, path: string, kinds: TargetKinds): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' })
  const refuse = (offset: number, message: string, hint?: string): DroverError => {
    const { line, col } = lines.linePos(offset)
    const location = { file: path, line: Math.max(1, line), column: Math.max(1, col) }
    return new DroverError('invalid_config', message, { level: 'config', location, ...(hint === undefined ? {} : { hint }) })
  }
  const problem = document.errors[0]
  if (problem !== undefined) throw refuse(problem.pos[0], `not valid YAML: ${problem.message.split('\n')[0]}`)

  const placeOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0
  const asMap = (node: unknown, what: string, at: number): YAMLMap | undefined => {
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return undefined
    if (!isMap(node)) throw refuse(placeOf(node) || at, `${what} must be a mapping`)
    return node
  }
  const entriesOf = (map: YAMLMap | undefined, what: string): { key: string; at: number; node: unknown }[] =>
    (map?.items ?? []).map((pair) => {
      if (!isScalar(pair.key)) throw refuse(placeOf(pair.key), `${what}: a key must be a word`)
      return { key: String(pair.key.value), at: placeOf(pair.key), node: pair.value }
    })
  const unknown = (at: number, what: string, key: string, valid: readonly string[]): DroverError => {
    const near = nearestName(key, valid)
    return refuse(
      at,
      `${what} "${key}" is not known`,
      near === undefined ? `Known: ${valid.join(', ') || 'none'}.` : `Did you mean "${near}"?`,
    )
  }
  const plain = (node: unknown): unknown => (node === null || node === undefined ? null : (node as Node).toJS(document))

  const targets: WrittenTarget[] = []
  const limits: Partial<Record<keyof Limits, number>> = {}
  const readTarget = (name: string, at: number, node: unknown): WrittenTarget => {
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
    const texts: { root?: string; prologue?: string } = {}
    for (const entry of entries) {
      if (entry.key === 'kind') continue
      const value = plain(entry.node)
      if (entry.key === 'root' || entry.key === 'prologue') {
        if (typeof value !== 'string' || value === '') throw refuse(entry.at, `target "${name}": ${entry.key} must be a text`)
        if (entry.key === 'root' && !/^(\/|~\/|~$)/.test(value))
          throw refuse(placeOf(entry.node), `target "${name}": root must be absolute or begin with ~/`)
        texts[entry.key] = value
      } else if (known.includes(entry.key)) {
        const allowed = kinds[kind]?.refuseOption?.(entry.key, value)
        if (allowed !== undefined)
          throw refuse(
            placeOf(entry.node) || entry.at,
            `target "${name}": ${entry.key} must be ${allowed}, and is ${JSON.stringify(value)}`,
          )
        options[entry.key] = value
      } else throw unknown(entry.at, `target "${name}" (${kind}): key`, entry.key, ['kind', 'root', 'prologue', ...known])
    }
    return { name, kind, ...texts, options }
  }
  const readLimit = (key: string, at: number, node: unknown): void => {
    const known = LIMIT_KEYS.find((name) => name === key)
    if (known === undefined) throw unknown(at, 'limits: key', key, LIMIT_KEYS)
    const value = plain(node)
    const number = known === 'memory' && (typeof value === 'string' || typeof value === 'number') ? parseSize(value) : value
    if (typeof number !== 'number' || !(number >= 0))
      throw refuse(placeOf(node) || at, `limits.${key} must be ${known === 'memory' ? SIZE_FORMS : 'a number of 0 or more'}`)
    limits[known] = number
  }

  for (const { key, at, node } of entriesOf(asMap(document.contents, 'the file', 0), 'the file')) {
    if (key === 'version') {
      if (plain(node) !== 1) throw refuse(placeOf(node) || at, 'version must be 1', 'A newer file needs a newer Drover.')
    } else if (key === 'targets') {
      for (const entry of entriesOf(asMap(node, 'targets', at), 'targets')) targets.push(readTarget(entry.key, entry.at, entry.node))
    } else if (key === 'limits') {
      for (const entry of entriesOf(asMap(node, 'limits', at), 'limits')) readLimit(entry.key, entry.at, entry.node)
    } else throw unknown(at, 'key', key, ['version', 'targets', 'limits'])
  }
  return { path, targets, limits }
}
