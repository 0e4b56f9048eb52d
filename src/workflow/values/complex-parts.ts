import { floatText } from './float-text.ts'
import { PythonError, typeError } from './python-error.ts'
import { Complex, typeName, type Value } from './value.ts'

/** A number as a double, as Python converts it: a bool counts 0 or 1. Throws `OverflowError` for an int above 1.8e308. */
export function toDouble(value: bigint | number | boolean): number {
  const double = Number(value)
  if (typeof value === 'bigint' && !Number.isFinite(double)) throw new PythonError('OverflowError', 'int too large to convert to float')
  return double
}

/** `complex(*parts)` of Python: up to two numbers. Throws `TypeError` in its words. */
export function complexOfParts(parts: readonly Value[]): Complex {
  if (parts.length > 2) throw typeError(`complex() takes at most 2 arguments (${parts.length} given)`)
  const [first = 0n, second] = parts
  if (typeof first === 'string') {
    if (second !== undefined) throw typeError("complex() can't take second arg if first is a string")
    throw typeError(`complex() of the text ${JSON.stringify(first)} is not supported`)
  }
  if (typeof second === 'string') throw typeError("complex() second arg can't be a string")
  if (!isNumber(first)) throw typeError(`complex() first argument must be a string or a number, not '${typeName(first)}'`)
  if (second !== undefined && !isNumber(second)) throw typeError(`complex() second argument must be a number, not '${typeName(second)}'`)
  const a = first instanceof Complex ? first : new Complex(toDouble(first), 0)
  if (second === undefined) return a
  const b = second instanceof Complex ? second : new Complex(toDouble(second), 0)
  // `complex(a, b)` is a + b·i, also where a or b is complex itself.
  return first instanceof Complex || second instanceof Complex ? new Complex(a.re - b.im, a.im + b.re) : new Complex(a.re, b.re)
}

function isNumber(value: Value): value is bigint | number | boolean | Complex {
  return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean' || value instanceof Complex
}

/** `repr` of a complex number: `(1+2j)`, `2j`, `(-0-1j)`. */
export function complexText(value: Complex): string {
  const part = (x: number): string => floatText(x).replace(/\.0$/, '')
  if (Object.is(value.re, 0)) return `${part(value.im)}j`
  const imaginary = part(value.im)
  return `(${part(value.re)}${/^[-+]/.test(imaginary) ? '' : '+'}${imaginary}j)`
}
