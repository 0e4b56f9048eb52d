import { InputError } from '../../errors.ts'
import { readGraph, writeGraph } from '../model/graph-codec.ts'
import type { GraphData, GraphNode, PortRef } from '../model/graph-data.ts'
import { graphShape } from '../model/graph-shape.ts'
import { Content } from './content.ts'

/** A graph made ready to run; one for all evaluations of it. */
export class Program {
  readonly graph: GraphData
  /** Index of the output node. */
  readonly output: number
  /** Outputs of each constant, by node index. */
  readonly constants: ReadonlyMap<number, ReadonlyMap<string, Content>>
  /** Values of inputs given in advance. */
  readonly fixed: ReadonlyMap<string, Content>
  readonly #closures = new Map<number, readonly number[]>()
  readonly #upstreams: (readonly number[] | undefined)[] = []
  #consumed: readonly (readonly string[])[] | undefined
  #document: Content | undefined

  constructor(graph: GraphData, output: number) {
    this.graph = graph
    this.output = output
    const constants = new Map<number, ReadonlyMap<string, Content>>()
    for (const [index, node] of graph.nodes.entries()) {
      if (node.type === 'const') constants.set(index, new Map([['value', Content.of(node.value)]]))
    }
    this.constants = constants
    this.fixed = new Map(Array.from(graph.fixedInputs, ([port, value]) => [port, Content.of(value)]))
  }

  node(index: number): GraphNode {
    const node = this.graph.nodes[index]
    if (node === undefined) throw new InputError('invalid_argument', `the graph has no node ${index}: it has ${this.graph.nodes.length}`)
    return node
  }

  /** The graph's document as a port's content: what `body` holds. */
  get document(): Content {
    this.#document ??= contentOf(this)
    return this.#document
  }

  /** The nodes that have to end before this one starts, constants and inputs left out: they are always there. Ascending. */
  upstreams(index: number): readonly number[] {
    const known = this.#upstreams[index]
    if (known !== undefined) return known
    const found = new Set<number>()
    for (const ref of eagerRefs(this.node(index))) {
      if (ref.node < 0) continue
      const { type } = this.node(ref.node)
      if (type !== 'const' && type !== 'input') found.add(ref.node)
    }
    const upstreams = [...found]
    this.#upstreams[index] = upstreams
    return upstreams
  }

  /**
   * All nodes that have to run for this one, itself last, each after those it waits for. Branches of `ifelse` are not among
   * them. Throws InputError for a cycle, with the nodes named.
   */
  closure(target: number): readonly number[] {
    let order = this.#closures.get(target)
    if (order === undefined) {
      order = this.#walk(target)
      this.#closures.set(target, order)
    }
    return order
  }

  /** Output ports of a node that somebody reads, in the order of the reading nodes. */
  consumed(index: number): readonly string[] {
    this.#consumed ??= graphShape(this.graph).consumers.map((ports) => [...ports.keys()])
    return this.#consumed[index] ?? []
  }

  #walk(target: number): readonly number[] {
    const order: number[] = []
    const OPEN = 1
    const DONE = 2
    const marks = new Uint8Array(this.graph.nodes.length)
    const stack: { readonly node: number; readonly upstreams: readonly number[]; next: number }[] = []
    const open = (node: number): void => {
      marks[node] = OPEN
      stack.push({ node, upstreams: this.upstreams(node), next: 0 })
    }
    open(target)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const upstream = top.upstreams[top.next++]
      if (upstream === undefined) {
        marks[top.node] = DONE
        order.push(top.node)
        stack.pop()
      } else if (marks[upstream] === OPEN) {
        const cycle = stack.slice(stack.findIndex(({ node }) => node === upstream)).map(({ node }) => `${node} (${this.node(node).type})`)
        throw new InputError('invalid_task', `the graph has a cycle: nodes ${[...cycle, upstream].join(' < ')} wait for each other`)
      } else if (marks[upstream] !== DONE) open(upstream)
    }
    return order
  }
}

/** Graphs that came out of ports, so that one which a loop runs a thousand times is read once. */
const programs = new WeakMap<Content, Program>()

/** The graph that a port holds. Throws InputError where it is none. */
export function programOf(content: Content): Program {
  let program = programs.get(content)
  if (program === undefined) {
    program = compileProgram(readGraph(content.read))
    programs.set(content, program)
  }
  return program
}

function contentOf(program: Program): Content {
  // Few graphs look at themselves, and the document of a large one is as large.
  const content = Content.later(() => writeGraph(program.graph))
  programs.set(content, program)
  return content
}

/** Makes a graph ready to run. Throws InputError for one without an output node. */
export function compileProgram(graph: GraphData): Program {
  if (graph.outputIndex === undefined) throw new InputError('invalid_task', 'the graph has no output node, so nothing in it would ever run')
  const program = new Program(graph, graph.outputIndex)
  if (program.node(graph.outputIndex).type !== 'output') {
    throw new InputError(
      'invalid_task',
      `node ${graph.outputIndex}, named as the graph's output, is of type "${program.node(graph.outputIndex).type}"`,
    )
  }
  return program
}

/**
 * What has to be there before a node starts, its body or predicate included; of `ifelse` the predicate alone. Not `inEdges`:
 * that has both branches of `ifelse`, and lacks an input of the same name as a body or predicate, which is waited for as any other.
 */
export function* eagerRefs(node: GraphNode): Generator<PortRef> {
  yield* node.inputs.values()
  switch (node.type) {
    case 'eval':
      yield node.graph
      break
    case 'loop':
    case 'map':
      yield node.body
      break
    case 'ifelse':
      yield node.pred
      break
    case 'eifelse':
      yield node.pred
      yield node.ifTrue
      yield node.ifFalse
  }
}
