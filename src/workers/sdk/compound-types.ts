import { Complex, isDict, isList, type Value } from '../../workflow/values/value.ts'
import type { InterfaceModel } from '../stubs/worker-interface.ts'
import { createPortType, type PortType, refuseFiles, wrongPortValue, wrongValue } from './port-type.ts'

/** A list of values of one type. */
export function list<T>(of: PortType<T>): PortType<readonly T[]> {
  refuseFiles('list', [of])
  return createPortType<readonly T[]>({
    shape: { kind: 'list', of: of.shape },
    models: of.models,
    decode(value, place) {
      if (!isList(value)) throw wrongPortValue(place, value, 'a list')
      return value.map((item, k) => of.decode(item, `${place}[${k}]`))
    },
    encode(value, place) {
      if (!Array.isArray(value)) throw wrongValue(place, value, 'an array')
      return Array.from(value as readonly T[], (item, k) => of.encode(item, `${place}[${k}]`))
    },
  })
}

/** An object whose keys are names and whose values have one type: Python's `dict[str, T]`. */
export function record<T>(of: PortType<T>): PortType<Readonly<Record<string, T>>> {
  refuseFiles('record', [of])
  return createPortType<Readonly<Record<string, T>>>({
    shape: { kind: 'record', of: of.shape },
    models: of.models,
    decode(value, place) {
      if (!isDict(value)) throw wrongPortValue(place, value, 'an object')
      return Object.fromEntries([...value].map(([key, item]) => [key, of.decode(item, `${place}.${key}`)]))
    },
    encode(value, place) {
      if (!isPlainObject(value)) throw wrongValue(place, value, 'an object')
      return new Map(Object.entries(value).map(([key, item]) => [key, of.encode(item as T, `${place}.${key}`)]))
    },
  })
}

/** A list of fixed length with a type for each place: Python's `tuple[A, B]`. */
export function tuple<const T extends readonly PortType<unknown>[]>(
  ...of: T
): PortType<{ readonly [K in keyof T]: T[K] extends PortType<infer V> ? V : never }> {
  type Items = { readonly [K in keyof T]: T[K] extends PortType<infer V> ? V : never }
  refuseFiles('tuple', of)
  return createPortType<Items>({
    shape: { kind: 'tuple', of: of.map(({ shape }) => shape) },
    models: of.flatMap(({ models }) => models),
    decode(value, place) {
      if (!isList(value) || value.length !== of.length) throw wrongPortValue(place, value, `a list of ${of.length}`)
      return of.map((type, k) => type.decode(value[k] ?? null, `${place}[${k}]`)) as unknown as Items
    },
    encode(value, place) {
      if (!Array.isArray(value) || value.length !== of.length) throw wrongValue(place, value, `an array of ${of.length}`)
      return of.map((type, k) => type.encode(value[k], `${place}[${k}]`))
    },
  })
}

/** The type or null: Python's `T | None`. */
export function nullable<T>(of: PortType<T>): PortType<T | null> {
  refuseFiles('nullable', [of])
  return createPortType<T | null>({
    shape: { kind: 'union', of: [of.shape, { kind: 'null' }] },
    models: of.models,
    decode: (value, place) => (value === null ? null : of.decode(value, place)),
    encode: (value, place) => (value === null ? null : of.encode(value, place)),
  })
}

/** Values by field name, with the type of each. */
type FieldValues<F> = { readonly [K in keyof F]: F[K] extends PortType<infer V> ? V : never }

/** An object with named fields; in stubs it is the model `name`. Keys that are not fields are dropped, as Python drops them. */
export function struct<F extends Readonly<Record<string, PortType<unknown>>>>(name: string, fields: F): PortType<FieldValues<F>> {
  const entries = Object.entries(fields)
  refuseFiles(`struct ${name}`, Object.values(fields))
  const model: InterfaceModel = {
    name,
    parameters: [],
    isPortMapping: false,
    fields: entries.map(([field, type]) => ({ name: field, type: type.shape, isOptional: false })),
  }
  return createPortType<FieldValues<F>>({
    shape: { kind: 'named', name, args: [] },
    models: [...entries.flatMap(([, type]) => type.models), model],
    decode(value, place) {
      if (!isDict(value)) throw wrongPortValue(place, value, `an object (${name})`)
      const read = entries.map(([field, type]) => {
        const item = value.get(field)
        if (item === undefined && !type.isOptional) throw wrongValue(`${place}.${field}`, undefined, `a field of ${name}`)
        return [field, item === undefined ? type.fallback : type.decode(item, `${place}.${field}`)]
      })
      return Object.fromEntries(read) as FieldValues<F>
    },
    encode(value, place) {
      if (!isPlainObject(value)) throw wrongValue(place, value, `an object (${name})`)
      const written = entries.flatMap(([field, type]): [string, Value][] => {
        const item = (value as Readonly<Record<string, unknown>>)[field]
        if (item === undefined && type.isOptional) return []
        return [[field, type.encode(item, `${place}.${field}`)]]
      })
      return new Map(written)
    },
  })
}

/** What `json` gives a task: plain JavaScript values; an int beyond 2^53 is a bigint. */
export type Json = null | boolean | number | bigint | string | Uint8Array | Complex | readonly Json[] | { readonly [key: string]: Json }

/**
 * Any value, as plain JavaScript: numbers, strings, arrays, objects. `1` and `1.0` are both the number 1, and a number without a
 * fraction is written as an int; `anyValue` keeps the difference.
 */
export const json: PortType<Json> = createPortType<Json>({ shape: { kind: 'any' }, decode: toJson, encode: fromJson })

function toJson(value: Value): Json {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) return value.map(toJson)
  return isDict(value) ? Object.fromEntries([...value].map(([key, item]) => [key, toJson(item)])) : value
}

function fromJson(value: Json, place: string): Value {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value
  if (value === null || typeof value === 'bigint' || typeof value === 'string' || typeof value === 'boolean') return value
  if (value instanceof Uint8Array || value instanceof Complex) return value
  if (Array.isArray(value)) return Array.from(value as readonly Json[], (item, k) => fromJson(item, `${place}[${k}]`))
  if (!isPlainObject(value)) throw wrongValue(place, value, 'a value that JSON can hold')
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item as Json, `${place}.${key}`)]))
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
