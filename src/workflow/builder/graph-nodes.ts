import { InputError } from '../../errors.ts'
import type { GraphNode, PortRef } from '../model/graph-data.ts'
import type { Value } from '../values/value.ts'
import type { LocalTask } from './local-task.ts'
import { Port } from './port.ts'
import type { PortShape, PortType } from './port-type.ts'
import { describe, literalOf } from './port-values.ts'

/** How a node is named and marked. */
export interface NodeOptions {
  /** Name under which the graph lists the node (`named_nodes`). */
  readonly name?: string
  /** Whether a run with breakpoints stops before the node (`has_breakpoint`). */
  readonly breakpoint?: boolean
  /** Whether pictures of the graph leave the node out (`is_hidden`). */
  readonly hidden?: boolean
}

/** The nodes of a graph while it is built. */
export class GraphNodes {
  readonly nodes: GraphNode[] = []
  readonly namedNodes = new Map<string, number>()
  readonly nodeMetadata = new Map<number, Value>()
  readonly localTasks = new Map<string, LocalTask>()
  /** What ports of this graph carry as their owner. */
  readonly owner: object
  isFinished = false

  constructor(owner: object) {
    this.owner = owner
  }

  /** Adds a node and gives its index. Throws `InputError` for a name that is taken, and once the graph is finished. */
  add(node: GraphNode, options: NodeOptions = {}): number {
    if (this.isFinished) {
      throw new InputError('invalid_argument', 'cannot add a node to a finished graph', { hint: 'Add all nodes before output(…).' })
    }
    const { name, breakpoint, hidden } = options
    if (name !== undefined && this.namedNodes.has(name)) {
      throw new InputError('invalid_argument', `cannot name a node "${name}": node ${this.namedNodes.get(name)} has that name`)
    }
    const index = this.nodes.length
    this.nodes.push(node)
    if (name !== undefined) this.namedNodes.set(name, index)
    if (breakpoint !== undefined || hidden !== undefined) {
      const marks: [string, Value][] = [
        ['has_breakpoint', breakpoint ?? false],
        ['is_hidden', hidden ?? false],
      ]
      this.nodeMetadata.set(index, new Map(marks))
    }
    return index
  }

  /** Adds a constant. */
  addConst(value: Value, options?: NodeOptions): PortRef {
    return { node: this.add({ type: 'const', value, inputs: NO_INPUTS }, options), port: 'value' }
  }

  /** The reference that an input stands for: that of the port, or of a new constant. `place` names the input in messages. */
  link(given: unknown, type: PortType<unknown>, place: string): PortRef {
    return given instanceof Port ? this.refOf(given, place) : this.constant(given, type, place)
  }

  /** A constant as the author wrote it. Throws `InputError` where it doesn't fit the type. */
  constant(given: unknown, type: PortType<unknown>, place: string, options?: NodeOptions): PortRef {
    this.adoptLocalTasks(given)
    return this.addConst(literalOf(type, given, place), options)
  }

  /** The reference of a port. Throws `InputError` for a port of another graph. */
  refOf(port: unknown, place: string): PortRef {
    if (!(port instanceof Port)) throw new InputError('invalid_argument', `${place}: ${describe(port)} is no port of this graph`)
    if (port.owner === this.owner) return { node: port.node, port: port.name }
    const from = port.node < 0 ? `"${port.name}" of another graph` : `port "${port.name}" of node ${port.node} of another graph`
    throw new InputError('invalid_argument', `${place}: ${from} cannot be used here`, {
      hint: 'Pass the value through an input of this graph, or take the other graph in with embed(…).',
    })
  }

  /**
   * References for inputs by name. Throws `InputError` for ports that `shape` doesn't have, and for missing ones.
   */
  linkAll(given: Readonly<Record<string, unknown>>, shape: PortShape, place: string): Map<string, PortRef> {
    const refs = new Map<string, PortRef>()
    for (const [name, input] of Object.entries(given)) {
      const type = Object.hasOwn(shape, name) ? shape[name] : undefined
      if (type === undefined) {
        throw new InputError('invalid_argument', `${place} has no input "${name}"`, { hint: `It has: ${listNames(shape)}.` })
      }
      if (input !== undefined) refs.set(name, this.link(input, type, `${place}: input "${name}"`))
    }
    for (const [name, type] of Object.entries(shape)) {
      if (!refs.has(name) && !type.optional) throw new InputError('invalid_argument', `${place}: input "${name}" is missing`)
    }
    return refs
  }

  /** Takes over the local tasks of graphs within a constant. Throws `InputError` where two functions have one name. */
  adoptLocalTasks(given: unknown): void {
    if (typeof given !== 'object' || given === null) return
    if (Array.isArray(given)) for (const item of given) this.adoptLocalTasks(item)
    else if (given instanceof Map) for (const item of given.values()) this.adoptLocalTasks(item)
    else if ('localTasks' in given && given.localTasks instanceof Map) {
      for (const local of given.localTasks.values()) this.addLocalTask(local)
    } else if (Object.getPrototypeOf(given) === Object.prototype) this.adoptLocalTasks(Object.values(given))
  }

  addLocalTask(local: LocalTask): void {
    const known = this.localTasks.get(local.functionName)
    if (known !== undefined && known.run !== local.run) {
      throw new InputError('invalid_argument', `two functions are called ${local.functionName}`, { hint: 'Give one of them another name.' })
    }
    this.localTasks.set(local.functionName, known ?? local)
  }
}

/** For kinds of nodes without inputs. */
export const NO_INPUTS: ReadonlyMap<string, PortRef> = new Map()

function listNames(shape: PortShape): string {
  return Object.keys(shape).join(', ') || 'none'
}
