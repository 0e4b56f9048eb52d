import { InputError } from '../../errors.ts'
import type { GraphData, PortRef } from '../model/graph-data.ts'
import type { Value } from '../values/value.ts'
import { constantType, isTypedGraph } from './constant-type.ts'
import { embedNodes } from './embed-nodes.ts'
import { GraphNodes, NO_INPUTS, type NodeOptions } from './graph-nodes.ts'
import { createLocalTask } from './local-task.ts'
import {
  type Body,
  type ConstOf,
  type Input,
  type Inputs,
  type Literal,
  type LoopInputs,
  type MapResult,
  type Over,
  Port,
  type Ports,
  type Result,
} from './port.ts'
import {
  bool,
  type Elements,
  elements,
  type GraphValue,
  graphOf,
  list,
  number,
  optional,
  type PortShape,
  type PortType,
  union,
} from './port-type.ts'
import type { TaskCall } from './task.ts'
import { bindVariables, substitute } from './type-variables.ts'
import { Workflow } from './workflow.ts'

/** Of a loop. */
export interface LoopOptions<C extends string = string> extends NodeOptions {
  /** The body's bool output that says whether to go on. Default `should_continue`. */
  readonly continuePort?: C
}

/** Optional arguments where every port of `T` may be left out. */
type Rest<T> = Record<never, never> extends T ? [others?: Inputs<T>, options?: NodeOptions] : [others: Inputs<T>, options?: NodeOptions]

/** Ports that must not be given: any value is an error. */
type None<K extends PropertyKey> = { readonly [P in K]: never }

/** What builds a graph: each method adds nodes and gives their ports. Every `Input` is a port of this graph or a constant. */
export abstract class GraphBuilder<In> {
  /** The graph's own inputs. */
  readonly inputs: Ports<In>
  protected readonly nodes: GraphNodes
  protected readonly inputPorts: PortShape

  constructor(inputs: PortShape) {
    this.nodes = new GraphNodes(this)
    this.inputPorts = inputs
    const ports = Object.entries(inputs).map(([name, type]) => {
      return [name, new Port(this, this.nodes.add({ type: 'input', name, inputs: NO_INPUTS }), name, type)]
    })
    this.inputs = Object.fromEntries(ports) as Ports<In>
  }

  /**
   * A constant. Without a type, a TypeScript number is a float (`1` is 1.0) and a bigint an int; `g.const(int, 1)`, `g.const(int(1))`
   * and `g.const(1n)` are the int 1. A workflow gives a port that can be a body.
   */
  const<T>(type: PortType<T>, value: Literal<T>, options?: NodeOptions): Port<T>
  const<T>(value: T): Port<ConstOf<T>>
  const(...given: readonly unknown[]): Port<unknown> {
    const [value, type, options] =
      given.length === 1
        ? [given[0], constantType(given[0])]
        : [given[1], given[0] as PortType<unknown>, given[2] as NodeOptions | undefined]
    return this.#port(this.nodes.constant(value, type, 'const', options), type)
  }

  /** Calls a task of a worker, a builtin or a local task; in two forms, `call(iadd, { a, b })` and `call(iadd({ a, b }))`. */
  call<I, Out, Names extends PropertyKey>(
    task: (inputs: I) => TaskCall<Out, Names>,
    inputs: I & None<Exclude<keyof I, Names>>,
    options?: NodeOptions,
  ): Result<Out>
  call<Out>(call: TaskCall<Out, PropertyKey>, options?: NodeOptions): Result<Out>
  call(task: unknown, second?: unknown, third?: NodeOptions): unknown {
    if (typeof task === 'function') return this.#call(task(second) as TaskCall<unknown>, third)
    return this.#call(task as TaskCall<unknown>, second as NodeOptions | undefined)
  }

  /** Runs another graph with the inputs. */
  eval<I, Out>(body: Body<I, Out>, inputs: Inputs<NoInfer<I>>, options?: NodeOptions): Result<Out> {
    const { ref, shape } = this.#body(body, 'eval')
    const refs = this.nodes.linkAll(inputs, shape.inputs, 'eval')
    return this.#result(this.nodes.add({ type: 'eval', graph: ref, inputs: refs }, options), shape.outputs)
  }

  /**
   * Runs the body until its continue port is false. Its outputs replace the inputs of the same name for the next round; the other
   * inputs stay. Gives the last round's outputs.
   */
  loop<I, Out, const C extends string = 'should_continue'>(
    body: Body<I, Out>,
    inputs: NoInfer<LoopInputs<I, Out, C>>,
    options: LoopOptions<C> = {},
  ): Result<Out> {
    const { continuePort = 'should_continue', name } = options
    const { ref, shape } = this.#body(body, 'loop')
    const type = shape.outputs[continuePort]
    if (type === undefined) throw new InputError('invalid_argument', `loop: the body has no output "${continuePort}"`)
    const refs = this.nodes.linkAll(inputs as Readonly<Record<string, unknown>>, shape.inputs, 'loop')
    const node = { type: 'loop' as const, body: ref, inputs: refs, continuePort, ...(name === undefined ? {} : { name }) }
    return this.#result(this.nodes.add(node, options), shape.outputs)
  }

