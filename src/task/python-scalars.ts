import type { LocatedScalar, Origin } from './located.ts'

// PyYAML 6.0 (yaml/resolver.py): what a plain scalar is. The `yaml` package's own 1.1 schema differs: it reads `1e-4`,
// `y` and `n` as number and booleans and misses some forms, so plain scalars are resolved here.
const BOOLEAN = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/
const TRUE = /^(?:yes|true|on)$/i
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/
const INTEGER = /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const NULL = /^(?:~|null|Null|NULL|)$/
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIMESTAMP = /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(?:(Z)|([-+])(\d\d?)(?::(\d\d))?))?$/

type Resolved = Pick<LocatedScalar, 'type' | 'value' | 'text'>

/** Python's `repr` of a float: `1.0`, `1e-05`, `1e+16`, `inf`, `nan`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (Object.is(value, -0)) return '-0.0'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [mantissa = '', exponent = ''] = value.toExponential().split('e')
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
  }
  const text = String(value)
  return text.includes('.') ? text : `${text}.0`
}

function bigIntOf(text: string): bigint | undefined {
  const plain = text.replaceAll('_', '')
  const negative = plain.startsWith('-')
  const digits = plain.replace(/^[-+]/, '')
  try {
    let value: bigint
    if (digits.includes(':')) value = digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
    else if (/^0\d/.test(digits)) value = BigInt(`0o${digits.slice(1)}`)
    else value = BigInt(digits)
    return negative ? -value : value
  } catch {
    // `0b_` and `0x_`: digits of underscores only, on which PyYAML fails.
    return undefined
  }
}

/** An integer node's value; `undefined` when the text is none. */
export function integerScalar(text: string): Resolved | undefined {
  const value = INTEGER.test(text) && text.length <= 4000 ? bigIntOf(text) : undefined
  return value === undefined ? undefined : { type: 'integer', value: Number(value), text: String(value) }
}

/** A float node's value; `undefined` when the text is none. */
export function floatScalar(text: string): Resolved | undefined {
  if (!FLOAT.test(text)) return undefined
  const plain = text.replaceAll('_', '').toLowerCase()
  const sign = plain.startsWith('-') ? -1 : 1
  const digits = plain.replace(/^[-+]/, '')
  let value: number
  if (digits === '.inf') value = Number.POSITIVE_INFINITY
  else if (digits === '.nan') value = Number.NaN
  else if (digits.includes(':')) {
    // PyYAML's order: from the last part to the first, so that rounding is the same.
    value = 0
    let base = 1
    for (const part of digits.split(':').reverse()) {
      value += Number(part) * base
      base *= 60
    }
  } else value = Number(digits)
  return { type: 'float', value: sign * value, text: pythonFloat(sign * value) }
}

/** Python's `str()` of the date or datetime; `undefined` when the text is none, or names no real day. */
function timestampText(text: string): string | undefined {
  const match = DATE.exec(text) ?? TIMESTAMP.exec(text)
  if (!match) return undefined
  const [, year = '', month = '', day = '', hour, minute, second, fraction, zulu, sign, zoneHour, zoneMinute] = match
  const two = (part: string | undefined) => (part ?? '').padStart(2, '0')
  const date = `${year}-${two(month)}-${two(day)}`
  const time = new Date(`${date}T00:00:00Z`)
  if (Number.isNaN(time.getTime()) || time.getUTCDate() !== Number(day) || year === '0000') return undefined
  if (hour === undefined) return date
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(zoneHour ?? 0) > 23) return undefined
  const micros = (fraction ?? '').slice(0, 6).padEnd(6, '0')
  const zone = zulu === undefined ? (sign === undefined ? '' : `${sign}${two(zoneHour)}:${two(zoneMinute ?? '0')}`) : '+00:00'
  return `${date} ${two(hour)}:${minute}:${second}${Number(micros) === 0 ? '' : `.${micros}`}${zone.replace('-00:00', '+00:00')}`
}

/** A timestamp node's value; `undefined` when the text is none. */
export function timestampScalar(text: string): Resolved | undefined {
  const value = timestampText(text)
  return value === undefined ? undefined : { type: 'timestamp', value, text: value }
}

/** A boolean node's value; `undefined` when the text is none. */
export function booleanScalar(text: string): Resolved | undefined {
  return BOOLEAN.test(text) ? { type: 'boolean', value: TRUE.test(text), text: TRUE.test(text) ? 'True' : 'False' } : undefined
}

/** A null node's value; `undefined` when the text is none. */
export function nullScalar(text: string): Resolved | undefined {
  return NULL.test(text) ? { type: 'null', value: null, text: 'None' } : undefined
}

/** What PyYAML's safe loader makes of an unquoted scalar, and the text Python's `str()` then gives: `010` → 8, `yes` → `True`. */
export function resolvePlainScalar(source: string, origin: Origin): LocatedScalar {
  const resolved = booleanScalar(source) ??
    floatScalar(source) ??
    integerScalar(source) ??
    nullScalar(source) ??
    timestampScalar(source) ?? { type: 'string', value: source, text: source }
  return { kind: 'scalar', ...resolved, source, origin }
}
