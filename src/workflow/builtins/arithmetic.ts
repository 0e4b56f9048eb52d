import { toDouble } from '../values/complex-parts.ts'
import { PythonError, typeError } from '../values/python-error.ts'
import { Complex, isList, typeName, type Value } from '../values/value.ts'
import { multiplyComplex, toComplex } from './complex-arithmetic.ts'
import { isInt, isNumeric, isReal, unsupported } from './operands.ts'
import { isIndexSized, NOT_INDEX_SIZED, refuseHuge } from './sizes.ts'

/** `a + b`: numbers, and text, lists or bytes joined. Throws `PythonError` with CPython's words. */
export function add(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a + b
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (isInt(a) && isInt(b)) return BigInt(a) + BigInt(b)
  if (isReal(a) && isReal(b)) return toDouble(a) + toDouble(b)
  if (isNumeric(a) && isNumeric(b)) {
    const [x, y] = [toComplex(a), toComplex(b)]
    return new Complex(x.re + y.re, x.im + y.im)
  }
  if (typeof a === 'string') {
    if (typeof b === 'string') return a + b
    throw typeError(`can only concatenate str (not "${typeName(b)}") to str`)
  }
  if (isList(a)) {
    if (isList(b)) return [...a, ...b]
    throw typeError(`can only concatenate list (not "${typeName(b)}") to list`)
  }
  if (a instanceof Uint8Array) {
    if (b instanceof Uint8Array) return Buffer.concat([a, b])
    throw typeError(`can't concat ${typeName(b)} to bytes`)
  }
  throw unsupported('+', a, b)
}

/** `a - b` of numbers. */
export function subtract(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a - b
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (isInt(a) && isInt(b)) return BigInt(a) - BigInt(b)
  if (isReal(a) && isReal(b)) return toDouble(a) - toDouble(b)
  if (!isNumeric(a) || !isNumeric(b)) throw unsupported('-', a, b)
  const [x, y] = [toComplex(a), toComplex(b)]
  return new Complex(x.re - y.re, x.im - y.im)
}

/**
 * `a * b`: numbers, and text, lists or bytes repeated by an int on either side.
 * @param operator as it stands in the message; `*=` where Python multiplies in place
 */
export function multiply(a: Value, b: Value, operator = '*'): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a * b
  if (typeof a === 'number' && typeof b === 'number') return a * b
  if (isInt(a) && isInt(b)) return BigInt(a) * BigInt(b)
  if (isReal(a) && isReal(b)) return toDouble(a) * toDouble(b)
  if (isNumeric(a) && isNumeric(b)) return multiplyComplex(toComplex(a), toComplex(b))
  if (isSequence(a)) return repeat(a, b)
  if (isSequence(b)) return repeat(b, a)
  throw unsupported(operator, a, b)
}

type Sequence = string | readonly Value[] | Uint8Array

function isSequence(value: Value): value is Sequence {
  return typeof value === 'string' || isList(value) || value instanceof Uint8Array
}

function repeat(sequence: Sequence, times: Value): Value {
  if (!isInt(times)) throw typeError(`can't multiply sequence by non-int of type '${typeName(times)}'`)
  const wanted = BigInt(times)
  if (!isIndexSized(wanted)) throw new PythonError('OverflowError', NOT_INDEX_SIZED)
  const count = wanted > 0n ? wanted : 0n
  refuseHuge(count * BigInt(sequence.length), `a repetition of ${count * BigInt(sequence.length)} elements`)
  if (sequence.length === 0 || count === 0n) return typeof sequence === 'string' ? '' : isList(sequence) ? [] : new Uint8Array(0)
  const n = Number(count)
  if (typeof sequence === 'string') return sequence.repeat(n)
  if (isList(sequence)) return Array.from({ length: n }, () => sequence).flat()
  return Buffer.concat(Array.from({ length: n }, () => sequence))
}
