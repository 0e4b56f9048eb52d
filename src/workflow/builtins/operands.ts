import { type PythonError, typeError } from '../values/python-error.ts'
import { Complex, typeName, type Value } from '../values/value.ts'

/** A value that counts as a real number in Python's arithmetic; a bool counts 0 or 1. */
export type Real = bigint | number | boolean

/** Whether the value is an int, a float or a bool. */
export function isReal(value: Value): value is Real {
  return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean'
}

/** Whether the value is an int or a bool. */
export function isInt(value: Value): value is bigint | boolean {
  return typeof value === 'bigint' || typeof value === 'boolean'
}

/** Whether the value is a number of any kind. */
export function isNumeric(value: Value): value is Real | Complex {
  return isReal(value) || value instanceof Complex
}

/** Python's refusal of an operator: `unsupported operand type(s) for -: 'str' and 'int'`. */
export function unsupported(operator: string, a: Value, b: Value): PythonError {
  return typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`)
}
