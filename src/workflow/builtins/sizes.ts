import { type PythonError, typeError } from '../values/python-error.ts'

/** Python's refusal of an int beyond 64 bits where a place or a count is wanted. */
export const NOT_INDEX_SIZED = "cannot fit 'int' into an index-sized integer"

/** Whether the int fits into 64 bits. */
export function isIndexSized(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/** Elements, characters or bytes that a result may have; Python would need gigabytes for more. */
const MOST_ELEMENTS = 2 ** 27

/**
 * Refuses a result that would not fit into memory, before it is made. Throws where Python has a `MemoryError`, which has
 * no text.
 * @param what the result in words, e.g. `a range of 10000000000 numbers`
 */
export function refuseHuge(count: bigint, what: string): void {
  if (count > MOST_ELEMENTS) throw tooLarge(what)
}

function tooLarge(what: string): PythonError {
  return typeError(`${what} is too large: at most ${MOST_ELEMENTS}`)
}
