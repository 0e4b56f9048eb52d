/** A graph as it is drawn: what every output format (SVG, Mermaid, JSON) is made from. Types only; `outline-graph.ts` makes it. */
import type { GraphNode } from '../model/graph-data.ts'

/** States of nodes that a drawing can show. */
export const DRAWN_STATES = ['waiting', 'running', 'succeeded', 'failed', 'cancelled', 'skipped'] as const
export type DrawnState = (typeof DRAWN_STATES)[number]

/** How many runs of a node are in each state: a node of a loop's or map's body runs once for each turn or element. */
export type StateCounts = ReadonlyMap<DrawnState, number>

/** `own inputs`: stands for node -1, where nodes read the graph's inputs without an input node. */
export type DrawnKind = GraphNode['type'] | 'own inputs'

export interface DrawnNode {
  /** Location, with `*` for the turn of a loop and the element of a map: `-.N3.L*.N1`. Unique in a drawing. */
  readonly id: string
  /** Index in its graph; -1 for `own inputs`. */
  readonly index: number
  readonly kind: DrawnKind
  /** One line: the task, the constant's value cut short, the input's or loop's name; empty where the kind says all. */
  readonly title: string
  /** Ports read, in their order; of an eval, loop or map with `body`, of a choice with `pred`, `if_true`, `if_false`. */
  readonly inputs: readonly string[]
  /** Ports that somebody reads. */
  readonly outputs: readonly string[]
  /** A constant graph that is drawn as the body of all its readers: pictures leave it out. */
  readonly folded: boolean
  /** What an eval, loop or map runs. Undefined: the kind has none. */
  readonly body?: DrawnBody
  readonly states?: StateCounts
}

/** `graph`: drawn inside. Else a sentence says why not: too much, itself (recursion), known only at run time. */
export type DrawnBody = { readonly graph: DrawnGraph } | { readonly note: string }

export interface DrawnEdge {
  readonly from: number
  readonly fromPort: string
  readonly to: number
  readonly toPort: string
  /** `graph`: what an eval, loop or map runs. `condition` and `branch`: of a choice; a lazy one runs only the branch taken. */
  readonly role: 'value' | 'graph' | 'condition' | 'branch'
}

export interface DrawnGraph {
  readonly nodes: readonly DrawnNode[]
  /** Between positions in `nodes`. */
  readonly edges: readonly DrawnEdge[]
}

/** What all formats take. */
export interface OutlineOptions {
  /** Draw bodies inside their nodes. Default true. */
  readonly expand?: boolean
  /** Bodies are drawn, outer before inner, while this many nodes are not exceeded. Defaults stand at the formats. */
  readonly maxNodes?: number
  /** By location: `-.N3.M7.N2`. Nodes without a state are drawn without one. */
  readonly states?: ReadonlyMap<string, DrawnState>
}
