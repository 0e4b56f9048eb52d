import { InputError } from '../../errors.ts'
import type { PortType } from './port-type.ts'
import type { TaskContext, TaskDefinition } from './task-definition.ts'

/** The names, for a message. */
export function named(names: Iterable<string>): string {
  return [...names].join(', ') || 'none'
}

/** Takes the values of a task's outputs, one after another. */
export type OutputTaker = (port: string, type: PortType<unknown>, value: unknown) => Promise<void>

/** Refuses ports that the task does not have, before it runs. Names the port, as workers in Python do. */
export function checkPorts(task: TaskDefinition, inputs: Iterable<string>, outputs: Iterable<string>): void {
  for (const port of inputs) {
    if (task.inputs.has(port)) continue
    throw new InputError('invalid_argument', `task "${task.name}" has no input port "${port}"; it has: ${named(task.inputs.keys())}`)
  }
  for (const port of outputs) {
    if (task.outputs?.has(port) || (task.eachOutput && /^(\*|\d+)$/.test(port))) continue
    const has = task.outputs === undefined ? 'one port for each element, 0, 1, …' : named(task.outputs.keys())
    throw new InputError('invalid_argument', `task "${task.name}" has no output port "${port}"; it has: ${has}`)
  }
}

/** Calls the task and gives `take` the ports that are `wanted`, or every element. Throws what the task throws. */
export async function runTask(
  task: TaskDefinition,
  inputs: Readonly<Record<string, unknown>>,
  context: TaskContext,
  wanted: (port: string) => boolean,
  take: OutputTaker,
): Promise<void> {
  const result = await task.run(inputs, context)
  if (task.eachOutput) {
    if (!isIterable(result)) throw new InputError('invalid_argument', `task "${task.name}" returned no list of elements`)
    let count = 0
    for await (const element of result) await take(String(count++), task.eachOutput, element)
    return
  }
  for (const [port, type] of task.outputs ?? []) {
    if (!wanted(port)) continue
    const value = task.returnsValue ? result : portOf(task, result, port)
    if (value === undefined && type.isOptional) continue
    if (value === undefined) throw new InputError('invalid_argument', `task "${task.name}" returned nothing for its output "${port}"`)
    await take(port, type, value)
  }
}

function portOf(task: TaskDefinition, result: unknown, port: string): unknown {
  if (typeof result !== 'object' || result === null) {
    const ports = named(task.outputs?.keys() ?? [])
    throw new InputError('invalid_argument', `task "${task.name}" returned no object with its outputs (${ports})`)
  }
  return Object.hasOwn(result, port) ? (result as Readonly<Record<string, unknown>>)[port] : undefined
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
}
