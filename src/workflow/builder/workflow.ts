import { InputError } from '../../errors.ts'
import { formatGraph, writeGraph } from '../model/graph-codec.ts'
import type { GraphData } from '../model/graph-data.ts'
import { Complex, type Dict, isDict, isList, type Value } from '../values/value.ts'
import type { LocalTask } from './local-task.ts'
import type { TypedGraph } from './port.ts'
import type { GraphValue, PortShape } from './port-type.ts'

/** A finished graph with the types of its inputs and outputs. Immutable. */
export class Workflow<in In, out Out> implements TypedGraph<In, Out> {
  readonly inputPorts: PortShape
  readonly outputPorts: PortShape
  readonly localTasks: ReadonlyMap<string, LocalTask>
  /** Compile time only. */
  declare readonly graphValue?: GraphValue<In, Out>
  readonly #graph: GraphData
  #document: Dict | undefined

  /** For builders; users get workflows from `graph(…).output(…)`. */
  constructor(graph: GraphData, inputPorts: PortShape, outputPorts: PortShape, localTasks: ReadonlyMap<string, LocalTask>) {
    this.#graph = graph
    this.inputPorts = inputPorts
    this.outputPorts = outputPorts
    this.localTasks = localTasks
  }

  /** The graph in memory. */
  toGraphData(): GraphData {
    return this.#graph
  }

  /** The graph as a value, in the form of Tierkreis 2.1.1. */
  toDocument(): Dict {
    this.#document ??= writeGraph(this.#graph) as Dict
    return this.#document
  }

  /** The text of the graph's file: JSON as Tierkreis writes it, which loads it as it is; every number keeps its kind and digits. */
  toText(): string {
    return formatGraph(this.#graph)
  }

  /**
   * What `JSON.stringify` writes: floats keep their point and ints all their digits. Throws `InputError` for constants that JSON
   * doesn't have (NaN and the infinities, which Python writes and reads): `toText` has them.
   */
  toJSON(): unknown {
    return toPlain(this.toDocument())
  }
}

/** Of ES2025: a piece of JSON that is written as it is. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }

function toPlain(value: Value): unknown {
  if (typeof value === 'bigint') return rawJSON(String(value))
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      throw new InputError('invalid_argument', `JSON has no ${value}, which is a constant of this graph`, {
        hint: 'Write it with toText().',
      })
    }
    const text = Object.is(value, -0) ? '-0' : String(value)
    return rawJSON(/^-?\d+$/.test(text) ? `${text}.0` : text)
  }
  if (value instanceof Complex) return [value.re, value.im].map(toPlain)
  if (value instanceof Uint8Array) return { __tkr_bytes__: true, bytes: Buffer.from(value).toString('base64') }
  if (isList(value)) return value.map(toPlain)
  if (isDict(value)) return Object.fromEntries(Array.from(value, ([key, item]) => [key, toPlain(item)]))
  return value
}
