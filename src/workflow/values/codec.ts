import { decodeJson } from './json-decoder.ts'
import { encodeJson } from './json-encoder.ts'
import { PythonError } from './python-error.ts'
import { Complex, isDict, isList, type Value } from './value.ts'
import { NEWEST_DIALECT, type ValueDialect } from './value-dialect.ts'

/** How a port is read: `json` and `bytes` by its annotation; `untyped` tries JSON, else the bytes as they are. */
export type ReadFormat = 'json' | 'bytes' | 'untyped'

/**
 * Reads a port's file. `untyped` reads `5` as an int and `not json` as bytes; `json` throws `PythonError` for the latter.
 * @param dialect of the release that wrote the file; default the newest
 */
export function readValue(bytes: Uint8Array, format: ReadFormat = 'untyped', dialect: ValueDialect = NEWEST_DIALECT): Value {
  if (format === 'bytes') return bytes
  try {
    return decodeJson(bytes, dialect)
  } catch (error) {
    const isText = error instanceof PythonError && (error.kind === 'JSONDecodeError' || error.kind === 'UnicodeDecodeError')
    if (format === 'untyped' && isText) return bytes
    throw error
  }
}

/**
 * The content of a port's file: bytes at the top as they are, everything else as JSON.
 * @param dialect of the release that will read the file; default the newest
 */
export function writeValue(value: Value, dialect: ValueDialect = NEWEST_DIALECT): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(encodeJson(value, dialect), 'latin1')
}

/**
 * What a reader without types would get back from the file of this value, without writing it: since 2.1.0 a complex
 * number becomes the list `[re, im]`. Values that stay in memory between nodes go through this, so that a run gives the
 * same outputs with and without files. Returns the very value where nothing changes.
 */
export function asWritten(value: Value, dialect: ValueDialect = NEWEST_DIALECT): Value {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (value instanceof Complex) {
    if (dialect.complex === 'pair') return [value.re, value.im]
    if (dialect.complex === 'none') encodeJson(value, dialect)
    return value
  }
  if (isList(value)) {
    let copy: Value[] | undefined
    for (let k = 0; k < value.length; k++) {
      const item = value[k] ?? null
      const written = asWritten(item, dialect)
      if (written !== item && !Number.isNaN(item)) copy ??= value.slice(0, k)
      copy?.push(written)
    }
    return copy ?? value
  }
  if (!isDict(value)) return value
  let changed = false
  const copy = new Map<string, Value>()
  for (const [key, item] of value) {
    const written = asWritten(item, dialect)
    if (written !== item && !Number.isNaN(item)) changed = true
    copy.set(key, written)
  }
  return changed ? copy : value
}
