import { findCycle } from '../../graph/find-cycle.ts'
import type { Value } from '../values/value.ts'
import { BodyReader } from './body-of.ts'
import { checkBody, checkEdges, checkFunction, didYouMean, type Report, type WorkerKnowledge } from './check-node.ts'
import type { GraphData } from './graph-data.ts'
import type { GraphProblem } from './graph-problem.ts'
import { graphShape, inEdges, reachableNodes } from './graph-shape.ts'
import { unmetInputs } from './missing-inputs.ts'
import { nodeLabel, shortName } from './node-label.ts'

/** What a graph is checked against. */
export interface ValidateOptions extends WorkerKnowledge {
  /** Names of the inputs that the run is given; inputs without a value are then looked for in the outermost graph, too. */
  readonly given?: Iterable<string>
}

/** Most nodes of a cycle that a message names. */
const SHOWN_NODES = 6

interface OpenGraph {
  readonly graph: GraphData
  /** As `GraphProblem.graph`. */
  readonly path: string
}

/**
 * Finds what is wrong with a graph before it runs; empty: nothing. Graphs in constants that an eval, a loop or a map runs are
 * checked, each once. Problems of nodes that never run are warnings. Order: the outermost graph first, nodes ascending.
 */
export function validateGraph(graph: GraphData, options: ValidateOptions = {}): readonly GraphProblem[] {
  const problems: GraphProblem[] = []
  const bodies = new BodyReader()
  const checked = new Set<Value>()
  const open: OpenGraph[] = [{ graph, path: '' }]
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const inner = checkGraph(next, options, bodies, problems)
    if (next.graph === graph && options.given !== undefined) checkGiven(graph, new Set(options.given), problems)
    for (const { index, body, constant } of inner) {
      if (checked.has(constant)) continue
      checked.add(constant)
      open.push({ graph: body, path: next.path === '' ? `-.N${index} body` : `${next.path} > N${index} body` })
    }
  }
  return problems
}

/** A report for one node, or for the graph (`index` undefined), into `problems`. */
function reporter({ graph, path }: OpenGraph, index: number | undefined, problems: GraphProblem[], runs = true): Report {
  return (severity, message) => {
    const place = [path, index === undefined ? '' : nodeLabel(graph.nodes[index], index)].filter((part) => part !== '').join(' > ')
    problems.push({
      severity: runs ? severity : 'warning',
      graph: path,
      node: index,
      message: `${place === '' ? 'the graph' : place}: ${message}${runs ? '' : ' (nothing needs this node: it never runs)'}`,
    })
  }
}

interface InnerGraph {
  readonly index: number
  readonly body: GraphData
  readonly constant: Value
}

function checkGraph(open: OpenGraph, options: ValidateOptions, bodies: BodyReader, problems: GraphProblem[]): readonly InnerGraph[] {
  const { graph } = open
  const inner: InnerGraph[] = []
  const ofGraph = reporter(open, undefined, problems)
  checkOutput(graph, ofGraph)
  checkNames(open, problems)
  const reachable = reachableNodes(graph)
  const { consumers } = graphShape(graph)
  for (const [index, node] of graph.nodes.entries()) {
    const report = reporter(open, index, problems, reachable[index] === true)
    if (node.type === 'function') checkFunction(node, options, report)
    checkEdges(graph, node, bodies, report)
    const body = checkBody(graph, index, consumers[index]?.keys() ?? [], bodies, report)
    if (reachable[index] && body?.kind === 'graph' && body.constant !== undefined) {
      inner.push({ index, body: body.graph, constant: body.constant })
    }
  }
  checkCycles(open, reachable, problems)
  return inner
}

function checkOutput(graph: GraphData, report: Report): void {
  const outputs = [...graph.nodes.entries()].filter(([, node]) => node.type === 'output').map(([index]) => index)
  if (graph.outputIndex === undefined) {
    const message = outputs.length === 0 ? 'it has no output node' : `graph_output_idx must name its output node, ${outputs[0]}`
    report('error', message)
    return
  }
  const node = graph.nodes[graph.outputIndex]
  if (node?.type !== 'output') {
    const found = node === undefined ? 'which is not there' : `which is a node of type ${node.type}`
    report('error', `graph_output_idx names node ${graph.outputIndex}, ${found}; it must be the output node${outputs.length > 0 ? `, ${outputs[0]}` : ''}`) // biome-ignore format: one line
  }
  if (outputs.length > 1)
    report('error', `it has ${outputs.length} output nodes (${outputs.slice(0, SHOWN_NODES).join(', ')}); one is allowed`)
}

