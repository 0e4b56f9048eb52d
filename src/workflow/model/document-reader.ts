import { InputError } from '../../errors.ts'
import { isDict, isList, typeName, type Value } from '../values/value.ts'
import type { PortRef } from './graph-data.ts'
import { shortName } from './node-label.ts'

/** What stands in a document, for a message: `found a list`, `found 3`, `found nothing`. */
function found(value: Value | undefined): string {
  if (value === undefined) return 'found nothing'
  if (value === null) return 'found null'
  if (isDict(value)) return 'found an object'
  if (isList(value)) return `found a list of ${value.length}`
  if (typeof value === 'string') return `found the text ${shortName(value)}`
  if (typeof value === 'bigint') return `found ${String(value).slice(0, 30)}`
  return typeof value === 'object' ? `found ${typeName(value)}` : `found ${value}`
}

/**
 * Takes a graph document apart. Every failure is one `InputError` that names the document, the node that is being read, the
 * key, what was expected there and what was found.
 */
export class DocumentReader {
  readonly #where: string
  /** Label of the node that is being read; made only when something is wrong. */
  #node: (() => string) | undefined

  /** `where` names the document in messages: a file, or a node whose constant it is. */
  constructor(where: string) {
    this.#where = where
  }

  /** Says which node the following keys belong to; undefined: to the graph itself. */
  enter(node: (() => string) | undefined): void {
    this.#node = node
  }

  /** Refuses what stands at `key` (empty: the whole document or node). */
  refuse(key: string, expected: string, value: Value | undefined): never {
    const node = this.#node?.()
    const place = [node, key === '' ? undefined : `"${key}"`].filter((part) => part !== undefined).join(': ')
    const message = `${place === '' ? 'the document' : place}: expected ${expected}, ${found(value)}`
    throw new InputError('invalid_argument', `${this.#where} is not a graph that can be read: ${message}`, {
      hint: "A graph is JSON as Tierkreis's GraphData writes it (2.0.9 to 2.1.1): nodes, fixed_inputs, graph_inputs, graph_output_idx.",
    })
  }

  dict(value: Value | undefined, key: string, expected = 'an object'): ReadonlyMap<string, Value> {
    return value !== undefined && isDict(value) ? value : this.refuse(key, expected, value)
  }

  list(value: Value | undefined, key: string, expected = 'a list'): readonly Value[] {
    return value !== undefined && isList(value) ? value : this.refuse(key, expected, value)
  }

  text(value: Value | undefined, key: string, expected = 'a text'): string {
    return typeof value === 'string' ? value : this.refuse(key, expected, value)
  }

  /** A node index. Whether there is such a node is for the validation to say. */
  index(value: Value | undefined, key: string): number {
    if (typeof value === 'bigint' && value >= -1n && value <= 0xffff_ffffn) return Number(value)
    return this.refuse(key, 'the index of a node', value)
  }

  /** `[3, "value"]`: output `value` of node 3; `[-1, "x"]`: input `x` of the graph. */
  edge(value: Value | undefined, key: string): PortRef {
    return readEdge(value) ?? this.refuse(key, EDGE, value)
  }

  /** The edges of an object, by port. Absent: none, unless `required`. */
  edges(value: Value | undefined, key: string, required: boolean): ReadonlyMap<string, PortRef> {
    const edges = new Map<string, PortRef>()
    if (value === undefined && !required) return edges
    for (const [port, item] of this.dict(value, key)) edges.set(port, readEdge(item) ?? this.refuse(`${key}.${port}`, EDGE, item))
    return edges
  }

  /** The entries of an object, each through `read`; an absent object is empty. */
  entries<T>(value: Value | undefined, key: string, read: (item: Value, key: string) => T): Map<string, T> {
    const entries = new Map<string, T>()
    if (value === undefined) return entries
    for (const [name, item] of this.dict(value, key)) entries.set(name, read(item, `${key}.${name}`))
    return entries
  }
}

const EDGE = 'an edge [node index, "port"]'

function readEdge(value: Value | undefined): PortRef | undefined {
  if (value === undefined || !isList(value) || value.length !== 2) return undefined
  const [node, port] = value
  if (typeof node !== 'bigint' || node < -1n || node > 0xffff_ffffn || typeof port !== 'string') return undefined
  return { node: Number(node), port }
}
