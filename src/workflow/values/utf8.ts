import { isAscii, isUtf8 } from 'node:buffer'
import { PythonError } from './python-error.ts'

/**
 * UTF-8 to text as Python's strict decoder does. Throws `UnicodeDecodeError` with its words, e.g. `'utf-8' codec can't
 * decode byte 0xff in position 0: invalid start byte`. With `surrogates`, encoded surrogates pass (as `json.loads` reads).
 */
export function decodeUtf8(bytes: Uint8Array, surrogates = false): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isAscii(buffer)) return buffer.toString('latin1')
  if (isUtf8(buffer)) return buffer.toString('utf8')
  return decodeSlowly(bytes, surrogates)
}

/** How many bytes a sequence has by its first byte; 0 for a byte that can't start one. */
function lengthByStart(first: number): number {
  if (first < 0x80) return 1
  if (first >= 0xc2 && first <= 0xdf) return 2
  if (first >= 0xe0 && first <= 0xef) return 3
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0
}

/** Whether the second byte can follow the first: overlong forms, surrogates and code points above 10FFFF can't. */
function followsFirst(first: number, second: number): boolean {
  if (first === 0xe0) return second >= 0xa0 && second <= 0xbf
  if (first === 0xed) return second >= 0x80 && second <= 0x9f
  if (first === 0xf0) return second >= 0x90 && second <= 0xbf
  if (first === 0xf4) return second >= 0x80 && second <= 0x8f
  return second >= 0x80 && second <= 0xbf
}

/** The surrogate that the three bytes at the place encode. */
function encodedSurrogate(bytes: Uint8Array, at: number): string | undefined {
  const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3)
  if (first !== 0xed || (second & 0xe0) !== 0xa0 || (third & 0xc0) !== 0x80) return undefined
  return String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f))
}

function decodeSlowly(bytes: Uint8Array, surrogates: boolean): string {
  const units: string[] = []
  let at = 0
  while (at < bytes.length) {
    const first = bytes[at] ?? 0
    const length = lengthByStart(first)
    const passed = surrogates ? encodedSurrogate(bytes, at) : undefined
    if (passed !== undefined) {
      units.push(passed)
      at += 3
      continue
    }
    if (length === 0) throw cannotDecode(bytes, at, at + 1, 'invalid start byte')
    let point = length === 1 ? first : first & (0x7f >> length)
    for (let k = 1; k < length; k++) {
      const next = bytes[at + k]
      if (next === undefined) throw cannotDecode(bytes, at, bytes.length, 'unexpected end of data')
      const valid = k === 1 ? followsFirst(first, next) : (next & 0xc0) === 0x80
      if (!valid) throw cannotDecode(bytes, at, at + k, 'invalid continuation byte')
      point = (point << 6) | (next & 0x3f)
    }
    units.push(point > 0xffff ? String.fromCodePoint(point) : String.fromCharCode(point))
    at += length
  }
  return units.join('')
}

/** Python's `UnicodeDecodeError` for the bytes from `start` up to `end`. */
export function cannotDecode(bytes: Uint8Array, start: number, end: number, reason: string, codec = 'utf-8'): PythonError {
  const what =
    end - start === 1
      ? `byte 0x${(bytes[start] ?? 0).toString(16).padStart(2, '0')} in position ${start}`
      : `bytes in position ${start}-${end - 1}`
  return new PythonError('UnicodeDecodeError', `'${codec}' codec can't decode ${what}: ${reason}`)
}

/**
 * Text to UTF-8 as Python's strict encoder does. Throws `UnicodeEncodeError` for a lone surrogate; positions count
 * code points.
 */
export function encodeUtf8(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8')
  const points = Array.from(text)
  const isLone = (point: string | undefined): boolean => point !== undefined && /^[\ud800-\udfff]$/.test(point)
  const start = points.findIndex(isLone)
  let end = start + 1
  while (isLone(points[end])) end++
  const what =
    end - start === 1
      ? `character '\\u${text.charCodeAt(points.slice(0, start).join('').length).toString(16)}' in position ${start}`
      : `characters in position ${start}-${end - 1}`
  throw new PythonError('UnicodeEncodeError', `'utf-8' codec can't encode ${what}: surrogates not allowed`)
}
