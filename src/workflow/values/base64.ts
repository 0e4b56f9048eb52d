import { PythonError, typeError, valueError } from './python-error.ts'
import { typeName, type Value } from './value.ts'

/**
 * `b64decode` of Python, which drops every character outside the alphabet and refuses only wrong padding. Throws
 * `ValueError`, `TypeError` or `binascii.Error` in its words.
 */
export function decodeBase64(text: Value): Uint8Array {
  if (text instanceof Uint8Array)
    return decodeBase64(
      Buffer.from(text)
        .toString('latin1')
        .replace(/[\x80-\xff]/g, ''),
    )
  if (typeof text !== 'string') throw typeError(`argument should be a bytes-like object or ASCII string, not '${typeName(text)}'`)
  if (/[^\x00-\x7f]/.test(text)) throw valueError('string argument should contain only ASCII characters')
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  const data = significant(text)
  const dataLength = data.length
  if (dataLength % 4 === 1 && !isPadded(text, data)) {
    const whole = Math.floor(dataLength / 4) * 4
    throw new PythonError(
      'Error',
      `Invalid base64-encoded string: number of data characters (${whole + 1}) cannot be 1 more than a multiple of 4`,
    )
  }
  if (dataLength % 4 !== 0 && !isPadded(text, data)) throw new PythonError('Error', 'Incorrect padding')
  return Buffer.from(data, 'base64')
}

/** The characters of the alphabet up to the padding that ends the data. */
function significant(text: string): string {
  let data = ''
  let pads = 0
  for (const character of text) {
    if (character === '=') {
      pads++
      if (data.length % 4 >= 2 && (data.length % 4) + pads >= 4) return data
    } else if (/[A-Za-z0-9+/]/.test(character)) {
      data += character
      pads = 0
    }
  }
  return data
}

/** Whether the padding behind the data fills its last group of four. */
function isPadded(text: string, data: string): boolean {
  const rest = data.length % 4
  if (rest < 2) return rest === 0
  let seen = 0
  let pads = 0
  for (const character of text) {
    if (/[A-Za-z0-9+/]/.test(character)) {
      if (seen === data.length) break
      seen++
    } else if (character === '=' && seen === data.length) pads++
  }
  return rest + pads >= 4
}
