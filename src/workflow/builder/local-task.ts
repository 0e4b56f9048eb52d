import { InputError } from '../../errors.ts'
import { readValue } from '../values/codec.ts'
import type { Value } from '../values/value.ts'
import type { Literal } from './port.ts'
import type { PortShape, PortType, ValuesOf } from './port-type.ts'
import { describe, literalOf, viewOf } from './port-values.ts'
import { declareTask, type LocalRun, type Task } from './task.ts'

/** A TypeScript function that runs as a task in the controller's own process. */
export interface LocalTask {
  /** `local.<name>`, as the function node has it. */
  readonly functionName: string
  readonly inputPorts: PortShape
  readonly outputPorts: PortShape
  /** The function as the author gave it; two tasks of one name in a workflow must have the same. */
  readonly run: LocalRun
  /**
   * Calls it with the raw contents of its input ports. Throws what the function throws, and `InputError` for an input or an output of
   * another type than declared.
   */
  invoke(inputs: ReadonlyMap<string, Uint8Array>, signal: AbortSignal): Promise<ReadonlyMap<string, Value>>
}

type Call = (call: {
  readonly inputs: ReadonlyMap<string, Uint8Array>
  readonly signal: AbortSignal
}) => Promise<ReadonlyMap<string, Value>>

/** The local tasks of a workflow as a worker in memory: what `createMemoryExecutor` takes among its `workers`. */
export interface LocalWorker {
  readonly name: string
  readonly tasks: ReadonlyMap<
    string,
    {
      readonly inputs: readonly string[]
      readonly outputs: readonly string[]
      readonly run: Call
    }
  >
}

const LOCAL = 'local'

/** The worker `local` of a workflow: `createMemoryExecutor({ workers: [localWorker(workflow.localTasks)] })`. */
export function localWorker(tasks: ReadonlyMap<string, LocalTask>): LocalWorker {
  const entries = Array.from(tasks.values(), (task) => {
    const inputs = Object.keys(task.inputPorts)
    const outputs = Object.keys(task.outputPorts)
    const run: Call = (call) => task.invoke(call.inputs, call.signal)
    return [task.functionName.slice(LOCAL.length + 1), { inputs, outputs, run }] as const
  })
  return { name: LOCAL, tasks: new Map(entries) }
}

/** What a local function gives: the value where there is only the port `value`, else values by port. */
export type LocalResult<Out> = [keyof Out] extends ['value']
  ? 'value' extends keyof Out
    ? Literal<Out['value']>
    : undefined
  : { readonly [K in keyof Out]: Literal<Out[K]> }

/**
 * Makes a task of a TypeScript function: `localTask('double', { x: int }, { value: int }, ({ x }) => 2n * x)`. In graphs it is the
 * function node `local.double`, which only Drover can run. Throws `InputError` for a name with a dot.
 */
export function localTask<const I extends PortShape, const O extends PortShape>(
  name: string,
  inputs: I,
  outputs: O,
  run: (inputs: ValuesOf<I>, signal: AbortSignal) => Promise<LocalResult<ValuesOf<O>>> | LocalResult<ValuesOf<O>>,
): Task<ValuesOf<I>, ValuesOf<O>> {
  if (!/^[^.\s]+$/.test(name)) throw new InputError('invalid_argument', `local task "${name}": a name without dots and spaces is needed`)
  const facts = { functionName: `${LOCAL}.${name}`, inputPorts: inputs, outputPorts: outputs, local: run as unknown as LocalRun }
  return declareTask(facts) as Task<ValuesOf<I>, ValuesOf<O>>
}

/** The implementation of a local task, as a workflow carries it. */
export function createLocalTask(functionName: string, inputPorts: PortShape, outputPorts: PortShape, run: LocalRun): LocalTask {
  const invoke: LocalTask['invoke'] = async (contents, signal) => {
    const inputs: Record<string, unknown> = {}
    for (const [port, type] of Object.entries(inputPorts)) {
      const content = contents.get(port)
      if (content !== undefined) inputs[port] = readInput(type, content, `${functionName}: input "${port}"`)
      else if (!type.optional) throw new InputError('invalid_argument', `${functionName}: input "${port}" has no value`)
    }
    return collectOutputs(functionName, outputPorts, await run(inputs, signal))
  }
  return { functionName, inputPorts, outputPorts, run, invoke }
}

function readInput(type: PortType<unknown>, content: Uint8Array, place: string): Value {
  const value = readValue(content, formatOf(type))
  const view = viewOf(type, value)
  if (view === undefined) throw new InputError('invalid_argument', `${place}: ${describe(value)} is no ${type.annotation}`)
  return view
}

function formatOf(type: PortType<unknown>): 'bytes' | 'json' | 'untyped' {
  if (type.kind === 'bytes') return 'bytes'
  return ['any', 'opaque', 'union', 'variable'].includes(type.kind) ? 'untyped' : 'json'
}

function collectOutputs(functionName: string, ports: PortShape, given: unknown): ReadonlyMap<string, Value> {
  const names = Object.keys(ports)
  const isSingle = names.length === 1 && names[0] === 'value'
  const outputs = new Map<string, Value>()
  if (!isSingle && names.length > 0 && (typeof given !== 'object' || given === null)) {
    throw new InputError('invalid_argument', `${functionName}: it gave ${describe(given)} instead of its outputs ${names.join(', ')}`)
  }
  for (const [port, type] of Object.entries(ports)) {
    const value: unknown = isSingle ? given : Reflect.get(given as object, port)
    if (value === undefined && type.optional) continue
    outputs.set(port, literalOf(type, value, `${functionName}: output "${port}"`))
  }
  return outputs
}
