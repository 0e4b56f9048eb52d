import { InputError } from '../../errors.ts'
import { Complex, isList, type Value } from '../../workflow/values/value.ts'
import { createPortType, type PortType, wrongPortValue, wrongValue } from './port-type.ts'

/** An integer as a number. One beyond 2^53 is refused, never rounded: `bigInt` takes those. */
export const int: PortType<number> = createPortType<number>({
  shape: { kind: 'int' },
  decode(value, place) {
    if (typeof value !== 'bigint') throw wrongPortValue(place, value, 'an int')
    const number = Number(value)
    if (!Number.isSafeInteger(number)) {
      throw new InputError('invalid_argument', `${place} is an int beyond 2^53 (${String(value).slice(0, 60)})`, {
        hint: 'Declare the port as bigInt.',
      })
    }
    return number
  },
  encode(value: number | bigint, place) {
    if (typeof value === 'bigint') return value
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongValue(place, value, 'an int')
    if (!Number.isSafeInteger(value)) throw wrongValue(place, value, 'an int within 2^53, or a bigint,')
    return BigInt(value)
  },
})

/** An integer of any size. */
export const bigInt: PortType<bigint> = createPortType<bigint>({
  shape: { kind: 'int' },
  decode(value, place) {
    if (typeof value !== 'bigint') throw wrongPortValue(place, value, 'an int')
    return value
  },
  encode(value, place) {
    if (typeof value !== 'bigint') throw wrongValue(place, value, 'a bigint')
    return value
  },
})

/** A double, NaN and the infinities included. An int is taken as one, as Python does; it is written with its point: `2.0`. */
export const float: PortType<number> = createPortType<number>({
  shape: { kind: 'float' },
  decode(value, place) {
    if (typeof value === 'number') return value
    if (typeof value !== 'bigint') throw wrongPortValue(place, value, 'a float')
    return Number(value)
  },
  encode(value, place) {
    if (typeof value !== 'number') throw wrongValue(place, value, 'a number')
    return value
  },
})

function plain<T extends Value>(kind: 'bool' | 'string' | 'null', isOf: (value: unknown) => value is T, expected: string): PortType<T> {
  return createPortType<T>({
    shape: { kind },
    decode(value, place) {
      if (!isOf(value)) throw wrongPortValue(place, value, expected)
      return value
    },
    encode(value, place) {
      if (!isOf(value)) throw wrongValue(place, value, expected)
      return value
    },
  })
}

/** `true` or `false`. */
export const bool: PortType<boolean> = plain('bool', (value) => typeof value === 'boolean', 'a bool')
/** Text. */
export const string: PortType<string> = plain('string', (value) => typeof value === 'string', 'a string')
/** Nothing: Python's `None`. */
export const none: PortType<null> = plain('null', (value) => value === null, 'null')

/** Raw bytes: the port's file as it is. Read into memory as a whole; `file` is for large ones. */
export const bytes: PortType<Uint8Array> = createPortType<Uint8Array>({
  shape: { kind: 'bytes' },
  format: 'bytes',
  decode(value, place) {
    if (!(value instanceof Uint8Array)) throw wrongPortValue(place, value, 'bytes')
    return value
  },
  encode(value, place) {
    if (!(value instanceof Uint8Array)) throw wrongValue(place, value, 'a Uint8Array')
    return value
  },
})

/** A complex number, in every form in which releases write it; written as the release that runs the workflow reads it. */
export const complex: PortType<Complex> = createPortType<Complex>({
  shape: { kind: 'complex' },
  decode(value, place) {
    if (value instanceof Complex) return value
    const parts = isList(value) && value.length === 2 ? value.map((part) => (typeof part === 'bigint' ? Number(part) : part)) : []
    const [re, im] = parts
    if (typeof re !== 'number' || typeof im !== 'number') throw wrongPortValue(place, value, 'a complex number [re, im]')
    return new Complex(re, im)
  },
  encode(value: { readonly re: number; readonly im: number }, place) {
    if (typeof value?.re !== 'number' || typeof value.im !== 'number') throw wrongValue(place, value, 'a complex number {re, im}')
    return new Complex(value.re, value.im)
  },
})

/**
 * A value that stays in its file, of any size. As an input the task gets the file's path, which it only reads. As an output it
 * returns the path of a file: one that `context.newFile` named is renamed into place, any other is copied.
 */
export const file: PortType<string> = createPortType<string>({
  shape: { kind: 'bytes' },
  format: 'file',
  decode: (value, place) => string.decode(value, place),
  encode(value, place) {
    if (typeof value !== 'string' || value === '') throw wrongValue(place, value, 'the path of a file')
    return value
  },
})

/** The value as the workflow has it, with every distinction Python makes: ints are bigints, objects are maps. */
export const anyValue: PortType<Value> = createPortType<Value>({
  shape: { kind: 'any' },
  decode: (value) => value,
  encode: (value) => value,
})
