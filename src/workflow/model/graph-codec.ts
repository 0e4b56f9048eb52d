/**
 * Graph documents: the JSON of Tierkreis's `GraphData` (`controller/data/graph.py`). All published forms are read (2.0.9 to
 * 2.1.1), that of 2.1.1 is written.
 */
import { InputError } from '../../errors.ts'
import { readValue } from '../values/codec.ts'
import { encodeJson } from '../values/json-encoder.ts'
import { PythonError } from '../values/python-error.ts'
import { type Dict, isDict, isGraphDocument, isList, type Value } from '../values/value.ts'
import { NEWEST_DIALECT } from '../values/value-dialect.ts'
import { DocumentReader } from './document-reader.ts'
import type { FixedRef, GraphData, GraphNode, PortRef } from './graph-data.ts'
import { graphShape, inEdges } from './graph-shape.ts'
import { isLoc } from './loc.ts'
import { NODE_KEYS, readNode, unknownKeys } from './read-node.ts'

const GRAPH_KEYS = ['nodes', 'fixed_inputs', 'graph_inputs', 'graph_output_idx', 'named_nodes', 'node_metadata'] as const
/** Values of inputs given in advance. Tierkreis's `fixed_inputs` can't hold values; keys that it does not know it ignores. */
const FIXED_VALUES = 'fixed_values'

/**
 * Reads a graph document. A constant that is itself a graph stays the document it is.
 * Throws `InputError` that names the node, the key and what was expected.
 * @param where names the document in messages; default `the document`
 */
export function readGraph(value: Value, where = 'the document'): GraphData {
  const reader = new DocumentReader(where)
  const document = reader.dict(value, '', 'an object with a list "nodes"')
  const nodes = reader.list(document.get('nodes'), 'nodes', 'the list of nodes').map((node, index) => readNode(node, index, reader))
  reader.enter(undefined)
  const inputs = reader.list(document.get('graph_inputs') ?? [], 'graph_inputs', "the names of the graph's inputs")
  const names = new Set(inputs.map((name, k) => reader.text(name, `graph_inputs[${k}]`, 'the name of an input')))
  const outputIndex = document.get('graph_output_idx') ?? undefined
  const metadata = new Map<number, Value>()
  for (const [key, item] of reader.dict(document.get('node_metadata') ?? new Map(), 'node_metadata', 'an object by node index')) {
    if (!/^(0|[1-9]\d{0,9})$/.test(key)) reader.refuse('node_metadata', 'indices of nodes as keys', key)
    metadata.set(Number(key), reader.dict(item, `node_metadata.${key}`))
  }
  const fixedRefs = reader.entries(document.get('fixed_inputs'), 'fixed_inputs', (item, key) => readFixed(item, key, reader))
  return {
    nodes,
    fixedInputs: reader.entries(document.get(FIXED_VALUES), FIXED_VALUES, (item) => item),
    ...(fixedRefs.size === 0 ? {} : { fixedRefs }),
    graphInputs: [...names].sort(),
    outputIndex: outputIndex === undefined ? undefined : reader.index(outputIndex, 'graph_output_idx'),
    namedNodes: reader.entries(document.get('named_nodes'), 'named_nodes', (item, key) => reader.index(item, key)),
    nodeMetadata: metadata,
    ...unknownKeys(document, GRAPH_KEYS, FIXED_VALUES),
  }
}

/** `["-.N3", "value"]`, the only form that any release reads or writes. */
function readFixed(value: Value, key: string, reader: DocumentReader): FixedRef {
  if (isList(value) && value.length === 2) {
    const [loc, port] = value
    if (typeof loc === 'string' && isLoc(loc) && typeof port === 'string') return { loc, port }
  }
  return reader.refuse(key, `["location", "port"] (a value given in advance stands in "${FIXED_VALUES}")`, value)
}

/**
 * The document of a graph as 2.1.1 writes it, key for key in its order. Graphs inside constants take that form, too. Who reads a
 * port (`outputs`) is derived from the edges; unknown keys follow the known ones.
 */
export function writeGraph(graph: GraphData): Dict {
  const { consumers } = graphShape(graph)
  const document = new Map<string, Value>([
    ['nodes', graph.nodes.map((node, index) => writeNode(node, index, consumers[index] ?? new Map()))],
    ['fixed_inputs', new Map(Array.from(graph.fixedRefs ?? [], ([name, ref]) => [name, [ref.loc, ref.port]]))],
    ['graph_inputs', [...new Set(graph.graphInputs)].sort()],
    ['graph_output_idx', graph.outputIndex === undefined ? null : BigInt(graph.outputIndex)],
    ['named_nodes', new Map(Array.from(graph.namedNodes, ([name, index]) => [name, BigInt(index)]))],
    ['node_metadata', new Map(Array.from(graph.nodeMetadata, ([index, metadata]) => [String(index), fullMetadata(metadata)]))],
  ])
  if (graph.fixedInputs.size > 0) {
    document.set(FIXED_VALUES, new Map(Array.from(graph.fixedInputs, ([name, value]) => [name, newestForm(value)])))
  }
  for (const [key, value] of graph.unknown ?? []) document.set(key, value)
  return document
}

