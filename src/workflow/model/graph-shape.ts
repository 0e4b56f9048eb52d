import type { GraphData, GraphNode, PortRef } from './graph-data.ts'

/**
 * The edges into a node: its inputs, then `body` of an eval (its graph), loop or map, or `pred`, `if_true` and `if_false`. As in
 * Tierkreis one of these takes the place of an input of the same name. Order as Tierkreis has it, which the order of `outputs`
 * in its files follows.
 */
export function inEdges(node: GraphNode): ReadonlyMap<string, PortRef> {
  switch (node.type) {
    case 'eval':
      return new Map(node.inputs).set('body', node.graph)
    case 'loop':
    case 'map':
      return new Map(node.inputs).set('body', node.body)
    case 'ifelse':
    case 'eifelse':
      return new Map(node.inputs).set('pred', node.pred).set('if_true', node.ifTrue).set('if_false', node.ifFalse)
    default:
      return node.inputs
  }
}

/** Who reads what in a graph; from the edges alone. */
export interface GraphShape {
  /**
   * By node: of each port that is read the indices of its readers, ascending; a node that reads a port twice is there twice.
   * Ports in the order in which they were first read. Edges to nodes that are not there count nowhere.
   */
  readonly consumers: readonly ReadonlyMap<string, readonly number[]>[]
  /** The same for the graph's own inputs, read as node -1 (`body`: the graph itself). */
  readonly inputConsumers: ReadonlyMap<string, readonly number[]>
}

const NO_CONSUMERS: ReadonlyMap<string, number[]> = new Map()

/** Finds the readers of every port. Time and memory grow with the edges. */
export function graphShape(graph: GraphData): GraphShape {
  const consumers = new Array<Map<string, number[]> | undefined>(graph.nodes.length)
  const inputConsumers = new Map<string, number[]>()
  for (const [index, node] of graph.nodes.entries()) {
    for (const { node: producer, port } of inEdges(node).values()) {
      if (producer < -1 || producer >= graph.nodes.length) continue
      let ports = producer === -1 ? inputConsumers : consumers[producer]
      if (ports === undefined) {
        ports = new Map()
        consumers[producer] = ports
      }
      const readers = ports.get(port)
      if (readers) readers.push(index)
      else ports.set(port, [index])
    }
  }
  return { consumers: Array.from(consumers, (ports) => ports ?? NO_CONSUMERS), inputConsumers }
}

/**
 * Whether each node can ever run: those that the output node needs, itself included. Both branches of an `ifelse` count. None
 * where the graph has no output node.
 */
export function reachableNodes(graph: GraphData): readonly boolean[] {
  const reachable = new Array<boolean>(graph.nodes.length).fill(false)
  const open = graph.outputIndex === undefined ? [] : [graph.outputIndex]
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const node = graph.nodes[index]
    if (node === undefined || reachable[index]) continue
    reachable[index] = true
    for (const edge of inEdges(node).values()) open.push(edge.node)
  }
  return reachable
}

/** Names of the graph's outputs: the inputs of its output node, in their order; none where it has no output node. */
export function outputNames(graph: GraphData): readonly string[] {
  const node = graph.outputIndex === undefined ? undefined : graph.nodes[graph.outputIndex]
  return node?.type === 'output' ? [...node.inputs.keys()] : []
}

/**
 * Inputs of the graph that have no value: named by it, or by one of its input nodes, neither among `given` nor fixed. `body`,
 * the graph itself, is always there. Sorted. One that is missing may yet be left to a worker's default.
 */
export function missingInputs(graph: GraphData, given: Iterable<string>): readonly string[] {
  const missing = new Set(graph.graphInputs)
  for (const node of graph.nodes) if (node.type === 'input') missing.add(node.name)
  for (const name of given) missing.delete(name)
  for (const name of graph.fixedInputs.keys()) missing.delete(name)
  for (const name of graph.fixedRefs?.keys() ?? []) missing.delete(name)
  missing.delete('body')
  return [...missing].sort()
}
