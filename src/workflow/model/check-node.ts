import { nearestName } from '../../task/nearest-name.ts'
import type { InputPort } from '../builtins/builtin.ts'
import { BUILTIN_ALIASES, BUILTINS, PORT_ALIASES } from '../builtins/builtin-table.ts'
import { builtin } from '../builtins/run-builtin.ts'
import type { BodyReader, KnownBody, KnownGraph } from './body-of.ts'
import type { FunctionNode, GraphData, GraphNode, PortRef } from './graph-data.ts'
import { inEdges, outputNames } from './graph-shape.ts'
import { unmetInputs } from './missing-inputs.ts'
import { nodeLabel, shortName } from './node-label.ts'
import { outputPorts, splitFunctionName } from './output-ports.ts'

/** What a check finds: `error`, or `warning` where it may be meant so. */
export type Report = (severity: 'error' | 'warning', message: string) => void

/** What is known of workers outside the graph. */
export interface WorkerKnowledge {
  /** Whether a task of a worker other than `builtins` can be called; else why not and what to do. Absent: all can. */
  readonly knownWorker?: (worker: string, task: string) => true | string
}

/** `; did you mean "value"?`, or the names there are, or nothing. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const candidates = [...names]
  const near = nearestName(word, candidates)
  if (near !== undefined) return `; did you mean ${shortName(near)}?`
  return candidates.length === 0 || candidates.length > 8 ? '' : `; there is ${candidates.map(shortName).join(', ')}`
}

/** Where each edge into a node comes from: a node that is there, a port that it has. */
export function checkEdges(graph: GraphData, node: GraphNode, bodies: BodyReader, report: Report): void {
  for (const [port, ref] of inEdges(node)) checkEdge(graph, node, port, ref, bodies, report)
}

function checkEdge(graph: GraphData, node: GraphNode, port: string, ref: PortRef, bodies: BodyReader, report: Report): void {
  const reads = `input ${shortName(port)} reads port ${shortName(ref.port)}`
  if (ref.node === -1) {
    if (ref.port === 'body' || isInput(graph, ref.port)) return
    report('warning', `${reads} of the graph's inputs, which it does not name${didYouMean(ref.port, graph.graphInputs)}`)
    return
  }
  const producer = graph.nodes[ref.node]
  if (producer === undefined) {
    report('error', `${reads} of node ${ref.node}, but there are only nodes 0 to ${graph.nodes.length - 1}`)
    return
  }
  const label = nodeLabel(producer, ref.node)
  const ports = outputPorts(graph, producer, bodies)
  if (ports !== undefined && !ports.has(ref.port)) {
    report('error', `${reads} of ${label}, which has no such output${didYouMean(ref.port, ports.names)}`)
    return
  }
  const hasElements = producer.type === 'function' || producer.type === 'map'
  if (!hasElements || !ref.port.endsWith('*')) return
  const isOfInputs = node.inputs.get(port) === ref
  if (!isOfInputs || (node.type !== 'map' && node.type !== 'function')) {
    report('error', `${reads} of ${label}: these are all its elements, which only a map or fold_values takes`)
  } else if (ref.port === '*' && producer.type === 'map') {
    const body = bodies.bodyOf(graph, producer.body)
    const names = body.kind === 'graph' ? outputNames(body.graph) : []
    if (names.length < 2) return
    const message = `${reads} of ${label}, which mixes its outputs ${names.map(shortName).join(', ')}; read one, as in "${names[0]}-*"`
    report(node.type === 'map' ? 'error' : 'warning', message)
  }
}

function isInput(graph: GraphData, name: string): boolean {
  return graph.graphInputs.includes(name) || graph.fixedInputs.has(name) || graph.fixedRefs?.has(name) === true
}

/** The task that a function calls: whether there is one, and whether a builtin has its inputs. */
export function checkFunction(node: FunctionNode, workers: WorkerKnowledge, report: Report): void {
  const { worker, task } = splitFunctionName(node.functionName)
  if (worker === '' || task === '') {
    report('error', `the name ${shortName(node.functionName)} must be worker.task, as in builtins.iadd`)
    return
  }
  if (worker !== 'builtins') {
    const known = workers.knownWorker?.(worker, task) ?? true
    if (known !== true) report('error', known)
    return
  }
  const definition = builtin(task)
  if (definition === undefined) {
    const names = [...BUILTINS.map((one) => one.name), ...BUILTIN_ALIASES.keys()]
    report('error', `there is no builtin ${shortName(task)}${didYouMean(task, names)}`)
    return
  }
  checkBuiltinInputs(node, definition.name, definition.inputs, report)
}

