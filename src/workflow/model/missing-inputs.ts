import { builtin } from '../builtins/run-builtin.ts'
import type { GraphData, GraphNode } from './graph-data.ts'
import { inEdges, missingInputs } from './graph-shape.ts'
import { splitFunctionName } from './output-ports.ts'

/** An input without a value that somebody reads. */
export interface UnmetInput {
  readonly name: string
  /** The node that reads it; of several the one that needs it most. */
  readonly reader: number
  /** Whether that node can't do without: a builtin, a predicate, a body. Others may have a default (workers) or pass it on. */
  readonly required: boolean
}

/**
 * Which inputs that are neither given nor fixed are read when the graph runs. An input that nobody reads is not among them, and one
 * that is needed only in a branch of an `ifelse` is not `required`: the branch may never be taken.
 */
export function unmetInputs(graph: GraphData, given: Iterable<string>): readonly UnmetInput[] {
  const missing = new Set(missingInputs(graph, given))
  if (missing.size === 0) return []
  const unmet = new Map<string, UnmetInput>()
  for (const { index, certain } of runningNodes(graph)) {
    const node = graph.nodes[index]
    if (node === undefined) continue
    for (const [port, ref] of inEdges(node)) {
      const producer = ref.node === -1 ? undefined : graph.nodes[ref.node]
      const name = ref.node === -1 ? ref.port : producer?.type === 'input' && producer.name === ref.port ? ref.port : undefined
      if (name === undefined || !missing.has(name)) continue
      const required = certain && needs(node, port)
      if (required || !unmet.has(name)) unmet.set(name, { name, reader: index, required })
    }
  }
  return [...unmet.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function needs(node: GraphNode, port: string): boolean {
  switch (node.type) {
    case 'function': {
      const { worker, task } = splitFunctionName(node.functionName)
      const input = worker === 'builtins' ? builtin(task)?.inputs.find((one) => one.name === port) : undefined
      return input !== undefined && input.default === undefined
    }
    case 'eval':
    case 'loop':
    case 'map':
      return port === 'body'
    case 'ifelse':
    case 'eifelse':
      return port === 'pred'
    default:
      return false
  }
}

/** The nodes that the output needs; `certain`: whatever way each `ifelse` goes. Certain ones first. */
function runningNodes(graph: GraphData): readonly { readonly index: number; readonly certain: boolean }[] {
  const found: { index: number; certain: boolean }[] = []
  const seen = new Set<number>()
  const branches: number[] = []
  for (const certain of [true, false]) {
    const open = certain ? (graph.outputIndex === undefined ? [] : [graph.outputIndex]) : branches
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const node = graph.nodes[index]
      if (node === undefined || seen.has(index)) continue
      seen.add(index)
      found.push({ index, certain })
      for (const [port, ref] of inEdges(node)) {
        const isBranch = node.type === 'ifelse' && (port === 'if_true' || port === 'if_false')
        if (isBranch && certain) branches.push(ref.node)
        else open.push(ref.node)
      }
    }
  }
  return found
}
