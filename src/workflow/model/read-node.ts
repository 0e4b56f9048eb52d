import { nearestName } from '../../task/nearest-name.ts'
import { isDict, isList, type Value } from '../values/value.ts'
import type { DocumentReader } from './document-reader.ts'
import type { GraphNode } from './graph-data.ts'
import { shortName } from './node-label.ts'

/** The keys of each kind of node, in the order in which 2.1.1 writes them; `outputs` stands before all of them. */
export const NODE_KEYS = {
  const: ['value', 'inputs', 'type'],
  input: ['name', 'inputs', 'type'],
  output: ['inputs', 'type'],
  function: ['function_name', 'inputs', 'type'],
  eval: ['graph', 'inputs', 'type'],
  loop: ['body', 'inputs', 'continue_port', 'type', 'name'],
  map: ['body', 'inputs', 'type'],
  ifelse: ['pred', 'if_true', 'if_false', 'inputs', 'type'],
  eifelse: ['pred', 'if_true', 'if_false', 'inputs', 'type'],
} as const satisfies Record<GraphNode['type'], readonly string[]>

function isNodeType(text: string): text is GraphNode['type'] {
  return Object.hasOwn(NODE_KEYS, text)
}

/** Kinds whose `inputs` Tierkreis requires; the others may leave them out. */
const NEEDS_INPUTS: ReadonlySet<string> = new Set<GraphNode['type']>(['output', 'function', 'eval', 'loop', 'map'])

/** Label of a node that is not read yet: `node 7 (function builtins.iadd)`. */
function documentLabel(value: Value, index: number): string {
  const type = isDict(value) ? value.get('type') : undefined
  if (!isDict(value) || typeof type !== 'string') return `node ${index}`
  const name = value.get('function_name')
  const detail = typeof name === 'string' ? ` ${shortName(name).slice(1, -1)}` : ''
  return `node ${index} (${shortName(type).slice(1, -1)}${detail})`
}

/** Reads the node at `index` of the list `nodes`. */
export function readNode(value: Value, index: number, reader: DocumentReader): GraphNode {
  reader.enter(() => documentLabel(value, index))
  const document = reader.dict(value, '', 'an object with a "type"')
  const type = document.get('type')
  if (typeof type !== 'string' || !isNodeType(type)) {
    const near = typeof type === 'string' ? nearestName(type, Object.keys(NODE_KEYS)) : undefined
    return reader.refuse('type', near === undefined ? `one of ${Object.keys(NODE_KEYS).join(', ')}` : `"${near}"`, type)
  }
  checkOutputs(document.get('outputs'), reader)
  const common = {
    inputs: reader.edges(document.get('inputs'), 'inputs', NEEDS_INPUTS.has(type)),
    ...unknownKeys(document, NODE_KEYS[type], 'outputs'),
  }
  const edge = (key: string) => reader.edge(document.get(key), key)
  switch (type) {
    case 'const':
      return { type, value: document.get('value') ?? constNull(document, reader), ...common }
    case 'input':
      return { type, name: reader.text(document.get('name'), 'name', "the input's name"), ...common }
    case 'output':
      return { type, ...common }
    case 'function':
      return { type, functionName: reader.text(document.get('function_name'), 'function_name', 'worker.task'), ...common }
    case 'eval':
      return { type, graph: edge('graph'), ...common }
    case 'map':
      return { type, body: edge('body'), ...common }
    case 'loop': {
      const name = document.get('name') ?? undefined
      return {
        type,
        body: edge('body'),
        continuePort: reader.text(document.get('continue_port'), 'continue_port', "the name of one of the body's outputs"),
        ...(name === undefined ? {} : { name: reader.text(name, 'name') }),
        ...common,
      }
    }
    case 'ifelse':
    case 'eifelse':
      return { type, pred: edge('pred'), ifTrue: edge('if_true'), ifFalse: edge('if_false'), ...common }
  }
}

/** A constant may be null, but it must be there. */
function constNull(document: ReadonlyMap<string, Value>, reader: DocumentReader): null {
  return document.has('value') ? null : reader.refuse('value', 'the constant', undefined)
}

/**
 * Which nodes read which port follows from the edges, so `outputs` says nothing new; only its form is looked at: a list of names
 * (2.0.9), the last reader by port (2.0.10), all readers by port (from 2.0.11 on).
 */
function checkOutputs(value: Value | undefined, reader: DocumentReader): void {
  if (value === undefined) return
  if (isList(value)) {
    for (const name of value) reader.text(name, 'outputs', 'names of ports')
    return
  }
  for (const [port, readers] of reader.dict(value, 'outputs', 'names of ports, or an object of node indices by port')) {
    for (const one of isList(readers) ? readers : [readers]) {
      if (typeof one !== 'bigint') reader.refuse(`outputs.${port}`, 'the index of a node', one)
    }
  }
}

/** The keys of `document` that are not in `known`, as `unknown` if there are any. */
export function unknownKeys(
  document: ReadonlyMap<string, Value>,
  known: readonly string[],
  ...more: readonly string[]
): { unknown?: ReadonlyMap<string, Value> } {
  let unknown: Map<string, Value> | undefined
  for (const [key, value] of document) {
    if (known.includes(key) || more.includes(key)) continue
    unknown ??= new Map()
    unknown.set(key, value)
  }
  return unknown === undefined ? {} : { unknown }
}
