import { toDouble } from '../values/complex-parts.ts'
import { typeError, valueError } from '../values/python-error.ts'
import { isDict, isList, typeName, type Value } from '../values/value.ts'
import { toInt } from './conversion.ts'
import { exponentialDigits, fixedText } from './decimal-rounding.ts'
import { isInt, isReal } from './operands.ts'
import { ascii, repr, str } from './python-text.ts'
import { refuseHuge } from './sizes.ts'

interface Conversion {
  readonly flags: string
  readonly width: number
  readonly precision: number | undefined
  readonly letter: string
}

const CONVERSION = /%(?:\(([^()]*)\))?([-+ #0]*)(\d*)(?:\.(\d*))?[hlL]?(.)?/gsu

/**
 * `bytes % value` of Python: as for text, but `%s` and `%b` take bytes only. Throws `TypeError`.
 */
export function formatPercentBytes(bytes: Uint8Array, value: Value): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1')
  const wantsBytes = /%[-+ #0]*\d*(?:\.\d*)?[sb]/.test(text)
  if (wantsBytes && !(value instanceof Uint8Array)) {
    throw typeError(`%b requires a bytes-like object, or an object that implements __bytes__, not '${typeName(value)}'`)
  }
  const argument = wantsBytes && value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
  const what = wantsBytes ? text.replace(/(%[-+ #0]*\d*(?:\.\d*)?)b/g, '$1s') : text
  return Buffer.from(formatPercent(what, argument, 'bytes'), 'latin1')
}

/**
 * `text % value` of Python: `'%05d' % 42` → `00042`. One value, or the keys of an object by `%(key)s`. The `*` width,
 * which takes a tuple, can't occur: values of ports are lists, and a list is one argument.
 */
export function formatPercent(text: string, value: Value, kind: 'string' | 'bytes' = 'string'): string {
  let isUsed = false
  const formatted = text.replace(CONVERSION, (whole, key: string | undefined, flags: string, width: string, precision, letter, offset) => {
    if (letter === undefined) throw valueError('incomplete format')
    if (whole === '%%') return '%'
    if (letter === '*') throw typeError(isInt(value) ? 'not enough arguments for format string' : '* wants int')
    let argument = value
    if (key !== undefined) {
      if (!isDict(value)) throw typeError('format requires a mapping')
      const item = value.get(key)
      if (item === undefined) throw typeError(repr(key))
      argument = item
    } else {
      if (isUsed) throw typeError('not enough arguments for format string')
      isUsed = true
    }
    const places = precision === undefined ? undefined : Number(precision || '0')
    return convert(argument, { flags, width: Number(width || '0'), precision: places, letter }, offset + whole.length - letter.length)
  })
  // Lists, objects and bytes count as mappings, whose use isn't checked.
  if (!isUsed && !isDict(value) && !isList(value) && !(value instanceof Uint8Array)) {
    throw typeError(`not all arguments converted during ${kind} formatting`)
  }
  return formatted
}

function convert(value: Value, how: Conversion, at: number): string {
  switch (how.letter) {
    case 's':
    case 'r':
    case 'a': {
      const text = how.letter === 's' ? str(value) : how.letter === 'r' ? repr(value) : ascii(value)
      return pad('', how.precision === undefined ? text : Array.from(text).slice(0, how.precision).join(''), {
        ...how,
        flags: how.flags.replace('0', ''),
      })
    }
    case 'd':
    case 'i':
    case 'u':
      if (!isReal(value)) throw typeError(`%${how.letter} format: a real number is required, not ${typeName(value)}`)
      return wholeNumber(toInt(value), 10, '', how)
    case 'x':
    case 'X':
    case 'o': {
      if (!isInt(value)) throw typeError(`%${how.letter} format: an integer is required, not ${typeName(value)}`)
      return wholeNumber(BigInt(value), how.letter === 'o' ? 8 : 16, how.flags.includes('#') ? `0${how.letter}` : '', how)
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      if (!isReal(value)) throw typeError(`must be real number, not ${typeName(value)}`)
      return floatNumber(toDouble(value), how)
    case 'c':
      if (isInt(value)) {
        if (BigInt(value) < 0n || BigInt(value) > 0x10ffffn) throw typeError('%c arg not in range(0x110000)')
        return pad('', String.fromCodePoint(Number(value)), how)
      }
      if (typeof value === 'string' && Array.from(value).length === 1) return pad('', value, how)
      throw typeError('%c requires int or char')
  }
  throw valueError(`unsupported format character '${how.letter}' (0x${(how.letter.codePointAt(0) ?? 0).toString(16)}) at index ${at}`)
}

function signOf(isNegative: boolean, flags: string): string {
  return isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
}

function wholeNumber(value: bigint, base: number, prefix: string, how: Conversion): string {
  const size = (value < 0n ? -value : value).toString(base).padStart(how.precision ?? 0, '0')
  return pad(signOf(value < 0n, how.flags) + prefix, how.letter === 'X' ? size.toUpperCase() : size, how)
}

function floatNumber(value: number, how: Conversion): string {
  const isNegative = value < 0 || Object.is(value, -0)
  const text = Number.isFinite(value) ? finiteNumber(value, how) : Number.isNaN(value) ? 'nan' : 'inf'
  return pad(signOf(isNegative, how.flags), /[A-Z]/.test(how.letter) ? text.toUpperCase() : text, how)
}

function finiteNumber(value: number, how: Conversion): string {
  const places = how.precision ?? 6
  const point = how.flags.includes('#') ? '.' : ''
  const kind = how.letter.toLowerCase()
  if (kind === 'f') return fixedText(value, places) + (places === 0 ? point : '')
  if (kind === 'e') return exponential(...exponentialDigits(value, places), point)
  const significant = Math.max(places, 1)
  const [digits, exponent] = exponentialDigits(value, significant - 1)
  const kept = point ? digits : digits.replace(/0+$/, '') || '0'
  if (exponent < -4 || exponent >= significant) return exponential(kept, exponent, point)
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${kept}`
  const whole = kept.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const rest = kept.slice(exponent + 1)
  return rest ? `${whole}.${rest}` : whole + point
}

function exponential(digits: string, exponent: number, point: string): string {
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits + point
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function pad(prefix: string, text: string, how: Conversion): string {
  refuseHuge(BigInt(how.width), `a width of ${how.width}`)
  const missing = how.width - Array.from(prefix + text).length
  if (missing <= 0) return prefix + text
  if (how.flags.includes('-')) return prefix + text + ' '.repeat(missing)
  return how.flags.includes('0') && how.letter !== 'c' ? prefix + '0'.repeat(missing) + text : ' '.repeat(missing) + prefix + text
}
