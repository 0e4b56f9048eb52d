/**
 * Sine and cosine rounded correctly. JavaScript's own are off by one in the last digit for some percent of arguments,
 * where the C library under Python practically never is; powers of negative numbers show that digit.
 */

/** Fraction bits of the fixed-point numbers below: a double's 53, those of the largest argument, and a margin. */
const BITS = 320n
const ONE = 1n << BITS
const PI_DIGITS =
  '3141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117067982148086513282306647093844609550582231725359408128'
const HALF_PI = ((BigInt(PI_DIGITS) << BITS) / 10n ** BigInt(PI_DIGITS.length - 1)) >> 1n
/** Above this the digits of pi kept here do not reach; the platform's function answers. */
const LARGEST = 2 ** 100

/** Below this the sine is its argument and the cosine 1, to the last digit. */
const SMALLEST = 2 ** -28

/** `sin(x)`, rounded correctly up to 2^100. */
export function exactSin(x: number): number {
  if (Math.abs(x) < SMALLEST) return x
  return Math.abs(x) < LARGEST ? quadrant(x, 0n) : Math.sin(x)
}

/** `cos(x)`, rounded correctly up to 2^100. */
export function exactCos(x: number): number {
  if (Math.abs(x) < SMALLEST) return 1
  return Math.abs(x) < LARGEST ? quadrant(x, 1n) : Math.cos(x)
}

function quadrant(x: number, shift: bigint): number {
  const fixed = toFixedPoint(x)
  let turns = fixed / HALF_PI
  let rest = fixed - turns * HALF_PI
  if (rest < 0n) {
    rest += HALF_PI
    turns -= 1n
  }
  const which = (((turns + shift) % 4n) + 4n) % 4n
  const size = series(rest, which % 2n)
  return toDouble(which >= 2n ? -size : size)
}

/** Taylor series: from x for the sine (first = 0), from 1 for the cosine (first = 1). */
function series(x: bigint, first: bigint): bigint {
  const square = (x * x) >> BITS
  let term = first === 0n ? x : ONE
  let sum = term
  for (let k = first === 0n ? 2n : 1n; term !== 0n; k += 2n) {
    term = -((term * square) >> BITS) / (k * (k + 1n))
    sum += term
  }
  return sum
}

function toFixedPoint(x: number): bigint {
  let exponent = 0
  let mantissa = x
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2
    exponent++
  }
  const shift = BITS - BigInt(exponent)
  return shift >= 0n ? BigInt(mantissa) << shift : BigInt(mantissa) >> -shift
}

function toDouble(fixed: bigint): number {
  return Number(fixed) / Number(ONE)
}
