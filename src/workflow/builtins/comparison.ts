import { typeError } from '../values/python-error.ts'
import { Complex, isDict, isList, typeName, type Value } from '../values/value.ts'
import { isNumeric, isReal, type Real } from './operands.ts'

/** The ordering operators of Python. */
export type Ordering = '<' | '>' | '>='

/** `a == b`: numbers of all kinds by their exact value, `1 == 1.0 == True`; other kinds never equal each other. */
export function isEqual(a: Value, b: Value): boolean {
  if (isNumeric(a)) return isNumeric(b) && equalNumbers(a, b)
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, k) => isSame(item, b[k] ?? null))
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  return isDict(a) && isDict(b) && equalDicts(a, b)
}

function equalNumbers(a: Real | Complex, b: Real | Complex): boolean {
  if (a instanceof Complex) return b instanceof Complex ? a.re === b.re && a.im === b.im : a.im === 0 && order(a.re, b) === 0
  if (b instanceof Complex) return equalNumbers(b, a)
  return order(a, b) === 0
}

function equalDicts(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  if (a.size !== b.size) return false
  for (const [key, item] of a) {
    const other = b.get(key)
    if (other === undefined || !isSame(item, other)) return false
  }
  return true
}

/**
 * Equality inside of containers, where Python asks for identity first: every NaN that JSON text gives is one object, so
 * `[NaN] == [NaN]`, although `NaN != NaN`.
 */
function isSame(a: Value, b: Value): boolean {
  return Object.is(a, b) || isEqual(a, b)
}

/** Compares two reals exactly, an int of any size with a float too. NaN where one is NaN. */
function order(a: Real, b: Real): number {
  const x = typeof a === 'boolean' ? Number(a) : a
  const y = typeof b === 'boolean' ? Number(b) : b
  return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN
}

/**
 * `a < b`, `a > b`, `a >= b`. Text is ordered by code points, lists by their first difference. Throws `TypeError`, e.g.
 * `'<' not supported between instances of 'str' and 'int'`.
 */
export function compare(a: Value, operator: Ordering, b: Value): boolean {
  if (isReal(a) && isReal(b)) return holds(order(a, b), operator)
  if (typeof a === 'string' && typeof b === 'string') return holds(compareText(a, b), operator)
  if (isList(a) && isList(b)) return compareLists(a, operator, b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return holds(Buffer.compare(a, b), operator)
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`)
}

function holds(sign: number, operator: Ordering): boolean {
  return operator === '<' ? sign < 0 : operator === '>' ? sign > 0 : sign >= 0
}

function compareLists(a: readonly Value[], operator: Ordering, b: readonly Value[]): boolean {
  const shared = Math.min(a.length, b.length)
  for (let k = 0; k < shared; k++) {
    const [x, y] = [a[k] ?? null, b[k] ?? null]
    if (!isSame(x, y)) return compare(x, operator, y)
  }
  return holds(a.length - b.length, operator)
}

/** Text by code points: JavaScript's own order is by UTF-16 units, which puts U+1F600 before U+FFFF. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let k = 0; k < length; k++) {
    const [x, y] = [a.charCodeAt(k), b.charCodeAt(k)]
    if (x !== y) return rank(a, k) - rank(b, k)
  }
  return a.length - b.length
}

/** A unit's place in the order of code points: halves of pairs stand behind all others, lone surrogates where they are. */
function rank(text: string, at: number): number {
  const point = text.codePointAt(at) ?? 0
  if (point > 0xffff) return point
  const isLowHalf = point >= 0xdc00 && point <= 0xdfff && at > 0 && (text.codePointAt(at - 1) ?? 0) > 0xffff
  return isLowHalf ? (text.codePointAt(at - 1) ?? 0) : point
}

/** `sorted(values)`: stable, with Python's order of comparisons. Throws `TypeError` for values that have no order. */
export function sorted(values: readonly Value[]): Value[] {
  // Array.prototype.sort is the same algorithm as list.sort (timsort) and asks only whether the result is below 0.
  return values.toSorted((a, b) => (compare(a, '<', b) ? -1 : 1))
}
