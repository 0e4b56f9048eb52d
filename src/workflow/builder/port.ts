import type { Complex, Dict } from '../values/value.ts'
import type { LocalTask } from './local-task.ts'
import type { Elements, GraphValue, PortShape, PortType } from './port-type.ts'

declare const VALUE: unique symbol

/** An output port of a node in a graph that is being built; what other nodes take as input. */
export class Port<out T> {
  /** Compile time only. */
  declare readonly [VALUE]: T
  /** What builds the graph that the node is in. */
  readonly owner: object
  /** Node index; -1 for what the graph itself is given. */
  readonly node: number
  readonly name: string
  readonly type: PortType<T>

  constructor(owner: object, node: number, name: string, type: PortType<T>) {
    this.owner = owner
    this.node = node
    this.name = name
    this.type = type
  }

  /** The same port with another type, unchecked: for values of `anything` and of generic tasks. */
  as<U>(type: PortType<U>): Port<U> {
    return new Port(this.owner, this.node, this.name, type)
  }
}

/** A finished graph with the types of its ports; `Workflow` is one. */
export interface TypedGraph<in In, out Out> {
  readonly inputPorts: PortShape
  readonly outputPorts: PortShape
  /** Local tasks by function name, those of nested graphs included. */
  readonly localTasks: ReadonlyMap<string, LocalTask>
  /** The graph as a value: its JSON document. */
  toDocument(): Dict
  /** Compile time only. */
  readonly graphValue?: GraphValue<In, Out>
}

/** A body of `eval`, `loop` or `map`: a finished graph, or a port that gives one. */
export type Body<In, Out> = TypedGraph<In, Out> | Port<GraphValue<In, Out>>

/** A constant where a port is asked for: an int may be written as a whole number, a graph as a workflow. */
export type Literal<T> = T extends bigint
  ? bigint | number
  : T extends Uint8Array | Complex
    ? T
    : T extends readonly unknown[]
      ? { readonly [K in keyof T]: Literal<T[K]> }
      : T extends GraphValue<infer In, infer Out>
        ? TypedGraph<In, Out>
        : T extends ReadonlyMap<string, infer V>
          ? ReadonlyMap<string, Literal<V>> | { readonly [key: string]: Literal<V> }
          : T

/** What an input takes: a port of this graph, or a constant. */
export type Input<T> = Port<T> | Literal<T>

/** Inputs by name; where a port may stay without a value, also `undefined`. */
export type Inputs<In> = { readonly [K in keyof In]: Input<In[K]> }

/** Ports by name. */
export type Ports<Out> = { readonly [K in keyof Out]-?: Port<Out[K]> }

/** What a node gives: the port itself where there is only `value`, else ports by name. */
export type Result<Out> = [keyof Out] extends ['value'] ? ('value' extends keyof Out ? Port<Out['value']> : Ports<Out>) : Ports<Out>

/** The type of the port of a constant: a number is a float, a bigint an int. */
export type ConstOf<T> = T extends bigint
  ? bigint
  : T extends number
    ? number
    : T extends string
      ? string
      : T extends boolean
        ? boolean
        : T extends null | Uint8Array | Complex
          ? T
          : T extends TypedGraph<infer In, infer Out>
            ? GraphValue<In, Out>
            : T extends readonly (infer E)[]
              ? readonly ConstOf<E>[]
              : T extends ReadonlyMap<string, infer V>
                ? ReadonlyMap<string, ConstOf<V>>
                : T extends Readonly<Record<string, unknown>>
                  ? ReadonlyMap<string, ConstOf<T[keyof T]>>
                  : unknown

/** What a map runs over: a list, or elements that already lie on ports of their own. */
export type Over<T> = Input<readonly T[]> | Port<Elements<T>>

/** What a map gives: a list for each output of its body. */
export type MapResult<Out> = Result<{ readonly [K in keyof Out]-?: readonly Out[K][] }>

/** The inputs of a loop, or the reason why the body can't be one: its bool output, and outputs that feed inputs. */
export type LoopInputs<In, Out, C extends string> = C extends keyof Out
  ? Out[C] extends boolean
    ? [{ [K in keyof In & keyof Out]: [Out[K]] extends [In[K]] ? never : K }[keyof In & keyof Out]] extends [never]
      ? Inputs<In>
      : 'an output of the body has the name of an input, but another type'
    : `output "${C}" of the body is no bool`
  : `the body has no output "${C}"`
