import { toDouble } from '../values/complex-parts.ts'
import { PythonError } from '../values/python-error.ts'
import { Complex } from '../values/value.ts'
import { exactCos, exactSin } from './exact-trigonometry.ts'
import type { Real } from './operands.ts'

/** The number as a complex one. Throws `OverflowError` for an int above 1.8e308. */
export function toComplex(value: Real | Complex): Complex {
  return value instanceof Complex ? value : new Complex(toDouble(value), 0)
}

/** `a * b` as CPython multiplies complex numbers. */
export function multiplyComplex(a: Complex, b: Complex): Complex {
  return new Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
}

/** `a / b` by Smith's method, as CPython does. Throws `ZeroDivisionError`. */
export function divideComplex(a: Complex, b: Complex): Complex {
  const absRe = Math.abs(b.re)
  const absIm = Math.abs(b.im)
  if (absRe >= absIm) {
    if (absRe === 0) throw new PythonError('ZeroDivisionError', 'complex division by zero')
    const ratio = b.im / b.re
    const denominator = b.re + b.im * ratio
    return new Complex((a.re + a.im * ratio) / denominator, (a.im - a.re * ratio) / denominator)
  }
  if (absIm >= absRe) {
    const ratio = b.re / b.im
    const denominator = b.re * ratio + b.im
    return new Complex((a.re * ratio + a.im) / denominator, (a.im * ratio - a.re) / denominator)
  }
  return new Complex(Number.NaN, Number.NaN)
}

/**
 * `a ** b`. Whole exponents up to 100 are multiplied out, others go through polar form. The last digit may differ from
 * CPython's where base or exponent has an imaginary part (its C library's functions decide it); a negative base with a
 * real exponent is exact to the last digit. Throws `ZeroDivisionError` and `OverflowError`.
 */
export function powComplex(a: Complex, b: Complex): Complex {
  const result = b.im === 0 && Number.isInteger(b.re) && Math.abs(b.re) <= 100 ? powWhole(a, b.re) : powPolar(a, b)
  const isOverflow = !Number.isFinite(result.re) || !Number.isFinite(result.im)
  const wasFinite = [a.re, a.im, b.re, b.im].every(Number.isFinite)
  if (isOverflow && wasFinite) throw new PythonError('OverflowError', 'complex exponentiation')
  return result
}

function powWhole(a: Complex, exponent: number): Complex {
  if (exponent <= 0 && a.re === 0 && a.im === 0 && exponent !== 0) throw zeroToNegative()
  let power = new Complex(1, 0)
  let square = a
  for (let rest = Math.abs(exponent); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiplyComplex(power, square)
    square = multiplyComplex(square, square)
  }
  return exponent > 0 ? power : divideComplex(new Complex(1, 0), power)
}

function powPolar(a: Complex, b: Complex): Complex {
  if (b.re === 0 && b.im === 0) return new Complex(1, 0)
  if (a.re === 0 && a.im === 0) {
    if (b.im !== 0 || b.re < 0) throw zeroToNegative()
    return new Complex(0, 0)
  }
  const size = a.im === 0 ? Math.abs(a.re) : Math.hypot(a.re, a.im)
  const angle = Math.atan2(a.im, a.re)
  let length = size ** b.re
  let phase = angle * b.re
  if (b.im !== 0) {
    length *= Math.exp(-angle * b.im)
    phase += b.im * Math.log(size)
  }
  return new Complex(length * exactCos(phase), length * exactSin(phase))
}

function zeroToNegative(): PythonError {
  return new PythonError('ZeroDivisionError', '0.0 to a negative or complex power')
}
