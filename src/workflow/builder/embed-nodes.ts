import type { GraphData, GraphNode, PortRef } from '../model/graph-data.ts'
import type { Dict } from '../values/value.ts'
import type { GraphNodes } from './graph-nodes.ts'

/**
 * Copies the nodes of a graph into another one. Inputs become what `given` has for them, else what the graph was given in advance;
 * an optional input that nothing is given for is left out wherever it was read. Names that are taken are dropped.
 * Gives where each output lies; one that would pass on an absent input is not in it.
 */
export function embedNodes(
  into: GraphNodes,
  graph: GraphData,
  document: Dict,
  given: ReadonlyMap<string, PortRef>,
): ReadonlyMap<string, PortRef> {
  const places = new Map<number, number>()
  const fixed = new Map<string, PortRef>()
  const names = new Map(Array.from(graph.namedNodes, ([name, index]) => [index, name]))
  let self: PortRef | undefined

  const inputRef = (name: string): PortRef | undefined => {
    const value = graph.fixedInputs.get(name)
    if (given.has(name) || value === undefined) return given.get(name)
    const ref = fixed.get(name) ?? into.addConst(value)
    fixed.set(name, ref)
    return ref
  }
  const moved = (ref: PortRef): PortRef | undefined => {
    if (ref.node === -1) {
      // The graph's own body would be the embedding graph's here.
      if (ref.port !== 'body' || given.has('body')) return inputRef(ref.port)
      self ??= into.addConst(document)
      return self
    }
    const node = graph.nodes[ref.node]
    if (node?.type === 'input') return inputRef(node.name)
    return { node: places.get(ref.node) ?? copy(ref.node), port: ref.port }
  }
  const movedAll = (refs: ReadonlyMap<string, PortRef>): Map<string, PortRef> => {
    const result = new Map<string, PortRef>()
    for (const [port, ref] of refs) {
      const place = moved(ref)
      if (place !== undefined) result.set(port, place)
    }
    return result
  }
  const needed = (ref: PortRef): PortRef => moved(ref) ?? into.addConst(null)
  const copy = (index: number): number => {
    const node = graph.nodes[index]
    if (node === undefined) throw new Error(`node ${index} is not in the graph`)
    const place = into.add(movedNode(node, movedAll(node.inputs), needed))
    const name = names.get(index)
    if (name !== undefined && !into.namedNodes.has(name)) into.namedNodes.set(name, place)
    const metadata = graph.nodeMetadata.get(index)
    if (metadata !== undefined) into.nodeMetadata.set(place, metadata)
    places.set(index, place)
    return place
  }

  for (const [index, node] of graph.nodes.entries()) {
    if (node.type !== 'input' && node.type !== 'output' && !places.has(index)) copy(index)
  }
  return movedAll(graph.nodes[graph.outputIndex ?? -1]?.inputs ?? new Map())
}

function movedNode(node: GraphNode, inputs: ReadonlyMap<string, PortRef>, needed: (ref: PortRef) => PortRef): GraphNode {
  switch (node.type) {
    case 'eval':
      return { ...node, inputs, graph: needed(node.graph) }
    case 'loop':
    case 'map':
      return { ...node, inputs, body: needed(node.body) }
    case 'ifelse':
    case 'eifelse':
      return { ...node, inputs, pred: needed(node.pred), ifTrue: needed(node.ifTrue), ifFalse: needed(node.ifFalse) }
    default:
      return { ...node, inputs }
  }
}