function checkBuiltinInputs(node: FunctionNode, name: string, inputs: readonly InputPort[], report: Report): void {
  const aliases = PORT_ALIASES.get(name)
  const given = new Set<string>()
  for (const [port, ref] of node.inputs) {
    const input = inputs.find((one) => one.name === (aliases?.get(port) ?? port))
    if (input === undefined) {
      const names = inputs.map((one) => one.name)
      report('error', `it has no input ${shortName(port)}${didYouMean(port, names)}`)
      continue
    }
    given.add(input.name)
    const isElements = ref.port.endsWith('*')
    if (input.reading === 'elements' && !isElements && !/\d$/.test(ref.port)) {
      const message = `input ${shortName(port)} reads port ${shortName(ref.port)}, but it takes elements: port "*" of unfold_values or of a map`
      report('error', message)
    } else if (input.reading !== 'elements' && isElements) {
      report('error', `input ${shortName(port)} reads all elements (port ${shortName(ref.port)}); fold them first: builtins.fold_values`)
    }
  }
  const missing = inputs.filter((one) => one.default === undefined && !given.has(one.name)).map((one) => shortName(one.name))
  if (missing.length > 0) report('error', `input${missing.length === 1 ? '' : 's'} ${missing.join(', ')} missing`)
}

/**
 * What an eval, loop or map runs: whether it is a graph, gets the inputs that it needs, and can be run in this way. Returns the body
 * where it is known.
 */
export function checkBody(
  graph: GraphData,
  index: number,
  consumed: Iterable<string>,
  bodies: BodyReader,
  report: Report,
): KnownBody | undefined {
  const node = graph.nodes[index]
  if (node?.type !== 'eval' && node?.type !== 'loop' && node?.type !== 'map') return undefined
  if (node.type === 'map') checkElements(node.inputs, report)
  const body = bodies.bodyOf(graph, node.type === 'eval' ? node.graph : node.body)
  if (body.kind === 'none') report('error', `what it runs is no graph: ${body.reason}`)
  if (body.kind !== 'graph') return body
  const outputs = outputNames(body.graph)
  if (node.type === 'loop' && !outputs.includes(node.continuePort)) {
    const hint = didYouMean(node.continuePort, outputs)
    report('error', `its body has no output ${shortName(node.continuePort)}, which says whether it goes on${hint}`)
  }
  const read = [...consumed]
  const isPartial = node.type === 'eval' && read.includes('body') && !outputs.includes('body')
  if (isPartial && read.length > 1) {
    const others = read.filter((port) => port !== 'body').map(shortName)
    const message = `its port "body" (the graph with these inputs filled in) is read beside ${others.join(', ')}; use two evals for that`
    report('error', message)
  }
  checkInputs(node, body, isPartial, bodies, report)
  return body
}

function checkElements(inputs: ReadonlyMap<string, PortRef>, report: Report): void {
  const ports = [...inputs.values()].map((ref) => ref.port)
  if (ports.includes('*')) return
  if (!ports.some((port) => port.endsWith('*'))) {
    report('error', 'none of its inputs reads a port "*", so it has no elements; unfold a list first: builtins.unfold_values')
    return
  }
  report('warning', 'none of its inputs reads a port "*" alone: it runs here, but Tierkreis stops at it (StopIteration)')
}

function checkInputs(node: GraphNode, body: KnownGraph, isPartial: boolean, bodies: BodyReader, report: Report): void {
  const names = bodies.inputNames(body.graph)
  for (const name of node.inputs.keys()) {
    if (!names.has(name)) report('warning', `its body has no input ${shortName(name)}${didYouMean(name, names)}`)
  }
  const given = new Set([...body.given, ...node.inputs.keys()])
  if (isPartial || [...names].every((name) => given.has(name))) return
  for (const { name, reader, required } of unmetInputs(body.graph, given)) {
    const who = `${nodeLabel(body.graph.nodes[reader], reader)} of its body`
    // A graph that runs itself may have been given inputs for good by the one that called it first.
    if (required && body.constant !== undefined) {
      report('error', `input ${shortName(name)} of its body has no value, and ${who} can't do without`)
    } else report('warning', `input ${shortName(name)} of its body has no value; ${who} must do without`)
  }
}
