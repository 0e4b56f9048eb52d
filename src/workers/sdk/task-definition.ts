import { isPortType, type PortType } from './port-type.ts'

/** Any number of ports, one per element: input `values_glob`, or the outputs `0`, `1`, … that a map runs over. */
export interface EachPort<T> {
  readonly each: PortType<T>
}

/**
 * As an input: the values of all files that the port's path (with a `*`) matches, by the number at their name's end. As `outputs`: the
 * task returns a list, and each element becomes an output port, written as soon as it is there.
 */
export function each<T>(type: PortType<T>): EachPort<T> {
  return Object.freeze({ each: type })
}

export type InputPorts = Readonly<Record<string, PortType<unknown> | EachPort<unknown>>>
/** One type: the port `value`. An object: a port for each key. `each`: a port for each element. */
export type OutputPorts = PortType<unknown> | EachPort<unknown> | Readonly<Record<string, PortType<unknown>>>

/** What a task is called with. */
export type TaskInputs<I> = {
  readonly [K in keyof I]: I[K] extends PortType<infer T> ? T : I[K] extends EachPort<infer T> ? readonly T[] : never
}

/** Names of ports whose value may be undefined. */
type OptionalKeys<O> = { [K in keyof O]: O[K] extends PortType<infer T> ? (undefined extends T ? K : never) : never }[keyof O]
type PortValue<P> = P extends PortType<infer T> ? T : never

/** What a task returns. */
export type TaskResult<O> =
  O extends PortType<infer T>
    ? T
    : O extends EachPort<infer T>
      ? Iterable<T> | AsyncIterable<T>
      : { readonly [K in Exclude<keyof O, OptionalKeys<O>>]: PortValue<O[K]> } & { readonly [K in OptionalKeys<O>]?: PortValue<O[K]> }

/** What a task may use beside its inputs. */
export interface TaskContext {
  /** Aborted when the worker was told to end (SIGTERM); the task has two seconds then. */
  readonly signal: AbortSignal
  /** Adds a line with the time to the log of the workflow; to stderr where there is none. */
  log(text: string): void
  /** Path of a new file beside the output port's, for a task that returns a `file`. Removed where the task fails. */
  newFile(port?: string): string
}

/** Ports of a task. */
export interface TaskPorts<I extends InputPorts, O extends OutputPorts> {
  readonly inputs: I
  readonly outputs: O
}

/** A task as a worker keeps it: ports by name, in their order. */
export interface TaskDefinition {
  readonly name: string
  readonly inputs: ReadonlyMap<string, PortType<unknown> | EachPort<unknown>>
  /** Undefined where `eachOutput` is there. */
  readonly outputs: ReadonlyMap<string, PortType<unknown>> | undefined
  readonly eachOutput: PortType<unknown> | undefined
  /** Whether the task returns the value of port `value` itself. */
  readonly returnsValue: boolean
  readonly run: (inputs: Readonly<Record<string, unknown>>, context: TaskContext) => unknown
}

/** Whether a port stands for one file per element. */
export function isEachPort(value: unknown): value is EachPort<unknown> {
  return typeof value === 'object' && value !== null && !isPortType(value) && 'each' in value && isPortType(value.each)
}

/** The ports as a worker keeps them. */
export function compilePorts(ports: TaskPorts<InputPorts, OutputPorts>): Omit<TaskDefinition, 'name' | 'run'> {
  const inputs = new Map(Object.entries(ports.inputs))
  const { outputs } = ports
  if (isPortType(outputs)) return { inputs, outputs: new Map([['value', outputs]]), eachOutput: undefined, returnsValue: true }
  if (isEachPort(outputs)) return { inputs, outputs: undefined, eachOutput: outputs.each, returnsValue: false }
  return { inputs, outputs: new Map(Object.entries(outputs)), eachOutput: undefined, returnsValue: false }
}
