import type { GraphData } from '../model/graph-data.ts'
import type { DrawnGraph, DrawnState, OutlineOptions } from './outline.ts'
import { hasGraph, outlineGraph } from './outline-graph.ts'
import { shownState } from './state-counts.ts'

/** Nodes up to which bodies are given. */
const EXPANDED = 100_000

/** A graph for programs that draw it themselves; plain JSON. */
export interface GraphJson {
  readonly nodes: readonly GraphJsonNode[]
  /** `from` and `to`: location and port. */
  readonly edges: readonly { readonly from: readonly [string, string]; readonly to: readonly [string, string]; readonly role: string }[]
}

export interface GraphJsonNode {
  /** Location; the turn of a loop and the element of a map are `*`. */
  readonly id: string
  readonly index: number
  readonly kind: string
  readonly title: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** The one state it is drawn in, and how many of its runs are in each. */
  readonly state?: DrawnState
  readonly states?: Readonly<Partial<Record<DrawnState, number>>>
  readonly body?: GraphJson
  /** Where there is no body: what runs instead. */
  readonly body_note?: string
}

/** Nodes, edges with ports, nested bodies and states. Default `maxNodes`: 100,000. */
export function graphJson(graph: GraphData, options: OutlineOptions = {}): GraphJson {
  return jsonOf(outlineGraph(graph, { ...options, maxNodes: options.maxNodes ?? EXPANDED }))
}

function jsonOf(graph: DrawnGraph): GraphJson {
  return {
    nodes: graph.nodes.map(({ id, index, kind, title, inputs, outputs, states, body }) => {
      const state = shownState(states)
      return {
        id,
        index,
        kind,
        title,
        inputs,
        outputs,
        ...(states && state !== undefined ? { state, states: Object.fromEntries(states) } : {}),
        ...(body === undefined ? {} : hasGraph(body) ? { body: jsonOf(body.graph) } : { body_note: body.note }),
      }
    }),
    edges: graph.edges.flatMap(({ from, fromPort, to, toPort, role }) => {
      const [source, target] = [graph.nodes[from], graph.nodes[to]]
      return source && target ? [{ from: [source.id, fromPort] as const, to: [target.id, toPort] as const, role }] : []
    }),
  }
}
