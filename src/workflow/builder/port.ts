import type { GraphValue, PortType } from './port-type.ts'

declare const VALUE: unique symbol

/** An output port of a node in a graph that is being built; what other nodes take as input. */
export class Port<out T> {
  /** Compile time only. */
  declare readonly [VALUE]: T
  /** The builder whose graph the node is in. */
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

/** A finished graph with its types; `Workflow` is one. */
export interface TypedGraph<in In, out Out> {
  readonly graphValue?: GraphValue<In, Out>
}

/** A constant where a port is asked for: an int may be written as a whole number, a graph as a workflow. */
export type Literal<T> = T extends bigint
  ? bigint | number
  : T extends readonly (infer E)[]
    ? number extends T['length']
      ? readonly Literal<E>[]
      : { readonly [K in keyof T]: Literal<T[K]> }
    : T extends GraphValue<infer In, infer Out>
      ? TypedGraph<In, Out>
      : T

/** What an input takes: a port of this graph, or a constant. */
export type Input<T> = Port<T> | Literal<T>

/** Inputs by name; of ports that may stay without a value also `undefined`. */
export type Inputs<In> = { readonly [K in keyof In]: Input<In[K]> }

/** Ports by name. */
export type Ports<Out> = { readonly [K in keyof Out]-?: Port<Out[K]> }

/** What a node gives: the port itself where there is only `value`, else ports by name. */
export type Result<Out> = [keyof Out] extends ['value'] ? ('value' extends keyof Out ? Port<Out['value']> : Ports<Out>) : Ports<Out>