  /**
   * Runs the body once for each element of the lists in `over` (one list, or several of one length that go side by side); the other
   * inputs are the same for every element. Gives a list for each of the body's outputs, in the order of the elements.
   */
  map<I, Out, const O extends { readonly [K in keyof I]?: Over<I[K]> }>(
    body: Body<I, Out>,
    over: O & None<Exclude<keyof O, keyof I>>,
    ...[others, options]: Rest<Omit<I, keyof O>>
  ): MapResult<Out> {
    const { ref, shape } = this.#body(body, 'map')
    if (Object.keys(over).length === 0) throw new InputError('invalid_argument', 'map: there is no list to run over')
    const given: Record<string, unknown> = { ...others }
    for (const [name, input] of Object.entries(over)) {
      const type = shape.inputs[name]
      if (type !== undefined) given[name] = this.#elementsOf(input, type, `map: input "${name}"`)
      else given[name] = input
    }
    const node = this.nodes.add({ type: 'map', body: ref, inputs: this.nodes.linkAll(given, shape.inputs, 'map') }, options)
    return this.#foldedResult(node, shape.outputs) as MapResult<Out>
  }

  /** The one or the other value; only the nodes of the branch taken run. */
  ifElse<A, B>(pred: Input<boolean>, ifTrue: Port<A>, ifFalse: Port<B>, options?: NodeOptions): Port<A | B> {
    return this.#ifElse('ifelse', pred, ifTrue, ifFalse, options)
  }

  /** The one or the other value; both are computed first. */
  eagerIfElse<A, B>(pred: Input<boolean>, ifTrue: Port<A>, ifFalse: Port<B>, options?: NodeOptions): Port<A | B> {
    return this.#ifElse('eifelse', pred, ifTrue, ifFalse, options)
  }

  /**
   * The graph with some inputs given in advance, values of this run among them: a graph to be the body of `eval`, `loop` or `map`.
   * Drover runs it; the controllers of Tierkreis 2.0.9 to 2.1.1 do not. For constants, `partial(workflow, …)` gives what they can run,
   * and what is needed of a graph that calls itself with another value for such an input.
   */
  partial<I, Out, const G extends Partial<Inputs<I>>>(
    body: Body<I, Out>,
    inputs: G & None<Exclude<keyof G, keyof I>>,
    options?: NodeOptions,
  ): Port<GraphValue<Omit<I, keyof G>, Out>> {
    const { ref, shape } = this.#body(body, 'partial')
    const names = Object.keys(inputs)
    const known = Object.fromEntries(Object.entries(shape.inputs).filter(([name]) => names.includes(name)))
    const refs = this.nodes.linkAll(inputs, known, 'partial')
    const rest = Object.fromEntries(Object.entries(shape.inputs).filter(([name]) => !names.includes(name)))
    const node = this.nodes.add({ type: 'eval', graph: ref, inputs: refs }, options)
    return new Port(this, node, 'body', graphOf(rest, shape.outputs)) as unknown as Port<GraphValue<Omit<I, keyof G>, Out>>
  }

  /** Takes the nodes of another graph into this one, as if they had been written here; its inputs are the given ones. */
  embed<I, Out>(workflow: Workflow<I, Out>, inputs: Inputs<NoInfer<I>>): Result<Out> {
    const refs = this.nodes.linkAll(inputs, workflow.inputPorts, 'embed')
    for (const local of workflow.localTasks.values()) this.nodes.addLocalTask(local)
    const outputs = embedNodes(this.nodes, workflow.toGraphData(), workflow.toDocument(), refs)
    const ports: Record<string, Port<unknown>> = {}
    for (const [name, ref] of outputs) {
      const type = workflow.outputPorts[name]
      if (type !== undefined) ports[name] = this.#port(ref, type)
    }
    return asResult(ports) as Result<Out>
  }

  /** Ends the graph with these outputs. */
  protected finish<Out>(refs: ReadonlyMap<string, PortRef>, outputPorts: PortShape): Workflow<In, Out> {
    const outputIndex = this.nodes.add({ type: 'output', inputs: refs })
    this.nodes.isFinished = true
    const graph: GraphData = {
      nodes: this.nodes.nodes,
      fixedInputs: new Map(),
      graphInputs: Object.keys(this.inputPorts).sort(),
      outputIndex,
      namedNodes: this.nodes.namedNodes,
      nodeMetadata: this.nodes.nodeMetadata,
      unknown: new Map([['port_types', annotations(this.inputPorts, outputPorts)]]),
    }
    return new Workflow(graph, this.inputPorts, outputPorts, this.nodes.localTasks)
  }

