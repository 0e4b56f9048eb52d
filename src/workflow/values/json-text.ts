import { cannotDecode, decodeUtf8 } from './utf8.ts'

/**
 * The text of a JSON document: Python's `json.loads` finds UTF-8 (with or without a byte order mark), UTF-16 and
 * UTF-32 by the first bytes. Throws `UnicodeDecodeError`.
 */
export function decodeJsonText(bytes: Uint8Array): string {
  const [a, b, c, d] = bytes
  if (a !== undefined && a !== 0 && b !== 0 && a < 0xef) return decodeUtf8(bytes, true)
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return decodeUnits(bytes.subarray(4), 4, a === 0xff, 'utf-32')
  }
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return decodeUnits(bytes.subarray(2), 2, a === 0xff, 'utf-16')
  if (a === 0xef && b === 0xbb && c === 0xbf) return decodeUtf8(bytes.subarray(3), true)
  if (bytes.length >= 4) {
    if (a === 0) return b === 0 ? decodeUnits(bytes, 4, false, 'utf-32-be') : decodeUnits(bytes, 2, false, 'utf-16-be')
    if (b === 0) return c === 0 && d === 0 ? decodeUnits(bytes, 4, true, 'utf-32-le') : decodeUnits(bytes, 2, true, 'utf-16-le')
  } else if (bytes.length === 2) {
    if (a === 0) return decodeUnits(bytes, 2, false, 'utf-16-be')
    if (b === 0) return decodeUnits(bytes, 2, true, 'utf-16-le')
  }
  return decodeUtf8(bytes, true)
}

function decodeUnits(bytes: Uint8Array, width: 2 | 4, little: boolean, codec: string): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = bytes.length - (bytes.length % width)
  if (whole !== bytes.length) throw cannotDecode(bytes, whole, bytes.length, 'truncated data', codec)
  const parts: string[] = []
  for (let at = 0; at < whole; at += width) {
    const unit = width === 2 ? view.getUint16(at, little) : view.getUint32(at, little)
    if (unit > 0x10ffff) throw cannotDecode(bytes, at, at + 4, 'code point not in range(0x110000)', codec)
    parts.push(unit > 0xffff ? String.fromCodePoint(unit) : String.fromCharCode(unit))
  }
  return parts.join('')
}
