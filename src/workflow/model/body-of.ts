import { InputError } from '../../errors.ts'
import { isGraphDocument, type Value } from '../values/value.ts'
import { readGraph } from './graph-codec.ts'
import type { GraphData, PortRef } from './graph-data.ts'
import { inEdges } from './graph-shape.ts'
import { nodeLabel } from './node-label.ts'

/** A body that is known before the run. */
export interface KnownGraph {
  readonly kind: 'graph'
  readonly graph: GraphData
  /** Inputs that an eval before it has filled in (partial application). */
  readonly given: ReadonlySet<string>
  /** The document that it was read from; undefined for a graph that runs itself. */
  readonly constant: Value | undefined
}

/** What is known, before the run, of the graph that an eval, a loop or a map runs. */
export type KnownBody =
  | KnownGraph
  /** It is made while the graph runs. */
  | { readonly kind: 'unknown' }
  /** It can't be a graph: why. */
  | { readonly kind: 'none'; readonly reason: string }

const NOTHING: ReadonlySet<string> = new Set()

/** Reads the graphs in constants, each once. */
export class BodyReader {
  readonly #read = new Map<Value, KnownBody>()
  readonly #inputs = new Map<GraphData, ReadonlySet<string>>()

  /** The graph that the edge `ref` of `graph` leads to: a constant, the graph itself (`body`), or one partially applied. */
  bodyOf(graph: GraphData, ref: PortRef): KnownBody {
    const given = new Set<string>()
    const seen = new Set<number>()
    for (let { node: index, port } = ref; ; ) {
      const node = graph.nodes[index]
      const isItself = index === -1 || node?.type === 'input'
      if (isItself) return port === 'body' ? { kind: 'graph', graph, given, constant: undefined } : { kind: 'unknown' }
      if (node?.type === 'const') {
        const body = this.#constant(node.value, nodeLabel(node, index))
        return body.kind === 'graph' ? { ...body, given } : body
      }
      if (node?.type !== 'eval' || port !== 'body' || seen.has(index)) return { kind: 'unknown' }
      seen.add(index)
      for (const name of node.inputs.keys()) given.add(name)
      index = node.graph.node
      port = node.graph.port
    }
  }

  /** Names of a graph's inputs: those it lists, those of its input nodes, those that are read as node -1. */
  inputNames(graph: GraphData): ReadonlySet<string> {
    let names = this.#inputs.get(graph)
    if (names === undefined) {
      const found = new Set(graph.graphInputs)
      for (const node of graph.nodes) {
        if (node.type === 'input') found.add(node.name)
        for (const ref of inEdges(node).values()) if (ref.node === -1) found.add(ref.port)
      }
      names = found
      this.#inputs.set(graph, names)
    }
    return names
  }

  #constant(value: Value, label: string): KnownBody {
    let body = this.#read.get(value)
    if (body === undefined) {
      body = readConstant(value, label)
      this.#read.set(value, body)
    }
    return body
  }
}

function readConstant(value: Value, label: string): KnownBody {
  if (!isGraphDocument(value)) return { kind: 'none', reason: `${label} does not hold a graph` }
  try {
    return { kind: 'graph', graph: readGraph(value, `the constant of ${label}`), given: NOTHING, constant: value }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return { kind: 'none', reason: error.message }
  }
}