/** 2.0.12 has no `is_hidden`; 2.1.1 always writes both keys. */
function fullMetadata(metadata: Value): Value {
  if (!isDict(metadata)) return metadata
  return new Map<string, Value>([['has_breakpoint', false], ['is_hidden', false], ...metadata])
}

function writeNode(node: GraphNode, index: number, consumers: ReadonlyMap<string, readonly number[]>): Value {
  const outputs = new Map<string, bigint[]>()
  for (const [port, readers] of consumers) outputs.set(port, readers.map(BigInt))
  noteOwnInputs(node, index, outputs)
  const document = new Map<string, Value>([['outputs', outputs]])
  for (const key of NODE_KEYS[node.type]) document.set(key, nodeField(node, key))
  for (const [key, value] of node.unknown ?? []) document.set(key, value)
  return document
}

/**
 * Tierkreis's builder notes the readers of an edge at `nodes[-1]`, for an input of the graph too, and that is the node just added:
 * an eval of `[-1, "body"]` appears as a reader of its own port `body`. Nothing reads that of a node that is no function; of a
 * function these are the outputs that its worker must write, so there it is left out.
 */
function noteOwnInputs(node: GraphNode, index: number, outputs: Map<string, bigint[]>): void {
  if (node.type === 'function') return
  const own = new Map<string, bigint[]>()
  for (const edge of inEdges(node).values()) {
    if (edge.node !== -1) continue
    const readers = own.get(edge.port)
    if (readers) readers.push(BigInt(index))
    else own.set(edge.port, [BigInt(index)])
  }
  if (own.size === 0) return
  // The builder meets a node's own edges when it adds it, before any later reader.
  const later = [...outputs]
  outputs.clear()
  for (const [port, readers] of own) outputs.set(port, readers)
  for (const [port, readers] of later) {
    const before = own.get(port)
    outputs.set(port, before ? [...before, ...readers] : readers)
  }
}

function edge(ref: PortRef): Value {
  return [BigInt(ref.node), ref.port]
}

function nodeField(node: GraphNode, key: string): Value {
  if (key === 'type') return node.type
  if (key === 'inputs') {
    const inputs = new Map<string, Value>()
    for (const [port, ref] of node.inputs) inputs.set(port, edge(ref))
    return inputs
  }
  switch (node.type) {
    case 'const':
      return newestForm(node.value)
    case 'input':
      return node.name
    case 'function':
      return node.functionName
    case 'eval':
      return edge(node.graph)
    case 'map':
      return edge(node.body)
    case 'loop':
      return key === 'body' ? edge(node.body) : key === 'continue_port' ? node.continuePort : (node.name ?? null)
    case 'ifelse':
    case 'eifelse':
      return edge(key === 'pred' ? node.pred : key === 'if_true' ? node.ifTrue : node.ifFalse)
    case 'output':
      return null
  }
}

/** The value with every graph in it in the newest form. What only looks like a graph stays as it is. */
function newestForm(value: Value): Value {
  if (isList(value)) {
    const items = value.map(newestForm)
    return items.some((item, k) => item !== value[k] && !Number.isNaN(item)) ? items : value
  }
  if (!isDict(value)) return value
  const graph = newestGraph(value)
  if (graph !== undefined) return graph
  let changed = false
  const copy = new Map<string, Value>()
  for (const [key, item] of value) {
    const newest = newestForm(item)
    if (newest !== item && !Number.isNaN(item)) changed = true
    copy.set(key, newest)
  }
  return changed ? copy : value
}

function newestGraph(value: Value): Value | undefined {
  if (!isGraphDocument(value)) return undefined
  try {
    return writeGraph(readGraph(value))
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return undefined
  }
}

/**
 * Reads a graph from the text of a file. Throws `InputError`, for text that is not JSON too.
 * @param where names the file in messages; default `the document`
 */
export function parseGraph(text: Uint8Array | string, where = 'the document'): GraphData {
  let value: Value
  try {
    value = readValue(typeof text === 'string' ? Buffer.from(text) : text, 'json')
  } catch (error) {
    if (!(error instanceof PythonError)) throw error
    const isSyntax = error.kind === 'JSONDecodeError' || error.kind === 'UnicodeDecodeError'
    throw new InputError('invalid_argument', `${where} ${isSyntax ? 'is not JSON' : 'cannot be read'}: ${error.message}`, { cause: error })
  }
  return readGraph(value, where)
}

/** The text of a graph's file: indented, in ASCII, as a graph is written between nodes by 2.1.1. Without a line end. Throws `PythonError` for an int of more than 4300 digits. */
export function formatGraph(graph: GraphData): string {
  return encodeJson(writeGraph(graph), NEWEST_DIALECT)
}
