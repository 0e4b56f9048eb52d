import { PythonError, typeError } from '../values/python-error.ts'
import { isList, typeName, type Value } from '../values/value.ts'
import { add, multiply } from './arithmetic.ts'
import { divideInts } from './division.ts'
import { isInt } from './operands.ts'

const LONG_MAX = 2n ** 63n - 1n

function isLong(value: bigint): boolean {
  return value <= LONG_MAX && value >= -LONG_MAX - 1n
}

/**
 * `sum(values)` of CPython 3.12: ints exactly, and from the first float on with Neumaier's compensation, as long as only
 * floats and 64-bit ints follow.
 */
export function sum(values: readonly Value[]): Value {
  let total: Value = 0n
  let at = 0
  for (; at < values.length; at++) {
    const item: Value = values[at] ?? null
    if (!isInt(item)) break
    total = total + BigInt(item)
    if (!isLong(total) || !isLong(BigInt(item))) break
  }
  if (at < values.length && isInt(values[at] ?? null)) at++
  else if (at < values.length) total = add(total, values[at++] ?? null)
  if (typeof total === 'number') [total, at] = sumFloats(total, values, at)
  for (; at < values.length; at++) total = add(total, values[at] ?? null)
  return total
}

function sumFloats(start: number, values: readonly Value[], from: number): [Value, number] {
  let total = start
  let lost = 0
  const compensated = (): number => (lost !== 0 && Number.isFinite(lost) ? total + lost : total)
  for (let at = from; at < values.length; at++) {
    const item = values[at] ?? null
    if (typeof item === 'number') {
      const next = total + item
      lost += Math.abs(total) >= Math.abs(item) ? total - next + item : item - next + total
      total = next
    } else if (isInt(item) && isLong(BigInt(item))) total += Number(item)
    else return [add(compensated(), item), at + 1]
  }
  return [compensated(), values.length]
}

/** The product of all, from 1 on, in Python's `*=`. */
export function product(values: readonly Value[]): Value {
  let total: Value = 1n
  for (const item of values) total = multiply(total, item, '*=')
  return total
}

/**
 * `statistics.mean(values)`: exact in between and rounded once; an int where ints have a whole mean. Throws
 * `StatisticsError` for an empty list, `TypeError` for what is no real number.
 */
export function mean(values: readonly Value[]): Value {
  if (values.length === 0) throw new PythonError('StatisticsError', 'mean requires at least one data point')
  let numerator = 0n
  // Every finite double is a whole number of 2^-1074; ints are scaled only once a float has been seen.
  let scale = 0
  let special: number | undefined
  let hasFloat = false
  for (const item of values) {
    if (isInt(item)) numerator += BigInt(item) << BigInt(scale)
    else if (typeof item !== 'number') throw typeError(`can't convert type '${typeName(item)}' to numerator/denominator`)
    else {
      hasFloat = true
      if (!Number.isFinite(item)) special = (special ?? 0) + item
      else {
        const [mantissa, power] = ratio(item)
        if (power > scale) {
          numerator <<= BigInt(power - scale)
          scale = power
        }
        numerator += mantissa << BigInt(scale - power)
      }
    }
  }
  if (special !== undefined) return special / values.length
  const denominator = BigInt(values.length) << BigInt(scale)
  if (!hasFloat && numerator % denominator === 0n) return numerator / denominator
  const common = commonTwos(numerator, denominator)
  return divideInts(numerator >> common, denominator >> common)
}

/** A finite double as `mantissa / 2^power`. */
function ratio(value: number): [mantissa: bigint, power: number] {
  let power = 0
  let whole = value
  while (!Number.isInteger(whole)) {
    whole *= 2
    power++
  }
  return [BigInt(whole), power]
}

function commonTwos(a: bigint, b: bigint): bigint {
  let count = 0n
  while (((a >> count) & 1n) === 0n && ((b >> count) & 1n) === 0n && a !== 0n) count++
  return count
}

/** `len(values)` as Python counts: for text, code points. */
export function length(value: Value): bigint {
  if (typeof value === 'string') return BigInt(Array.from(value).length)
  if (isList(value) || value instanceof Uint8Array) return BigInt(value.length)
  if (value instanceof Map) return BigInt(value.size)
  throw typeError(`object of type '${typeName(value)}' has no len()`)
}
