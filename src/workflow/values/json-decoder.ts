import { decodeBase64 } from './base64.ts'
import { complexOfParts } from './complex-parts.ts'
import { intOfDigits } from './int-text.ts'
import { decodeJsonText } from './json-text.ts'
import { PythonError } from './python-error.ts'
import { isList, type Value } from './value.ts'
import type { ValueDialect } from './value-dialect.ts'

/** Levels of nesting that are read; deeper text is refused, as Python refuses it. */
const MAX_DEPTH = 2_000

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y
const PLAIN = /[^"\\\x00-\x1f]*/y

/**
 * Reads JSON as Python's `json.loads` reads it for Tierkreis: `1` is an int of any size and `1.0` a float, `NaN` and
 * the infinities are allowed, the last of equal keys wins, `{"__tkr_bytes__": …, "bytes": …}` is bytes and, in the
 * dialects that write it, `{"__tkr_complex__": [re, im]}` a complex number. Throws `JSONDecodeError` with Python's
 * words and positions (counted in code points).
 */
export function decodeJson(bytes: Uint8Array, dialect: ValueDialect): Value {
  return new JsonReader(decodeJsonText(bytes), dialect.complex === 'tagged').document()
}

class JsonReader {
  readonly #text: string
  readonly #taggedComplex: boolean
  /** Whether a tag occurs anywhere; almost no document has one. An escaped letter may hide it. */
  readonly #hasTags: boolean
  #at = 0
  #depth = 0

  constructor(text: string, taggedComplex: boolean) {
    this.#text = text
    this.#taggedComplex = taggedComplex
    this.#hasTags = text.includes('__tkr_') || text.includes('\\u')
  }

  document(): Value {
    this.#skipSpace()
    const value = this.#value()
    this.#skipSpace()
    if (this.#at !== this.#text.length) throw this.#error('Extra data', this.#at)
    return value
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
      this.#at++
    }
  }

  #value(): Value {
    switch (this.#text.charCodeAt(this.#at)) {
      case 34:
        return this.#string()
      case 123:
        return this.#object()
      case 91:
        return this.#array()
      case 110:
        return this.#word('null', null)
      case 116:
        return this.#word('true', true)
      case 102:
        return this.#word('false', false)
      case 78:
        return this.#word('NaN', Number.NaN)
      case 73:
        return this.#word('Infinity', Number.POSITIVE_INFINITY)
      default:
        return this.#number()
    }
  }

  #enter(what: 'object' | 'array'): void {
    if (++this.#depth > MAX_DEPTH) {
      throw new PythonError('RecursionError', `maximum recursion depth exceeded while decoding a JSON ${what} from a unicode string`)
    }
    this.#at++
    this.#skipSpace()
  }

  #leave(): void {
    this.#depth--
    this.#at++
  }

  #word(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error('Expecting value', this.#at)
    this.#at += word.length
    return value
  }

  #number(): Value {
    const small = this.#smallInt()
    if (small !== undefined) return small
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (!found) {
      if (this.#text.startsWith('-Infinity', this.#at)) return this.#word('-Infinity', Number.NEGATIVE_INFINITY)
      throw this.#error('Expecting value', this.#at)
    }
    this.#at = NUMBER.lastIndex
    const digits = found[0]
    return found[1] === undefined && found[2] === undefined ? intOfDigits(digits) : Number(digits)
  }

  /** An int of up to 15 digits, without a regular expression; undefined leaves all else to the slower way. */
  #smallInt(): bigint | undefined {
    const text = this.#text
    const isNegative = text.charCodeAt(this.#at) === 45
    const start = isNegative ? this.#at + 1 : this.#at
    let at = start
    let number = 0
    let code = text.charCodeAt(at)
    while (code >= 48 && code <= 57) {
      number = number * 10 + code - 48
      code = text.charCodeAt(++at)
    }
    const digits = at - start
    if (digits === 0 || digits > 15 || code === 46 || code === 101 || code === 69) return undefined
    if (digits > 1 && text.charCodeAt(start) === 48) return undefined
    this.#at = at
    return BigInt(isNegative ? -number : number)
  }

  #array(): Value {
    this.#enter('array')
    const items: Value[] = []
    if (this.#text.charCodeAt(this.#at) === 93) {
      this.#leave()
      return items
    }
    for (;;) {
      items.push(this.#value())
      this.#skipSpace()
      const code = this.#text.charCodeAt(this.#at)
      if (code === 93) break
      if (code !== 44) throw this.#error("Expecting ',' delimiter", this.#at)
      this.#at++
      this.#skipSpace()
    }
    this.#leave()
    return items
  }

  #object(): Value {
    this.#enter('object')
    const entries = new Map<string, Value>()
    if (this.#text.charCodeAt(this.#at) === 125) {
      this.#leave()
      return entries
    }
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== 34) throw this.#error('Expecting property name enclosed in double quotes', this.#at)
      const key = this.#string()
      this.#skipSpace()
      if (this.#text.charCodeAt(this.#at) !== 58) throw this.#error("Expecting ':' delimiter", this.#at)
      this.#at++
      this.#skipSpace()
      entries.set(key, this.#value())
      this.#skipSpace()
      const code = this.#text.charCodeAt(this.#at)
      if (code === 125) break
      if (code !== 44) throw this.#error("Expecting ',' delimiter", this.#at)
      this.#at++
      this.#skipSpace()
    }
    this.#leave()
    return this.#typed(entries)
  }

  #typed(entries: Map<string, Value>): Value {
    if (!this.#hasTags) return entries
    const bytes = entries.get('bytes')
    if (bytes !== undefined && entries.has('__tkr_bytes__')) return decodeBase64(bytes)
    const parts = this.#taggedComplex ? entries.get('__tkr_complex__') : undefined
    if (parts === undefined) return entries
    return complexOfParts(isList(parts) ? parts : [parts])
  }

  #string(): string {
    const begin = this.#at
    this.#at++
    PLAIN.lastIndex = this.#at
    PLAIN.test(this.#text)
    if (this.#text.charCodeAt(PLAIN.lastIndex) === 34) {
      const plain = this.#text.slice(this.#at, PLAIN.lastIndex)
      this.#at = PLAIN.lastIndex + 1
      return plain
    }
    let text = ''
    for (;;) {
      PLAIN.lastIndex = this.#at
      PLAIN.test(this.#text)
      text += this.#text.slice(this.#at, PLAIN.lastIndex)
      this.#at = PLAIN.lastIndex
      if (this.#at >= this.#text.length) throw this.#error('Unterminated string starting at', begin)
      const code = this.#text.charCodeAt(this.#at)
      if (code === 34) break
      if (code !== 92) throw this.#error('Invalid control character at', this.#at)
      text += this.#escape(begin)
    }
    this.#at++
    return text
  }

  #escape(begin: number): string {
    const backslash = this.#at
    const letter = this.#text[backslash + 1]
    if (letter === undefined) throw this.#error('Unterminated string starting at', begin)
    if (letter !== 'u') {
      const character = ESCAPES[letter]
      if (character === undefined) throw this.#error('Invalid \\escape', backslash)
      this.#at += 2
      return character
    }
    const hex = this.#text.slice(backslash + 2, backslash + 6)
    // The text must go on after the four digits: without a closing quote Python gives this message, too.
    if (!/^[0-9a-fA-F]{4}$/.test(hex) || backslash + 6 >= this.#text.length) throw this.#error('Invalid \\uXXXX escape', backslash + 1)
    this.#at += 6
    return String.fromCharCode(Number.parseInt(hex, 16))
  }

  #error(message: string, at: number): PythonError {
    const before = Array.from(this.#text.slice(0, at))
    const line = before.filter((character) => character === '\n').length + 1
    const column = before.length - (before.lastIndexOf('\n') + 1) + 1
    return new PythonError('JSONDecodeError', `${message}: line ${line} column ${column} (char ${before.length})`)
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
