/**
 * An exception as Python would have raised it: `kind` is its class, `message` its `str()`, which is what a worker
 * writes to the error path. The message may be empty, as `raise IndexError` gives.
 */
export class PythonError extends Error {
  override readonly name: string = 'PythonError'
  readonly kind: string
  constructor(kind: string, message: string) {
    super(message)
    this.kind = kind
  }
}

/** Python's `TypeError`. */
export function typeError(message: string): PythonError {
  return new PythonError('TypeError', message)
}

/** Python's `ValueError`. */
export function valueError(message: string): PythonError {
  return new PythonError('ValueError', message)
}
