import { PythonError, typeError, valueError } from '../values/python-error.ts'
import { isDict, isList, typeName, type Value } from '../values/value.ts'
import { compare } from './comparison.ts'
import { asIndex } from './conversion.ts'
import { isInt } from './operands.ts'
import { isIndexSized, NOT_INDEX_SIZED, refuseHuge } from './sizes.ts'
import { length } from './statistics.ts'

/** The elements Python iterates over: of a list, characters, keys, byte values. Throws `TypeError`. */
export function iterate(value: Value): readonly Value[] {
  if (isList(value)) return value
  if (typeof value === 'string') return Array.from(value)
  if (value instanceof Uint8Array) return Array.from(value, BigInt)
  if (isDict(value)) return [...value.keys()]
  throw typeError(`'${typeName(value)}' object is not iterable`)
}

/** The list itself; what a method or a subscript of something else (only `None` gets this far) throws. */
export function listOr(value: Value, complaint: string): readonly Value[] {
  if (isList(value)) return value
  throw typeError(`'${typeName(value)}' object ${complaint}`)
}

const BAD_SLICE = 'slice indices must be integers or None or have an __index__ method'

/** A slice's bound within a list: negative counts from the end, `None` is the given end. */
export function sliceBound(bound: Value, size: number, whenNone: number): number {
  if (bound === null) return whenNone
  if (!isInt(bound)) throw typeError(BAD_SLICE)
  const index = BigInt(bound)
  const from = index < 0n ? index + BigInt(size) : index
  return from < 0n ? 0 : from > BigInt(size) ? size : Number(from)
}

/** `values[n]` as the builtin `at` does it: beyond the end it raises an `IndexError` without text. */
export function elementAt(values: Value, n: Value): Value {
  const size = length(values)
  if (compare(n, '>=', size)) throw new PythonError('IndexError', '')
  const list = listOr(values, 'is not subscriptable')
  if (!isInt(n)) throw typeError(`list indices must be integers or slices, not ${typeName(n)}`)
  const index = BigInt(n)
  if (!isIndexSized(index)) throw new PythonError('IndexError', NOT_INDEX_SIZED)
  const item = list[Number(index < 0n ? index + size : index)]
  if (item === undefined || index < -size) throw new PythonError('IndexError', 'list index out of range')
  return item
}

/** `list[0]`. Throws `IndexError` for an empty list. */
export function firstOf(list: readonly Value[]): Value {
  const first = list[0]
  if (first === undefined) throw new PythonError('IndexError', 'list index out of range')
  return first
}

/** Both elements of a pair. Throws Python's messages for what has more, fewer or none. */
export function unpackPair(value: Value): [Value, Value] {
  if (!isList(value)) throw typeError(`cannot unpack non-iterable ${typeName(value)} object`)
  const [first, second] = value
  if (value.length > 2) throw valueError('too many values to unpack (expected 2)')
  if (first === undefined || second === undefined) throw valueError(`not enough values to unpack (expected 2, got ${value.length})`)
  return [first, second]
}

/** `zip(*lists)`: as many rows as the shortest list has. */
export function zip(lists: readonly (readonly Value[])[]): Value[][] {
  if (lists.length === 0) return []
  const rows = Math.min(...lists.map((list) => list.length))
  return Array.from({ length: rows }, (_, row) => lists.map((list) => list[row] ?? null))
}

/** `list(range(start, stop, step))`. */
export function range(start: Value, stop: Value, step: Value): Value[] {
  const [from, to, by] = [asIndex(start), asIndex(stop), asIndex(step)]
  if (by === 0n) throw valueError('range() arg 3 must not be zero')
  const distance = by > 0n ? to - from : from - to
  if (distance <= 0n) return []
  const stride = by > 0n ? by : -by
  const count = (distance + stride - 1n) / stride
  refuseHuge(count, `a range of ${count} numbers`)
  const numbers = new Array<Value>(Number(count))
  for (let k = 0, next = from; k < numbers.length; k++, next += by) numbers[k] = next
  return numbers
}
