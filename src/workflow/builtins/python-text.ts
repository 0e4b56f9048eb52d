import { complexText } from '../values/complex-parts.ts'
import { floatText } from '../values/float-text.ts'
import { intText } from '../values/int-text.ts'
import { Complex, isList, type Value } from '../values/value.ts'

/** `str(value)`: text as it is, everything else as `repr`. */
export function str(value: Value): string {
  return typeof value === 'string' ? value : repr(value)
}

/** `repr(value)`: `'a'`, `1.0`, `True`, `None`, `[1, 'x']`, `{'k': 1}`, `b'\x00'`. */
export function repr(value: Value): string {
  switch (typeof value) {
    case 'string':
      return reprText(value)
    case 'bigint':
      return intText(value)
    case 'number':
      return floatText(value)
    case 'boolean':
      return value ? 'True' : 'False'
  }
  if (value === null) return 'None'
  if (isList(value)) return `[${value.map(repr).join(', ')}]`
  if (value instanceof Complex) return complexText(value)
  if (value instanceof Uint8Array) return reprBytes(value)
  return `{${Array.from(value, ([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`
}

const SHORT: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function quoteOf(text: string): string {
  return text.includes("'") && !text.includes('"') ? '"' : "'"
}

function escapePoint(character: string): string {
  const point = character.codePointAt(0) ?? 0
  const hex = point.toString(16)
  return point < 0x100 ? `\\x${hex.padStart(2, '0')}` : point < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

function reprText(text: string): string {
  const quote = quoteOf(text)
  const body = text.replace(/[\\'"]|(?! )[\p{C}\p{Z}]/gu, (character) => {
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character
    return SHORT[character] ?? escapePoint(character)
  })
  return `${quote}${body}${quote}`
}

/** `ascii(value)`: `repr` with everything outside ASCII escaped. */
export function ascii(value: Value): string {
  return repr(value).replace(/[^\x00-\x7f]/gu, escapePoint)
}

function reprBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1')
  const quote = quoteOf(text)
  const body = text.replace(/[\\'"]|[^ -~]/g, (character) => {
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character
    return SHORT[character] ?? escapePoint(character)
  })
  return `b${quote}${body}${quote}`
}
