import { InputError } from '../errors.ts'

/** Where a value was written: a place in a file (1-based), or a flag of the command line, or neither (TypeScript). */
export interface Origin {
  readonly place?: { readonly file: string; readonly line: number; readonly column: number }
  readonly flag?: string
  /** The task it belongs to, where several stand in one TypeScript call and there are no lines to tell them apart. */
  readonly task?: string
}

/** A value with its origin. `text` is what Python's `str()` makes of it; `source` what stands in the file. */
export interface LocatedScalar {
  readonly kind: 'scalar'
  readonly type: 'string' | 'integer' | 'float' | 'boolean' | 'null' | 'timestamp'
  /** Integers beyond 2^53 lose digits here; `text` keeps them. Timestamps are their text. */
  readonly value: string | number | boolean | null
  readonly text: string
  readonly source: string
  readonly origin: Origin
}
export interface LocatedList {
  readonly kind: 'list'
  readonly items: readonly Located[]
  readonly origin: Origin
}
export interface LocatedEntry {
  readonly key: string
  /** The key as written, where variables were put into `key`: messages show this one, since a variable may be secret. */
  readonly shownKey?: string
  readonly keyOrigin: Origin
  readonly value: Located
}
export interface LocatedMap {
  readonly kind: 'map'
  readonly entries: readonly LocatedEntry[]
  readonly origin: Origin
}
/** A parsed YAML or TypeScript value, before anything is known about its meaning. */
export type Located = LocatedScalar | LocatedList | LocatedMap

/** The entry's value; `undefined` when the key is absent or null (a null counts as not given). */
export function get(map: LocatedMap, key: string): Located | undefined {
  const value = map.entries.find((entry) => entry.key === key)?.value
  return value?.kind === 'scalar' && value.type === 'null' ? undefined : value
}

/** The map with one key set, replaced in place or added at the end. */
export function set(map: LocatedMap, key: string, value: Located): LocatedMap {
  const entry = { key, keyOrigin: value.origin, value }
  const known = map.entries.some((other) => other.key === key)
  return { ...map, entries: known ? map.entries.map((other) => (other.key === key ? entry : other)) : [...map.entries, entry] }
}

/** The map without some keys. */
export function without(map: LocatedMap, keys: readonly string[]): LocatedMap {
  return { ...map, entries: map.entries.filter((entry) => !keys.includes(entry.key)) }
}

/** Plain JavaScript data; maps become objects without prototype surprises (`__proto__` is a key like others). */
export function toPlain(node: Located): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(toPlain)
  return Object.fromEntries(node.entries.map((entry) => [entry.key, toPlain(entry.value)]))
}

/** A string node, for values that come from flags or from Drover itself. */
export function textNode(text: string, origin: Origin): LocatedScalar {
  return { kind: 'scalar', type: 'string', value: text, text, source: text, origin }
}

/** A value as messages show it: quoted and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/** What kind of value stands there, in a person's words: `the number 12`, `a list`. */
export function describe(node: Located): string {
  if (node.kind === 'list') return 'a list'
  if (node.kind === 'map') return 'a mapping'
  if (node.type === 'null') return 'nothing'
  // The source, not the text: variables put into the text may be secret.
  if (node.type === 'string') return quote(node.source)
  const noun = node.type === 'boolean' ? 'boolean' : node.type === 'timestamp' ? 'date' : 'number'
  return `the ${noun} ${node.source.length > 60 ? `${node.source.slice(0, 57)}...` : node.source}`
}

/** The error for a value that is refused: names the key (or the flag) and carries the place. */
export function refusal(path: string, origin: Origin, message: string, hint?: string): InputError {
  const subject = origin.flag ?? (origin.task === undefined ? path : `task ${quote(origin.task)}${path === '' ? '' : `: ${path}`}`)
  return new InputError(
    origin.flag === undefined ? 'invalid_task' : 'invalid_argument',
    subject === '' ? message : `${subject}: ${message}`,
    {
      ...(hint === undefined ? {} : { hint }),
      ...(origin.place === undefined ? {} : { location: origin.place }),
    },
  )
}

/** The text of a scalar; `undefined` for anything else and for null. */
export function nodeText(node: Located | undefined): string | undefined {
  return node?.kind === 'scalar' && node.type !== 'null' ? node.text : undefined
}
