import { readValue, writeValue } from '../values/codec.ts'
import { complexOfParts } from '../values/complex-parts.ts'
import { decodeJson } from '../values/json-decoder.ts'
import { PythonError, typeError } from '../values/python-error.ts'
import { isDict, isList, typeName, type Value } from '../values/value.ts'
import type { ValueDialect } from '../values/value-dialect.ts'
import type { PortReading } from './builtin.ts'
import { iterate } from './sequences.ts'

/**
 * What a worker's task is given for a port: the content read as the port's annotation says. A `Uint8Array` is the raw
 * content of the port's file and is parsed here, other values count as parsed already. Throws `PythonError`.
 */
export function readPort(content: Value, reading: PortReading, dialect: ValueDialect): Value {
  if (reading === 'bytes') return writeValue(content, dialect)
  if (reading === 'untyped') return readUntyped(content, dialect)
  if (reading === 'elements') return iterate(content).map((element) => readUntyped(element, dialect))
  const value = content instanceof Uint8Array ? decodeJson(content, dialect) : content
  // A null passes every annotation.
  if (reading === 'any' || value === null) return value
  if (reading === 'list') return iterate(value)
  if (reading === 'lists') return iterate(value).map((item) => (item === null ? null : iterate(item)))
  return dialect.complex === 'pair' ? complexOfParts([subscript(value, 0), subscript(value, 1)]) : value
}

function readUntyped(content: Value, dialect: ValueDialect): Value {
  return content instanceof Uint8Array ? readValue(content, 'untyped', dialect) : content
}

/** `value[index]` for what a pair of numbers is read from. */
function subscript(value: Value, index: number): Value {
  const isText = typeof value === 'string'
  if (!isText && !isList(value) && !(value instanceof Uint8Array)) {
    if (isDict(value)) throw new PythonError('KeyError', String(index))
    throw typeError(`'${typeName(value)}' object is not subscriptable`)
  }
  const item = iterate(value)[index]
  const kind = isText ? 'string' : isList(value) ? 'list' : 'index'
  if (item === undefined) throw new PythonError('IndexError', kind === 'index' ? 'index out of range' : `${kind} index out of range`)
  return item
}
