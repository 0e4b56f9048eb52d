import { complexText } from './complex-parts.ts'
import { jsonFloat } from './float-text.ts'
import { intText } from './int-text.ts'
import { PythonError } from './python-error.ts'
import { Complex, isList, type Value } from './value.ts'
import type { ValueDialect } from './value-dialect.ts'

const PLAIN = /^[ !#-[\]-~]*$/
const SPECIAL = /[^ !#-[\]-~]/g

/**
 * Writes a value as Tierkreis's workers write it, byte for byte: `json.dumps` with ASCII escapes, keys in their order,
 * an indent of 2 or one line by dialect. Bytes inside are `{"__tkr_bytes__": true, "bytes": base64}`; a complex number is
 * written as the dialect has it and refused by 2.0.9. Throws `ValueError` for an int of more than 4300 digits.
 */
export function encodeJson(value: Value, dialect: ValueDialect): string {
  return encode(value, dialect, dialect.indent === 0 ? undefined : '\n')
}

/** `newline` is the line break with the indent of the level that is being written; undefined on one line. */
function encode(value: Value, dialect: ValueDialect, newline: string | undefined): string {
  switch (typeof value) {
    case 'string':
      return jsonString(value)
    case 'bigint':
      return intText(value)
    case 'number':
      return jsonFloat(value)
    case 'boolean':
      return value ? 'true' : 'false'
  }
  if (value === null) return 'null'
  if (isList(value)) return encodeList(value, dialect, newline)
  if (value instanceof Complex) return encodeComplex(value, dialect, newline)
  if (value instanceof Uint8Array) {
    const tagged = new Map<string, Value>([
      ['__tkr_bytes__', true],
      ['bytes', Buffer.from(value).toString('base64')],
    ])
    return encode(tagged, dialect, newline)
  }
  if (value.size === 0) return '{}'
  const inner = newline === undefined ? undefined : `${newline}  `
  const comma = inner === undefined ? ', ' : `,${inner}`
  let text = inner === undefined ? '{' : `{${inner}`
  let isFirst = true
  for (const [key, item] of value) {
    if (!isFirst) text += comma
    isFirst = false
    text += `${jsonString(key)}: ${encode(item, dialect, inner)}`
  }
  return inner === undefined ? `${text}}` : `${text}${newline}}`
}

function encodeList(list: readonly Value[], dialect: ValueDialect, newline: string | undefined): string {
  if (list.length === 0) return '[]'
  const inner = newline === undefined ? undefined : `${newline}  `
  const comma = inner === undefined ? ', ' : `,${inner}`
  let text = inner === undefined ? '[' : `[${inner}`
  for (let k = 0; k < list.length; k++) {
    if (k > 0) text += comma
    text += encode(list[k] ?? null, dialect, inner)
  }
  return inner === undefined ? `${text}]` : `${text}${newline}]`
}

function encodeComplex(value: Complex, dialect: ValueDialect, newline: string | undefined): string {
  if (dialect.complex === 'none') {
    throw new PythonError('AssertionError', `Expected code to be unreachable, but got: ${complexText(value)}`)
  }
  const pair = [value.re, value.im]
  return encode(dialect.complex === 'pair' ? pair : new Map([['__tkr_complex__', pair]]), dialect, newline)
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
}

function jsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  return `"${text.replace(SPECIAL, (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
}
