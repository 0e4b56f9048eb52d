import { InputError } from '../../errors.ts'
import { Complex, type Dict, isDict, isList, typeName, type Value } from '../values/value.ts'
import type { PortType } from './port-type.ts'

/** Says whose plain value is a whole graph (a `Workflow`), and gives its document. */
export interface GraphSource {
  readonly toDocument: () => Dict
}

function isGraphSource(value: unknown): value is GraphSource {
  return typeof value === 'object' && value !== null && 'toDocument' in value
}

/**
 * The value of a constant that the author wrote, by its port's type. A TypeScript number is a float wherever the type doesn't
 * say `int`; where it does, a whole number becomes that int. Throws `InputError` naming `place` for what does not fit.
 */
export function literalOf(type: PortType<unknown>, given: unknown, place: string): Value {
  const value = coerce(type, given)
  if (value !== undefined) return value
  throw new InputError('invalid_argument', `${place}: ${describe(given)} is no ${type.annotation}`, { hint: hintFor(type, given) })
}

function hintFor(type: PortType<unknown>, given: unknown): string {
  if (type.kind === 'int' && typeof given === 'number') return 'Ints are whole; above 2^53 write a bigint, as in 10n ** 20n.'
  if (type.kind === 'float' && typeof given === 'bigint') return 'Floats are numbers: write 3, not 3n.'
  return `Give a value of type ${type.annotation}.`
}

/** Undefined where the plain value does not fit. */
function coerce(type: PortType<unknown>, given: unknown): Value | undefined {
  const [first] = type.args
  switch (type.kind) {
    case 'int':
      if (typeof given === 'number' && Number.isSafeInteger(given)) return BigInt(given)
      return typeof given === 'bigint' ? given : undefined
    case 'float':
      return typeof given === 'number' ? given : undefined
    case 'bool':
      return typeof given === 'boolean' ? given : undefined
    case 'str':
      return typeof given === 'string' ? given : undefined
    case 'bytes':
      return given instanceof Uint8Array ? given : undefined
    case 'complex':
      return given instanceof Complex ? given : undefined
    case 'none':
      return given === null ? null : undefined
    case 'list':
      return Array.isArray(given) && first ? all(given.map((item) => coerce(first, item))) : undefined
    case 'tuple':
      if (!Array.isArray(given) || given.length !== type.args.length) return undefined
      return all(type.args.map((member, k) => coerce(member, given[k])))
    case 'dict':
      return first ? dictOf(entriesOf(given), (item) => coerce(first, item)) : undefined
    case 'union':
      return fitUnion(type.args, given)
    case 'graph':
      return isGraphSource(given) ? given.toDocument() : undefined
    case 'elements':
      return undefined
    case 'opaque':
    case 'any':
    case 'variable':
      return plainValue(given)
  }
}

function all(items: readonly (Value | undefined)[]): Value | undefined {
  return items.every((item) => item !== undefined) ? items : undefined
}

/** A dict of the same keys with `of` each value; undefined where there are no entries, or `of` has nothing for one. */
function dictOf<T>(entries: Iterable<readonly [string, T]> | undefined, of: (item: T) => Value | undefined): Dict | undefined {
  if (entries === undefined) return undefined
  const result = new Map<string, Value>()
  for (const [key, item] of entries) {
    const value = of(item)
    if (value === undefined) return undefined
    result.set(key, value)
  }
  return result
}

/** A member that takes the value as it is comes before one that would turn a number into an int. */
function fitUnion(members: readonly PortType<unknown>[], given: unknown): Value | undefined {
  if (typeof given === 'number' && members.some((member) => member.kind === 'float')) return given
  for (const member of members) {
    const value = coerce(member, given)
    if (value !== undefined) return value
  }
  return undefined
}

function entriesOf(given: unknown): Iterable<[string, unknown]> | undefined {
  if (given instanceof Map) return given
  const isPlain = typeof given === 'object' && given !== null && Object.getPrototypeOf(given) === Object.prototype
  return isPlain ? Object.entries(given) : undefined
}

/** The value of what has no declared type: numbers are floats, bigints ints. Undefined for functions, symbols and class instances. */
export function plainValue(given: unknown): Value | undefined {
  switch (typeof given) {
    case 'boolean':
    case 'bigint':
    case 'number':
    case 'string':
      return given
    case 'object':
      break
    default:
      return undefined
  }
  if (given === null || given instanceof Uint8Array || given instanceof Complex) return given
  if (isGraphSource(given)) return given.toDocument()
  if (Array.isArray(given)) return all(given.map(plainValue))
  return dictOf(entriesOf(given), plainValue)
}

/** What a value is, for messages: `2.5 (a float)`. */
export function describe(given: unknown): string {
  if (typeof given === 'number' || typeof given === 'bigint') return `${given} (${typeof given === 'number' ? 'a float' : 'an int'})`
  if (typeof given === 'boolean' || typeof given === 'string') {
    const text = JSON.stringify(given)
    return text.length > 60 ? `${text.slice(0, 57)}…"` : text
  }
  const value = plainValue(given)
  if (given === undefined) return 'nothing'
  return value === undefined ? `a ${typeof given}` : `a value of type ${typeName(value)}`
}

/**
 * A value as TypeScript code of a local task sees it, by the port's type: ints as bigint, floats as number (an int given to a
 * float port is converted, as Python's callers rely on). Undefined where the value is of another type.
 */
export function viewOf(type: PortType<unknown>, value: Value): Value | undefined {
  const [first] = type.args
  switch (type.kind) {
    case 'int':
      return typeof value === 'bigint' ? value : undefined
    case 'float':
      return typeof value === 'bigint' ? Number(value) : coerce(type, value)
    case 'complex':
      return complexView(value)
    case 'list':
      return isList(value) && first ? all(value.map((item) => viewOf(first, item))) : undefined
    case 'tuple':
      if (!isList(value) || value.length !== type.args.length) return undefined
      return all(type.args.map((member, k) => viewOf(member, value[k] ?? null)))
    case 'dict':
      return isDict(value) && first ? dictOf(value, (item) => viewOf(first, item)) : undefined
    case 'union':
      return fitUnion(type.args, value) === value ? value : type.args.map((member) => viewOf(member, value)).find((v) => v !== undefined)
    case 'graph':
      return isDict(value) ? value : undefined
    case 'opaque':
    case 'any':
    case 'variable':
      return value
    default:
      return coerce(type, value)
  }
}

/** Since Tierkreis 2.1.0 the file of a complex number is the list `[re, im]`. */
function complexView(value: Value): Value | undefined {
  if (value instanceof Complex) return value
  if (!isList(value) || value.length !== 2) return undefined
  const [re, im] = value
  const isNumber = (part: Value | undefined): part is number | bigint => typeof part === 'number' || typeof part === 'bigint'
  return isNumber(re) && isNumber(im) ? new Complex(Number(re), Number(im)) : undefined
}