/** Names of inputs: those that nodes have and those that the graph lists; names of nodes. */
function checkNames(open: OpenGraph, problems: GraphProblem[]): void {
  const { graph } = open
  const listed = new Set(graph.graphInputs)
  const read = new Set<string>()
  for (const [index, node] of graph.nodes.entries()) {
    for (const ref of inEdges(node).values()) if (ref.node === -1) read.add(ref.port)
    if (node.type !== 'input') continue
    read.add(node.name)
    if (listed.has(node.name) || node.name === 'body') continue
    reporter(open, index, problems)('warning', `graph_inputs does not list it${didYouMean(node.name, graph.graphInputs)}`)
  }
  const report = reporter(open, undefined, problems)
  for (const name of listed) if (!read.has(name)) report('warning', `graph_inputs lists ${shortName(name)}, but no node reads it`)
  for (const [name, index] of graph.namedNodes) {
    if (graph.nodes[index] === undefined)
      report('warning', `named_nodes gives node ${index} the name ${shortName(name)}, but there is no such node`)
  }
  for (const index of graph.nodeMetadata.keys()) {
    if (graph.nodes[index] === undefined) report('warning', `node_metadata is about node ${index}, but there is no such node`)
  }
}

/** The first cycle among the nodes that run, else the first among all. */
function checkCycles(open: OpenGraph, reachable: readonly boolean[], problems: GraphProblem[]): void {
  const { graph } = open
  const cycle = cycleOf(graph, reachable) ?? cycleOf(graph)
  const [first] = cycle ?? []
  if (cycle === undefined || first === undefined) return
  const shown = cycle.slice(0, SHOWN_NODES).map((index) => nodeLabel(graph.nodes[index], index))
  const more = cycle.length > SHOWN_NODES ? ` … (${cycle.length} nodes)` : ''
  const waits = cycle.length === 1 ? 'it waits for itself' : `a cycle, each node waits for the next: ${shown.join(', ')}${more}`
  const message = `${waits}; to repeat something use a loop, or an eval of [-1, "body"]`
  reporter(open, first, problems, reachable[first] === true)('error', message)
}

function cycleOf(graph: GraphData, only?: readonly boolean[]): readonly number[] | undefined {
  // Builders number nodes so that edges go back only: then there is no cycle to look for.
  const goesBack = graph.nodes.every((node, index) => [...inEdges(node).values()].every((ref) => ref.node < index))
  if (goesBack) return undefined
  return findCycle(dependencies(graph, only))?.map(Number)
}

function* dependencies(graph: GraphData, only?: readonly boolean[]) {
  for (const [index, node] of graph.nodes.entries()) {
    if (only !== undefined && !only[index]) continue
    for (const ref of inEdges(node).values()) {
      if (graph.nodes[ref.node] !== undefined) yield { node: String(index), upstream: String(ref.node) }
    }
  }
}

function checkGiven(graph: GraphData, given: ReadonlySet<string>, problems: GraphProblem[]): void {
  const report = reporter({ graph, path: '' }, undefined, problems)
  const names = new Set(graph.graphInputs)
  for (const node of graph.nodes) if (node.type === 'input') names.add(node.name)
  for (const name of given) {
    if (!names.has(name)) report('warning', `it has no input ${shortName(name)}, for which a value was given${didYouMean(name, names)}`)
  }
  for (const { name, reader, required } of unmetInputs(graph, given)) {
    const who = nodeLabel(graph.nodes[reader], reader)
    if (required) report('error', `input ${shortName(name)} has no value, and ${who} can't do without`)
    else report('warning', `input ${shortName(name)} has no value; ${who} must do without`)
  }
}
