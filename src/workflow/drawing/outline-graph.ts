import { InputError } from '../../errors.ts'
import { readGraph } from '../model/graph-codec.ts'
import type { GraphData, GraphNode, PortRef } from '../model/graph-data.ts'
import { graphShape, inEdges } from '../model/graph-shape.ts'
import { isGraphDocument } from '../values/value.ts'
import type { DrawnBody, DrawnEdge, DrawnGraph, DrawnNode, OutlineOptions } from './outline.ts'
import { countStates } from './state-counts.ts'
import { clip, valueText } from './value-text.ts'

/** Bodies deeper than this are named, not drawn. */
const MAX_DEPTH = 16

type Draft = { -readonly [K in keyof DrawnNode]: DrawnNode[K] }

interface Open {
  readonly node: Draft
  readonly graph: GraphData
  readonly at: string
  readonly depth: number
}

/**
 * What is drawn of a graph: its nodes, edges and, while `maxNodes` allows, the bodies inside. Edges from nodes that are not there
 * are left out. A graph that alone has more nodes than `maxNodes` is outlined all the same, without bodies.
 */
export function outlineGraph(graph: GraphData, options: OutlineOptions & { readonly maxNodes: number }): DrawnGraph {
  const counts = countStates(options.states ?? new Map())
  const open: Open[] = []
  let room = options.maxNodes
  const outline = (one: GraphData, at: string, depth: number): DrawnGraph => {
    room -= one.nodes.length
    const { consumers, inputConsumers } = graphShape(one)
    const nodes: Draft[] = one.nodes.map((node, index) => {
      const id = `${at}.N${index}`
      const states = counts.get(id)
      return {
        id,
        index,
        kind: node.type,
        title: titleOf(node),
        inputs: [...inEdges(node).keys()],
        outputs: [...(consumers[index]?.keys() ?? [])],
        folded: false,
        ...(states === undefined ? {} : { states }),
      }
    })
    for (const [index, node] of one.nodes.entries()) {
      const draft = nodes[index]
      const reference = bodyOf(node)
      if (draft === undefined || reference === undefined) continue
      const inner = constantGraph(one, reference)
      if (inner === undefined) draft.body = { note: unknownBody(one, reference) }
      else
        open.push({ node: draft, graph: inner, at: `${draft.id}${node.type === 'loop' ? '.L*' : node.type === 'map' ? '.M*' : ''}`, depth })
    }
    fold(one, nodes)
    const own = [...inputConsumers.keys()]
    const ownAt = nodes.length
    if (own.length > 0) nodes.push({ id: `${at}.N-1`, index: -1, kind: 'own inputs', title: '', inputs: [], outputs: own, folded: false })
    return { nodes, edges: [...edgesOf(one, ownAt)] }
  }
  const root = outline(graph, '-', 0)
  // Outer bodies before inner ones: the queue grows while it is read.
  for (const { node, graph: inner, at, depth } of open) {
    const size = `graph of ${inner.nodes.length} node${inner.nodes.length === 1 ? '' : 's'}`
    if (options.expand === false) node.body = { note: size }
    else if (inner.nodes.length > room || depth >= MAX_DEPTH) node.body = { note: `${size}, not drawn` }
    else node.body = { graph: outline(inner, at, depth + 1) }
  }
  return root
}

function titleOf(node: GraphNode): string {
  switch (node.type) {
    case 'const':
      return valueText(node.value)
    case 'input':
      return clip(node.name)
    case 'function':
      return clip(node.functionName, 40)
    case 'loop':
      return clip(node.name ?? '')
    default:
      return ''
  }
}

function bodyOf(node: GraphNode): PortRef | undefined {
  if (node.type === 'eval') return node.graph
  return node.type === 'loop' || node.type === 'map' ? node.body : undefined
}

/** The graph that a body is known to be, before anything runs. */
function constantGraph(graph: GraphData, reference: PortRef): GraphData | undefined {
  const source = graph.nodes[reference.node]
  if (source?.type !== 'const' || reference.port !== 'value' || !isGraphDocument(source.value)) return undefined
  try {
    return readGraph(source.value)
  } catch (error) {
    // A drawing shows what there is; `validate` says what is wrong with a constant that is no graph.
    if (error instanceof InputError) return undefined
    throw error
  }
}

function unknownBody(graph: GraphData, { node, port }: PortRef): string {
  const source = graph.nodes[node]
  const input = node === -1 ? port : source?.type === 'input' ? source.name : undefined
  if (input === undefined) return `graph of node ${node}`
  return input === 'body' ? 'this graph again' : `graph given as ${clip(input)}`
}

/** Constant graphs that are read as bodies only, all of which are known: the reader shows them. */
function fold(graph: GraphData, nodes: readonly Draft[]): void {
  const otherwise = new Set<number>()
  const asBody = new Set<number>()
  for (const node of graph.nodes) {
    const body = bodyOf(node)
    for (const [port, reference] of inEdges(node)) (body !== undefined && port === 'body' ? asBody : otherwise).add(reference.node)
  }
  for (const index of asBody) {
    const node = nodes[index]
    const source = graph.nodes[index]
    if (node && source?.type === 'const' && isGraphDocument(source.value) && !otherwise.has(index)) node.folded = true
  }
}

function* edgesOf(graph: GraphData, ownAt: number): Generator<DrawnEdge> {
  for (const [to, node] of graph.nodes.entries()) {
    for (const [toPort, { node: index, port }] of inEdges(node)) {
      const from = index === -1 ? ownAt : index
      if (from < 0 || from > ownAt) continue
      if (index !== -1 && graph.nodes[index] === undefined) continue
      yield { from, fromPort: port, to, toPort, role: roleOf(node, toPort) }
    }
  }
}

function roleOf(node: GraphNode, port: string): DrawnEdge['role'] {
  if (bodyOf(node) !== undefined && port === 'body') return 'graph'
  if (node.type !== 'ifelse' && node.type !== 'eifelse') return 'value'
  if (port === 'pred') return 'condition'
  return port === 'if_true' || port === 'if_false' ? 'branch' : 'value'
}

/** Whether the body is drawn inside. */
export function hasGraph(body: DrawnBody | undefined): body is { readonly graph: DrawnGraph } {
  return body !== undefined && 'graph' in body
}
