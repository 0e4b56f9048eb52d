import { InputError } from '../../errors.ts'
import { Complex, isDict, isList, typeName, type Value } from '../../workflow/values/value.ts'
import type { InterfaceModel, TypeShape } from '../stubs/worker-interface.ts'

/** Marks port types across copies of this package. */
const BRAND: unique symbol = Symbol.for('drover.worker.port') as never

/** How a port's file is read: parsed as JSON, as raw bytes, or not at all (the task gets its path). */
export type PortFormat = 'json' | 'bytes' | 'file'

/** The type of a port: checks and converts values between a workflow's form and that of a task. */
export interface PortType<T> {
  readonly [BRAND]: true
  readonly format: PortFormat
  readonly shape: TypeShape
  /** Models that `shape` names, itself included. */
  readonly models: readonly InterfaceModel[]
  /** Given by `optional`: where nothing is there, the value is `fallback`. */
  readonly isOptional: boolean
  readonly fallback?: T
  /** Throws `InputError` that names `place` where the value has another type. */
  decode(value: Value, place: string): T
  /** Throws `InputError` that names `place` where the value has another type. */
  encode(value: T, place: string): Value
}

/** Whether a value is a port type, and not an object of several. */
export function isPortType(value: unknown): value is PortType<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value
}

/** Makes a port type of its two conversions. */
export function createPortType<T>(
  parts: Pick<PortType<T>, 'shape' | 'decode' | 'encode'> & Partial<Pick<PortType<T>, 'format' | 'models'>>,
): PortType<T> {
  return Object.freeze({ [BRAND]: true as const, format: 'json' as const, models: [], isOptional: false, ...parts })
}

/** The port may be left out: the task then gets `fallback` (undefined where none is given), or writes nothing. */
export function optional<T, const F = undefined>(type: PortType<T>, fallback?: F): PortType<T | F> {
  // Encoding is asked for values of the inner type only: a missing output is not written.
  const inner = type as unknown as PortType<T | F>
  return Object.freeze({ ...inner, isOptional: true, fallback: fallback as F })
}

/** Throws where a `file` is asked for inside a list or an object: only a whole port can be one. */
export function refuseFiles(where: string, types: readonly PortType<unknown>[]): void {
  if (types.every(({ format }) => format !== 'file')) return
  throw new InputError('invalid_argument', `${where} cannot hold a file: file is the type of a whole port`)
}

/** An error about the value at `place`. */
export function wrongValue(place: string, found: unknown, expected: string): InputError {
  return new InputError('invalid_argument', `${place} is ${describe(found)}, ${expected} was expected`)
}

const MAX_SHOWN = 60

function describe(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (value === null) return 'null'
  if (typeof value === 'bigint' || typeof value === 'number') {
    const kind = typeof value === 'bigint' ? 'an int' : 'a number'
    return `${kind} (${String(value).slice(0, MAX_SHOWN)})`
  }
  if (typeof value === 'string') return `a string (${JSON.stringify(value).slice(0, MAX_SHOWN)})`
  if (typeof value === 'boolean') return `a bool (${value})`
  if (isList(value as Value)) return 'a list'
  if (isDict(value as Value)) return 'an object'
  if (value instanceof Uint8Array) return 'bytes'
  return value instanceof Complex ? 'a complex number' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** As `wrongValue`, with the words Python has for the type: for values that came from a workflow. */
export function wrongPortValue(place: string, value: Value, expected: string): InputError {
  const text = typeof value === 'number' && Number.isInteger(value) ? `a float (${value}.0)` : undefined
  if (text !== undefined) return new InputError('invalid_argument', `${place} is ${text}, ${expected} was expected`)
  return typeName(value) === 'NoneType' ? wrongValue(place, null, expected) : wrongValue(place, value, expected)
}
