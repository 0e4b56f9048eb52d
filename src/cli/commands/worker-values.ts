import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { readValue, writeValue } from '../../workflow/values/codec.ts'
import { PythonError } from '../../workflow/values/python-error.ts'
import { Complex, isDict, isList, type Value } from '../../workflow/values/value.ts'

/** Of ES2025: a piece of JSON that is written as it is. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }

/**
 * Contents of input ports from words of a command line: `port=VALUE` (JSON, else text), `port=@FILE` (the file's bytes), or the name
 * of a JSON file with an object of values by port. Later ones win.
 */
export function readInputs(words: readonly string[], directory: string): ReadonlyMap<string, Uint8Array> {
  const inputs = new Map<string, Uint8Array>()
  for (const word of words) {
    const match = /^([A-Za-z_][\w-]*)=([\s\S]*)$/.exec(word)
    if (match === null) {
      for (const [port, value] of readInputFile(resolve(directory, word))) inputs.set(port, writeValue(value))
      continue
    }
    const [, port = '', text = ''] = match
    inputs.set(port, text.startsWith('@') ? readBytes(resolve(directory, text.slice(1))) : contentOf(text))
  }
  return inputs
}

/** JSON as it stands; other text as a string. */
function contentOf(text: string): Uint8Array {
  const value = readValue(Buffer.from(text))
  return value instanceof Uint8Array ? writeValue(text) : Buffer.from(text)
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new InputError('missing_file', `cannot read input ${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function readInputFile(path: string): ReadonlyMap<string, Value> {
  const hint = 'Inputs are port=VALUE, port=@FILE, or a JSON file with an object of values by port.'
  try {
    const value = readValue(readFileSync(path), 'json')
    if (isDict(value)) return value
  } catch (error) {
    if (!(error instanceof PythonError)) throw new InputError('missing_file', `cannot read inputs ${path}`, { hint, cause: error })
    throw new InputError('invalid_argument', `${path} is not JSON: ${error.message}`, { hint })
  }
  throw new InputError('invalid_argument', `${path} holds no object`, { hint })
}

/** A value for a JSON document: ints keep all digits, floats their point; NaN and the infinities are strings, as JSON has none. */
export function plainValue(value: Value): unknown {
  if (typeof value === 'bigint') return rawJSON(String(value))
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return String(value)
    const text = Object.is(value, -0) ? '-0' : String(value)
    return rawJSON(/^-?\d+$/.test(text) ? `${text}.0` : text)
  }
  if (value instanceof Complex) return [plainValue(value.re), plainValue(value.im)]
  if (value instanceof Uint8Array) return { __tkr_bytes__: true, bytes: Buffer.from(value).toString('base64') }
  if (isList(value)) return value.map(plainValue)
  return isDict(value) ? Object.fromEntries(Array.from(value, ([key, item]) => [key, plainValue(item)])) : value
}