  #port<T>(ref: PortRef, type: PortType<T>): Port<T> {
    return new Port(this, ref.node, ref.port, type)
  }

  #result<Out>(node: number, outputs: PortShape): Result<Out> {
    const ports = Object.entries(outputs).map(([name, type]) => [name, new Port(this, node, name, type)])
    return asResult(Object.fromEntries(ports)) as Result<Out>
  }

  #call({ task, inputs }: TaskCall<unknown>, options?: NodeOptions): unknown {
    const { functionName, inputPorts, outputPorts, local } = task
    const refs = this.nodes.linkAll(inputs, widened(inputPorts), functionName)
    if (local !== undefined) this.nodes.addLocalTask(createLocalTask(functionName, inputPorts, outputPorts, local))
    const isBuiltin = functionName.startsWith('builtins.')
    const types = isBuiltin ? {} : { unknown: new Map([['port_types', annotations(inputPorts, outputPorts)]]) }
    const node = this.nodes.add({ type: 'function', functionName, inputs: refs, ...types }, options)
    const given = Object.entries(inputs).map(([name, input]) => [name, input instanceof Port ? input.type : constantType(input)] as const)
    const bindings = bindVariables(inputPorts, given)
    const outputs = Object.entries(outputPorts).map(([name, type]) => [name, substitute(type, bindings)])
    return this.#result(node, Object.fromEntries(outputs))
  }

  #body<I, Out>(body: Body<I, Out>, place: string): { ref: PortRef; shape: { inputs: PortShape; outputs: PortShape } } {
    if (body instanceof Port) {
      const ref = this.nodes.refOf(body, `${place}: the body`)
      if (body.type.graph === undefined) {
        throw new InputError('invalid_argument', `${place}: the body, port "${body.name}" of type ${body.type.annotation}, is no graph`, {
          hint: 'Say which ports it has: port.as(graphOf({ … }, { … })).',
        })
      }
      return { ref, shape: body.type.graph }
    }
    if (!isTypedGraph(body)) {
      throw new InputError('invalid_argument', `${place}: the body is no finished graph`, { hint: 'Finish it with output(…).' })
    }
    const type = graphOf(body.inputPorts, body.outputPorts)
    return { ref: this.nodes.constant(body, type, place), shape: { inputs: body.inputPorts, outputs: body.outputPorts } }
  }

  #elementsOf(input: unknown, type: PortType<unknown>, place: string): Port<unknown> {
    if (input instanceof Port && input.type.kind === 'elements') return input
    const value = this.nodes.link(input, list(type), place)
    const unfold = { type: 'function' as const, functionName: 'builtins.unfold_values', inputs: new Map([['value', value]]) }
    return new Port(this, this.nodes.add(unfold, { hidden: true }), '*', elements(type) as PortType<Elements<unknown>>)
  }

  /** Lists of what a map gives, each folded when it is first asked for. */
  #foldedResult(node: number, outputs: PortShape): unknown {
    const ports: Record<string, Port<unknown>> = {}
    for (const [name, type] of Object.entries(outputs)) {
      let folded: Port<unknown> | undefined
      const get = (): Port<unknown> => {
        folded ??= this.#fold({ node, port: `${name}-*` }, type)
        return folded
      }
      Object.defineProperty(ports, name, { enumerable: true, get })
    }
    return asResult(ports)
  }

  #fold(ref: PortRef, type: PortType<unknown>): Port<unknown> {
    const fold = { type: 'function' as const, functionName: 'builtins.fold_values', inputs: new Map([['values_glob', ref]]) }
    return new Port(this, this.nodes.add(fold, { hidden: true }), 'value', list(type))
  }

  #ifElse<A, B>(kind: 'ifelse' | 'eifelse', pred: Input<boolean>, ifTrue: Port<A>, ifFalse: Port<B>, options?: NodeOptions): Port<A | B> {
    const refs = {
      pred: this.nodes.link(pred, bool, `${kind}: the condition`),
      ifTrue: this.nodes.refOf(ifTrue, `${kind}: the value if true`),
      ifFalse: this.nodes.refOf(ifFalse, `${kind}: the value if false`),
    }
    const node = this.nodes.add({ type: kind, ...refs, inputs: NO_INPUTS }, options)
    const type = ifTrue.type.annotation === ifFalse.type.annotation ? ifTrue.type : union(ifTrue.type, ifFalse.type)
    return new Port(this, node, 'value', type as PortType<A | B>)
  }
}

/** A `float` input of a task takes an int, too, and it stays one. */
function widened(shape: PortShape): PortShape {
  return Object.fromEntries(Object.entries(shape).map(([name, type]) => [name, type.kind === 'float' ? withOptional(number, type) : type]))
}

function withOptional(type: PortType<unknown>, as: PortType<unknown>): PortType<unknown> {
  return as.optional ? optional(type) : type
}

/** The port itself where there is only `value`. */
function asResult(ports: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(ports)
  return names.length === 1 && names[0] === 'value' ? ports['value'] : ports
}

function annotations(inputs: PortShape, outputs: PortShape): Value {
  const texts = (shape: PortShape): Value =>
    new Map(Object.entries(shape).map(([name, type]) => [name, type.optional ? `${type.annotation} | None` : type.annotation]))
  return new Map([
    ['inputs', texts(inputs)],
    ['outputs', texts(outputs)],
  ])
}
