import { InputError } from '../../errors.ts'
import type { Input, Port } from './port.ts'
import type { PortShape, ValuesOf } from './port-type.ts'

declare const OUTPUTS: unique symbol

/** A task with the inputs it is to be called with, before it is a node of a graph. `Names` are the ports it takes. */
export interface TaskCall<out Out, out Names extends PropertyKey = string> {
  readonly task: TaskFacts
  readonly inputs: Readonly<Record<string, unknown>>
  /** Compile time only. */
  readonly [OUTPUTS]?: { readonly outputs: Out; readonly names: Names }
}

/** What a graph needs to know of a task. */
export interface TaskFacts {
  /** `worker.task`: all before the last dot is the worker's name. */
  readonly functionName: string
  readonly inputPorts: PortShape
  readonly outputPorts: PortShape
  /** Of a local task: the implementation. */
  readonly local?: LocalRun
}

/** What runs a local task: inputs as TypeScript sees them, by port; outputs likewise. */
export type LocalRun = (inputs: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<unknown> | unknown

/** A `float` input of a task takes an int too, as Python does. */
type Widened<T> = [T] extends [number] ? number | bigint : T

/** Inputs of a task by port name. */
export type TaskInputs<In> = {
  readonly [K in keyof In]: Input<In[K]> | (Widened<In[K]> extends In[K] ? never : Port<number | bigint> | bigint)
}

/** A task of a worker, to be called in graphs: `g.call(task, { a, b })`. */
export interface Task<In, out Out> extends TaskFacts {
  (inputs: TaskInputs<In>): TaskCall<Out, keyof In>
}

/**
 * Declares a task of a worker, as the generated stubs do: `task('hello.greet', { name: str, times: optional(int) }, { value: str })`.
 * Throws `InputError` for a name without a worker.
 */
export function task<const I extends PortShape, const O extends PortShape>(
  functionName: string,
  inputs: I,
  outputs: O,
): Task<ValuesOf<I>, ValuesOf<O>> {
  return declareTask({ functionName, inputPorts: inputs, outputPorts: outputs }) as Task<ValuesOf<I>, ValuesOf<O>>
}

/** A task from its facts; the caller says its type. */
export function declareTask(facts: TaskFacts): TaskFacts & ((inputs: Readonly<Record<string, unknown>>) => TaskCall<unknown>) {
  if (!/^[^.](.*[^.])?\.[^.]+$/.test(facts.functionName)) {
    throw new InputError('invalid_argument', `task "${facts.functionName}" names no worker`, {
      hint: 'Write worker.task: all before the last dot is the worker, as in "hello.greet".',
    })
  }
  const call = (inputs: Readonly<Record<string, unknown>>): TaskCall<unknown> => ({ task: facts, inputs })
  return Object.assign(call, facts)
}

/** Declares a task with type variables; the caller writes its type as a generic function from inputs to `TaskCall`. */
export function genericTask(functionName: string, inputs: PortShape, outputs: PortShape): unknown {
  return declareTask({ functionName, inputPorts: inputs, outputPorts: outputs })
}
