import { GraphBuilder } from './graph-builder.ts'
import { type Inputs, Port } from './port.ts'
import { type GraphValue, graphOf, type PortShape, type ValuesOf } from './port-type.ts'
import type { Workflow } from './workflow.ts'

type TypesOf<O> = { readonly [K in keyof O]: O[K] extends Port<infer T> ? T : never }

/** A graph whose outputs are what `output` is given. */
export class Graph<In> extends GraphBuilder<In> {
  /** Ends the graph. A single port is the output `value`. */
  output<T>(value: Port<T>): Workflow<In, { readonly value: T }>
  output<const O extends Readonly<Record<string, Port<unknown>>>>(outputs: O): Workflow<In, TypesOf<O>>
  output(given: Port<unknown> | Readonly<Record<string, Port<unknown>>>): Workflow<In, unknown> {
    const ports = given instanceof Port ? { value: given } : given
    const shape = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, port.type]))
    const entries = Object.entries(ports).map(([name, port]) => [name, this.nodes.refOf(port, `output "${name}"`)] as const)
    return this.finish(new Map(entries), shape)
  }
}

/** A graph whose outputs were declared, so that it can call itself. */
export class RecursiveGraph<In, Out> extends GraphBuilder<In> {
  /** The graph itself, as a body for `eval`, `loop` and `map`. */
  readonly self: Port<GraphValue<In, Out>>
  readonly #outputPorts: PortShape

  constructor(inputs: PortShape, outputs: PortShape) {
    super(inputs)
    this.#outputPorts = outputs
    this.self = new Port(this, -1, 'body', graphOf(inputs, outputs)) as unknown as Port<GraphValue<In, Out>>
  }

  /** Ends the graph with the declared outputs. */
  output(outputs: Inputs<Out>): Workflow<In, Out> {
    return this.finish(this.nodes.linkAll(outputs as Readonly<Record<string, unknown>>, this.#outputPorts, 'output'), this.#outputPorts)
  }
}

/** Starts a graph with typed inputs: `graph({ a: int, b: optional(float) })`. With outputs declared, too, it can call itself. */
export function graph<const I extends PortShape>(inputs: I): Graph<ValuesOf<I>>
export function graph<const I extends PortShape, const O extends PortShape>(inputs: I, outputs: O): RecursiveGraph<ValuesOf<I>, ValuesOf<O>>
export function graph(inputs: PortShape, outputs?: PortShape): unknown {
  return outputs === undefined ? new Graph(inputs) : new RecursiveGraph(inputs, outputs)
}
