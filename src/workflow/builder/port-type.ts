import type { Complex } from '../values/value.ts'
import { literalOf } from './port-values.ts'

/** What a port's type is built from; `variable` is a type variable of a generic task, resolved where the task is called. */
export type PortKind =
  | 'int'
  | 'float'
  | 'bool'
  | 'str'
  | 'bytes'
  | 'complex'
  | 'none'
  | 'list'
  | 'tuple'
  | 'dict'
  | 'union'
  | 'graph'
  | 'elements'
  | 'opaque'
  | 'any'
  | 'variable'

declare const VALUE: unique symbol

/**
 * The type of a port. `T` is how TypeScript code sees its values: an `int` as a bigint, a `float` as a number, a `list`
 * as a readonly array, a `dict` as a readonly map.
 */
export interface PortType<out T> {
  readonly kind: PortKind
  /** As the Python stubs of Tierkreis write it: `int`, `list[float]`, `int | None`. */
  readonly annotation: string
  /** Of a list, the element; of a dict, the value; of a tuple and a union, its members. */
  readonly args: readonly PortType<unknown>[]
  /** Of a graph: its ports. */
  readonly graph?: { readonly inputs: PortShape; readonly outputs: PortShape }
  /** Whether the port may stay without a value. */
  readonly optional?: true
  /** Compile time only. */
  readonly [VALUE]?: T
}

/** Ports by name with their types: `{ a: int, b: optional(float) }`. */
export type PortShape = Readonly<Record<string, PortType<unknown>>>

/** A port that may stay without a value. */
export interface OptionalPort<out T> extends PortType<T> {
  readonly optional: true
}

type Valued<P> = P extends PortType<infer T> ? T : never
type Flat<T> = { readonly [K in keyof T]: T[K] }

/** The values of a shape by port name; optional ports are optional keys: `{ a: bigint; b?: number }`. */
export type ValuesOf<S extends PortShape> = Flat<
  { [K in keyof S as S[K] extends OptionalPort<unknown> ? never : K]: Valued<S[K]> } & {
    [K in keyof S as S[K] extends OptionalPort<unknown> ? K : never]?: Valued<S[K]>
  }
>

/** A graph as a value: what a port holds that gives a body to `eval`, `loop` and `map`. Compile time only. */
export interface GraphValue<in In, out Out> {
  readonly takes: (inputs: In) => void
  readonly gives: Out
}

/** A value of which only the Python class is known; its JSON passes through as it is. */
export interface OpaqueValue<Name extends string> {
  readonly pythonClass: Name
}

/** The elements of a list on ports of their own: what `unfold_values` gives and `fold_values` takes. Compile time only. */
export interface Elements<out T> {
  readonly element: T
}

function portType<T>(kind: PortKind, annotation: string, args: readonly PortType<unknown>[] = []): PortType<T> {
  return { kind, annotation, args }
}

/** A type that is also a function making such a constant. */
function constructible<T, From>(type: PortType<T>): PortType<T> & ((value: From) => T) {
  const make = (value: From): T => literalOf(type, value, `${type.annotation}(…)`) as T
  return Object.assign(make, type)
}

/**
 * Whole numbers of any size: bigint. `int(3)` is the constant 3; a number with a fraction, or one above 2^53 (write `10n ** 20n`),
 * throws.
 */
export const int = constructible<bigint, bigint | number>(portType('int', 'int'))
/** Double floats: number, whole ones too. `float(3)` is the constant 3.0. */
export const float = constructible<number, number>(portType('float', 'float'))
/** `int | float`, as most arithmetic builtins give it. A TypeScript number is a float, a bigint an int. */
export const number: PortType<bigint | number> = portType('union', 'int | float', [int, float])
export const bool: PortType<boolean> = portType('bool', 'bool')
/** Text: string. */
export const str: PortType<string> = portType('str', 'str')
/** Raw bytes: Uint8Array. */
export const bytes: PortType<Uint8Array> = portType('bytes', 'bytes')
export const complex: PortType<Complex> = portType('complex', 'complex')
/** Python's None: null. */
export const none: PortType<null> = portType('none', 'None')
/** Any JSON value, unchecked by the compiler; `port.as(type)` gives it a type. */
export const anything: PortType<unknown> = portType('any', 'Any')

/** A list with elements of one type. */
export function list<T>(element: PortType<T>): PortType<readonly T[]> {
  return portType('list', `list[${element.annotation}]`, [element])
}

/** A tuple; its JSON is a list. */
export function tuple<const P extends readonly PortType<unknown>[]>(...members: P): PortType<{ readonly [K in keyof P]: Valued<P[K]> }> {
  return portType('tuple', `tuple[${members.map((member) => member.annotation).join(', ')}]`, members)
}

/** An object with values of one type. */
export function dict<T>(value: PortType<T>): PortType<ReadonlyMap<string, T>> {
  return portType('dict', `dict[str, ${value.annotation}]`, [value])
}

/** One of several types; a constant becomes the first that fits. */
export function union<const P extends readonly PortType<unknown>[]>(...members: P): PortType<Valued<P[number]>> {
  return portType('union', members.map((member) => member.annotation).join(' | '), members)
}

/** A value of a Python class, by its full name: `opaque('pytket.circuit.Circuit')`. */
export function opaque<const Name extends string>(pythonClass: Name): PortType<OpaqueValue<Name>> {
  return portType('opaque', `OpaqueType["${pythonClass}"]`)
}

/** A graph with these ports, as a value. */
export function graphOf<I extends PortShape, O extends PortShape>(inputs: I, outputs: O): PortType<GraphValue<ValuesOf<I>, ValuesOf<O>>> {
  return { ...portType<GraphValue<ValuesOf<I>, ValuesOf<O>>>('graph', 'Workflow'), graph: { inputs, outputs } }
}

/** A port that may stay without a value: of a task the parameter's default counts then. */
export function optional<T>(type: PortType<T>): OptionalPort<T> {
  const { kind, annotation, args, graph } = type
  return { kind, annotation, args, ...(graph ? { graph } : {}), optional: true }
}

/** Elements of a list, each on a port of its own. */
export function elements<T>(element: PortType<T>): PortType<Elements<T>> {
  return portType('elements', element.annotation, [element])
}

/** A type variable of a generic task. */
export function variable<T>(name: string): PortType<T> {
  return portType('variable', name)
}
