import { intOfDigits } from '../values/int-text.ts'
import { PythonError, typeError, valueError } from '../values/python-error.ts'
import { Complex, isList, typeName, type Value } from '../values/value.ts'
import { isInt } from './operands.ts'
import { repr } from './python-text.ts'

/** Python's truth of a value: false are `None`, `False`, zeros, and everything empty. */
export function isTruthy(value: Value): boolean {
  if (value === null) return false
  switch (typeof value) {
    case 'boolean':
      return value
    case 'number':
      return value !== 0
    case 'bigint':
      return value !== 0n
    case 'string':
      return value !== ''
  }
  if (isList(value) || value instanceof Uint8Array) return value.length > 0
  return value instanceof Complex ? value.re !== 0 || value.im !== 0 : value.size > 0
}

function refuseInfinite(value: number): void {
  if (Number.isNaN(value)) throw valueError('cannot convert float NaN to integer')
  if (!Number.isFinite(value)) throw new PythonError('OverflowError', 'cannot convert float infinity to integer')
}

/** `round(value)`: to the nearest int, half to even. */
export function round(value: Value): bigint {
  if (isInt(value)) return BigInt(value)
  if (typeof value !== 'number') throw typeError(`type ${typeName(value)} doesn't define __round__ method`)
  refuseInfinite(value)
  const floor = Math.floor(value)
  const rest = value - floor
  return BigInt(rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor)
}

/** `abs(value)`. */
export function absolute(value: Value): Value {
  if (isInt(value)) {
    const number = BigInt(value)
    return number < 0n ? -number : number
  }
  if (typeof value === 'number') return Math.abs(value)
  if (value instanceof Complex) {
    const size = Math.hypot(value.re, value.im)
    if (size === Number.POSITIVE_INFINITY && Number.isFinite(value.re) && Number.isFinite(value.im)) {
      throw new PythonError('OverflowError', 'absolute value too large')
    }
    return size
  }
  throw typeError(`bad operand type for abs(): '${typeName(value)}'`)
}

const SPACE = '(?:(?!\\ufeff)[\\s\\x85])'
const EDGES = new RegExp(`^${SPACE}+|${SPACE}+$`, 'gu')
const ASCII_DECIMAL = /^([-+]?)([0-9]+(?:_[0-9]+)*)$/
const DECIMAL = /^([-+]?)(\p{Nd}+(?:_\p{Nd}+)*)$/u

/** `int(value)`: a float cut off towards zero, decimal text (with spaces around, underscores and any script's digits). */
export function toInt(value: Value): bigint {
  if (isInt(value)) return BigInt(value)
  if (typeof value === 'number') {
    refuseInfinite(value)
    return BigInt(Math.trunc(value))
  }
  if (typeof value === 'string' || value instanceof Uint8Array) {
    // Bytes are ASCII: other scripts' spaces and digits count in text only.
    const text =
      typeof value === 'string'
        ? value.replace(EDGES, '')
        : Buffer.from(value)
            .toString('latin1')
            .replace(/^[ \t-\r]+|[ \t-\r]+$/g, '')
    const found = text.match(typeof value === 'string' ? DECIMAL : ASCII_DECIMAL)
    if (!found) throw valueError(`invalid literal for int() with base 10: ${repr(value)}`)
    return intOfDigits(`${found[1] === '-' ? '-' : ''}${(found[2] ?? '').replace(/_/g, '').replace(/[^0-9]/gu, asciiDigit)}`)
  }
  throw typeError(`int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`)
}

/** A decimal digit of another script: Unicode keeps each script's ten digits in a row, in whole rows from the first. */
function asciiDigit(digit: string): string {
  let point = digit.codePointAt(0) ?? 0
  let before = 0
  while (/^\p{Nd}$/u.test(String.fromCodePoint(point - 1))) {
    point--
    before++
  }
  return String(before % 10)
}

/** An int where Python takes only ints (`range`, `randint`). Throws its `TypeError`. */
export function asIndex(value: Value): bigint {
  if (isInt(value)) return BigInt(value)
  throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`)
}
