import { Complex } from '../values/value.ts'
import type { TypedGraph } from './port.ts'
import { anything, bool, bytes, complex, dict, float, graphOf, int, list, none, type PortType, str, union } from './port-type.ts'

/** The type of a constant that was given without one: a number is a float, a bigint an int. */
export function constantType(given: unknown): PortType<unknown> {
  switch (typeof given) {
    case 'bigint':
      return int
    case 'number':
      return float
    case 'string':
      return str
    case 'boolean':
      return bool
  }
  if (given === null) return none
  if (given instanceof Uint8Array) return bytes
  if (given instanceof Complex) return complex
  if (isTypedGraph(given)) return graphOf(given.inputPorts, given.outputPorts)
  if (Array.isArray(given)) return list(oneType(given))
  if (given instanceof Map) return dict(oneType([...given.values()]))
  return typeof given === 'object' ? dict(oneType(Object.values(given))) : anything
}

function oneType(items: readonly unknown[]): PortType<unknown> {
  const types = new Map<string, PortType<unknown>>()
  for (const item of items) {
    const type = constantType(item)
    types.set(type.annotation, type)
  }
  const [first, second] = types.values()
  if (first === undefined) return anything
  return second === undefined ? first : union(...types.values())
}

/** Whether the value is a finished graph with types. */
export function isTypedGraph(given: unknown): given is TypedGraph<never, unknown> {
  return typeof given === 'object' && given !== null && 'toDocument' in given && 'inputPorts' in given && 'outputPorts' in given
}
