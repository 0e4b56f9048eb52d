import { randomBytes } from 'node:crypto'
import { PythonError, typeError, valueError } from '../values/python-error.ts'
import { decodeUtf8, encodeUtf8 } from '../values/utf8.ts'
import { Complex, isList, typeName, type Value } from '../values/value.ts'
import { add } from './arithmetic.ts'
import { compare, type Ordering } from './comparison.ts'
import { asIndex } from './conversion.ts'
import { isInt, isReal } from './operands.ts'
import { str } from './python-text.ts'
import { iterate, unpackPair, zip } from './sequences.ts'

/** The complex conjugate; a real number is its own. Throws `AttributeError`. */
export function conjugate(value: Value): Value {
  if (isInt(value)) return BigInt(value)
  if (typeof value === 'number') return value
  if (value instanceof Complex) return new Complex(value.re, -value.im)
  throw attributeError(value, 'conjugate')
}

/** Python's complaint about a method that the value's type doesn't have. */
export function attributeError(value: Value, method: string): PythonError {
  return new PythonError('AttributeError', `'${typeName(value)}' object has no attribute '${method}'`)
}

/** The list, or what calling a list's method on anything else throws. */
export function listFor(method: string, value: Value): readonly Value[] {
  if (isList(value)) return value
  throw attributeError(value, method)
}

function extreme(values: Value, operator: Ordering, name: string): Value {
  const items = iterate(values)
  let best = items[0]
  if (best === undefined) throw valueError(`${name}() iterable argument is empty`)
  for (let k = 1; k < items.length; k++) {
    const item = items[k] ?? null
    if (compare(item, operator, best)) best = item
  }
  return best
}

/** `max(values)`: the first of the greatest. */
export function greatest(values: Value): Value {
  return extreme(values, '>', 'max')
}

/** `min(values)`: the first of the least. */
export function least(values: Value): Value {
  return extreme(values, '<', 'min')
}

/** The elements of all lists in one. */
export function flatten(values: Value): Value[] {
  const flat: Value[] = []
  for (const list of iterate(values)) for (const item of iterate(list)) flat.push(item)
  return flat
}

/** A list of pairs as a pair of lists. */
export function unzip(value: Value): [Value, Value] {
  if (value === null) throw typeError('zip() argument after * must be an iterable, not NoneType')
  const columns = zip(iterate(value).map(iterate))
  return unpackPair(columns)
}

/** The bytes of a text in UTF-8. */
export function encodeText(value: Value): Uint8Array {
  if (typeof value === 'string') return encodeUtf8(value)
  throw attributeError(value, 'encode')
}

/** The text of bytes in UTF-8. */
export function decodeText(value: Value): string {
  if (value instanceof Uint8Array) return decodeUtf8(value)
  throw attributeError(value, 'decode')
}

/** The elements of a list, each for a port of its own. Throws for what is neither list nor text nor bytes. */
export function unfold(value: Value): readonly Value[] {
  if (isList(value) || typeof value === 'string' || value instanceof Uint8Array) return iterate(value)
  throw new PythonError('TierkreisWorkerError', `Expected list found ${str(value)}`)
}

/** A random int between both bounds, each included, every one equally likely. Throws `ValueError` for an empty range. */
export function randomInt(low: Value, high: Value): bigint {
  const beyond = add(high, 1n)
  const [from, to] = [asIndex(low), asIndex(beyond)]
  const width = to - from
  if (width <= 0n) throw valueError(`empty range in randrange(${str(low)}, ${str(beyond)})`)
  const bytes = Math.ceil((width - 1n).toString(16).length / 2)
  const ceiling = 1n << BigInt(bytes * 8)
  // Numbers beyond the last whole multiple of the width would favour the low results; they are drawn again.
  const usable = ceiling - (ceiling % width)
  for (;;) {
    const drawn = BigInt(`0x${randomBytes(bytes).toString('hex')}`)
    if (drawn < usable) return from + (drawn % width)
  }
}

/** How long a sleep lasts, in milliseconds. Throws what `time.sleep` throws for a delay it doesn't take. */
export function sleepMs(delay: Value): number {
  if (!isReal(delay)) throw typeError(`'${typeName(delay)}' object cannot be interpreted as an integer`)
  const seconds = Number(delay)
  if (Number.isNaN(seconds)) throw valueError('Invalid value NaN (not a number)')
  if (Math.abs(seconds) >= 2 ** 63 / 1e9) {
    const isFloat = typeof delay === 'number'
    throw new PythonError(
      'OverflowError',
      isFloat ? 'timestamp out of range for platform time_t' : 'timestamp too large to convert to C _PyTime_t',
    )
  }
  if (seconds < 0) throw valueError('sleep length must be non-negative')
  return seconds * 1000
}
