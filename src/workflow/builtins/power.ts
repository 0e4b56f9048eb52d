import { toDouble } from '../values/complex-parts.ts'
import { isTooLong, MAX_INT_DIGITS, tooLongToWrite } from '../values/int-text.ts'
import { PythonError } from '../values/python-error.ts'
import { Complex, type Value } from '../values/value.ts'
import { powComplex, toComplex } from './complex-arithmetic.ts'
import { isInt, isNumeric, isReal, unsupported } from './operands.ts'

/**
 * `a ** b`: ints stay ints, a negative exponent gives a float, a negative base with a fraction a complex number. An int
 * that would have more than 4300 digits is refused before it is computed, with the error that writing it would give.
 */
export function power(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    const [x, y] = [BigInt(a), BigInt(b)]
    return y >= 0n ? powInts(x, y) : powFloats(toDouble(x), toDouble(y))
  }
  if (isReal(a) && isReal(b)) return powFloats(toDouble(a), toDouble(b))
  if (isNumeric(a) && isNumeric(b)) return powComplex(toComplex(a), toComplex(b))
  throw unsupported('** or pow()', a, b)
}

/** log2(10) times the longest number Python writes, with room for the rounding of the estimate. */
const MAX_BITS = Math.ceil(MAX_INT_DIGITS * Math.log2(10)) + 2

function powInts(base: bigint, exponent: bigint): bigint {
  if (base <= 1n && base >= -1n) return base ** (exponent === 0n ? 0n : exponent % 2n === 0n ? 2n : 1n)
  const size = isTooLong(base) ? MAX_BITS : Math.log2(Math.abs(Number(base)))
  if (exponent > MAX_BITS || (Number.isFinite(size) && (size - 1e-9) * Number(exponent) > MAX_BITS)) throw tooLongToWrite()
  return base ** exponent
}

function powFloats(base: number, exponent: number): number | Complex {
  if (exponent === 0 || base === 1) return 1
  if (base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent)) return 1
  if (!Number.isFinite(base) || !Number.isFinite(exponent)) return base ** exponent
  if (base === 0 && exponent < 0) throw new PythonError('ZeroDivisionError', '0.0 cannot be raised to a negative power')
  if (base < 0 && !Number.isInteger(exponent)) return powComplex(new Complex(base, 0), new Complex(exponent, 0))
  const result = base ** exponent
  if (!Number.isFinite(result)) throw new PythonError('OverflowError', "(34, 'Numerical result out of range')")
  return result
}
