import { toDouble } from '../values/complex-parts.ts'
import { PythonError } from '../values/python-error.ts'
import type { Value } from '../values/value.ts'
import { divideComplex, toComplex } from './complex-arithmetic.ts'
import { isInt, isNumeric, isReal, unsupported } from './operands.ts'
import { formatPercent, formatPercentBytes } from './percent-format.ts'

function zeroDivision(message: string): PythonError {
  return new PythonError('ZeroDivisionError', message)
}

/** `a / b`: always a float (or complex). Ints of any size are divided exactly and rounded once. */
export function divide(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) return divideInts(BigInt(a), BigInt(b))
  if (isReal(a) && isReal(b)) {
    const [x, y] = [toDouble(a), toDouble(b)]
    if (y === 0) throw zeroDivision('float division by zero')
    return x / y
  }
  if (isNumeric(a) && isNumeric(b)) return divideComplex(toComplex(a), toComplex(b))
  throw unsupported('/', a, b)
}

const EXACT = 2n ** 53n

/**
 * The quotient of two ints rounded once, half to even. Throws `ZeroDivisionError`, and `OverflowError` above 1.8e308.
 */
export function divideInts(a: bigint, b: bigint): number {
  if (b === 0n) throw zeroDivision('division by zero')
  if (a <= EXACT && a >= -EXACT && b <= EXACT && b >= -EXACT) return Number(a) / Number(b)
  const isNegative = a < 0n !== b < 0n
  const size = quotient(a < 0n ? -a : a, b < 0n ? -b : b)
  if (size === Number.POSITIVE_INFINITY) throw new PythonError('OverflowError', 'integer division result too large for a float')
  return isNegative ? -size : size
}

function bitLength(value: bigint): number {
  const hex = value.toString(16)
  return value === 0n ? 0 : (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] ?? '0', 16)))
}

function quotient(a: bigint, b: bigint): number {
  const magnitude = bitLength(a) - bitLength(b)
  if (magnitude > 1025) return Number.POSITIVE_INFINITY
  if (magnitude < -1080) return 0
  // Enough bits for one correct rounding; fewer where the result is subnormal, whose grid is coarser.
  const shift = Math.min(56 - magnitude, 1074 + 2)
  const numerator = shift > 0 ? a << BigInt(shift) : a
  const denominator = shift < 0 ? b << BigInt(-shift) : b
  const whole = numerator / denominator
  // The lowest bit says that something was cut off, so that a tie is seen as one only where it is one.
  const sticky = (whole << 1n) | (whole * denominator === numerator ? 0n : 1n)
  return scale(sticky, -(shift + 1))
}

/** `bits * 2^power`, rounded once, half to even, also where the result is subnormal. */
function scale(bits: bigint, power: number): number {
  const drop = Math.max(bitLength(bits) - 53, -1074 - power)
  if (drop <= 0) return times2(Number(bits), power)
  const low = bits & ((1n << BigInt(drop)) - 1n)
  const half = 1n << BigInt(drop - 1)
  let kept = bits >> BigInt(drop)
  if (low > half || (low === half && (kept & 1n) === 1n)) kept += 1n
  return times2(Number(kept), power + drop)
}

function times2(value: number, power: number): number {
  const first = Math.trunc(power / 2)
  return value * 2 ** first * 2 ** (power - first)
}

/** `a // b`: rounded towards minus infinity. */
export function floorDivide(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    const [x, y] = [BigInt(a), BigInt(b)]
    if (y === 0n) throw zeroDivision('integer division or modulo by zero')
    const whole = x / y
    return x % y !== 0n && x < 0n !== y < 0n ? whole - 1n : whole
  }
  if (!isReal(a) || !isReal(b)) throw unsupported('//', a, b)
  const [x, y] = [toDouble(a), toDouble(b)]
  if (y === 0) throw zeroDivision('float floor division by zero')
  let rest = x % y
  let quotient = (x - rest) / y
  if (rest !== 0 && y < 0 !== rest < 0) {
    rest += y
    quotient -= 1
  }
  if (quotient === 0) return Object.is(x / y, -0) || x / y < 0 ? -0 : 0
  const floor = Math.floor(quotient)
  return quotient - floor > 0.5 ? floor + 1 : floor
}

/** `a % b`: the sign of the divisor. With text on the left it is Python's old string formatting. */
export function modulo(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    const [x, y] = [BigInt(a), BigInt(b)]
    if (y === 0n) throw zeroDivision('integer modulo by zero')
    const rest = x % y
    return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest
  }
  if (typeof a === 'string') return formatPercent(a, b)
  if (a instanceof Uint8Array) return formatPercentBytes(a, b)
  if (!isReal(a) || !isReal(b)) throw unsupported('%', a, b)
  const [x, y] = [toDouble(a), toDouble(b)]
  if (y === 0) throw zeroDivision('float modulo')
  const rest = x % y
  if (rest === 0) return y < 0 || Object.is(y, -0) ? -0 : 0
  return rest < 0 !== y < 0 ? rest + y : rest
}
