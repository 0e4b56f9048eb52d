import { valueError } from './python-error.ts'

/** Most decimal digits that Python (since 3.11) converts between text and int, unless it is told otherwise. */
export const MAX_INT_DIGITS = 4300

const LIMIT = 10n ** BigInt(MAX_INT_DIGITS)
const NEGATIVE_LIMIT = -LIMIT
const REMEDY = 'use sys.set_int_max_str_digits() to increase the limit'

/** Whether the integer has more digits than Python writes. */
export function isTooLong(value: bigint): boolean {
  return value >= LIMIT || value <= NEGATIVE_LIMIT
}

/** The refusal Python gives when such an integer is to be written. */
export function tooLongToWrite(): Error {
  return valueError(`Exceeds the limit (${MAX_INT_DIGITS} digits) for integer string conversion; ${REMEDY}`)
}

/** The integer's decimal digits. Throws `ValueError` above 4300 digits, as Python does. */
export function intText(value: bigint): string {
  if (isTooLong(value)) throw tooLongToWrite()
  return value.toString()
}

/** The integer of decimal digits (`-?[0-9]+`, checked by the caller). Throws `ValueError` above 4300 digits. */
export function intOfDigits(digits: string): bigint {
  const count = digits.startsWith('-') ? digits.length - 1 : digits.length
  if (count > MAX_INT_DIGITS) {
    throw valueError(`Exceeds the limit (${MAX_INT_DIGITS} digits) for integer string conversion: value has ${count} digits; ${REMEDY}`)
  }
  return BigInt(digits)
}
