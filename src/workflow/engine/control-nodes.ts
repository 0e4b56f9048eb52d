import { InputError } from '../../errors.ts'
import type { MapNode } from '../model/graph-data.ts'
import { readValue } from '../values/codec.ts'
import { PythonError } from '../values/python-error.ts'
import type { Value } from '../values/value.ts'
import type { Content } from './content.ts'
import { compileProgram, type Program } from './program.ts'
import type { Contents, MapElements, NodeRun } from './scope.ts'

/** Whether a loop goes on: all but `false` on its port does, as in Tierkreis. Throws InputError where that can't be told. */
export function readContinue(port: string, outputs: Contents): boolean {
  const content = outputs.get(port)
  if (content === undefined)
    throw new InputError('invalid_task', `the loop's body gave no output "${port}", so nobody knows whether it goes on`)
  const { value } = content
  if (!(value instanceof Uint8Array)) return value !== false
  try {
    return readValue(value, 'json') !== false
  } catch (error) {
    if (!(error instanceof PythonError)) throw error
    throw new InputError('invalid_task', `the loop's output "${port}" is no JSON: ${error.message}`, { cause: error })
  }
}

/** The elements of a map: the outputs behind its first star; other stars go along with them by name. */
export function mapElements(run: NodeRun, node: MapNode, program: Program): MapElements {
  const stars = [...node.inputs].filter(([, ref]) => ref.port.endsWith('*'))
  const first = stars.find(([, ref]) => ref.port === '*') ?? stars[0]
  if (first === undefined) {
    throw new InputError(
      'invalid_task',
      `map ${run.loc} has no input with elements: one must come from a port "*" (of unfold_values, or of another map)`,
    )
  }
  // Lists walked side by side may name their elements differently (`0` and `value-0`): then their numbers count.
  const others = stars
    .filter((star) => star !== first)
    .map(([port, ref]) => {
      const elements = run.scope.elements(ref)
      return {
        port,
        byName: new Map(elements.map((e) => [e.name, e.content])),
        byNumber: new Map(elements.map((e) => [e.number, e.content])),
      }
    })
  const labels = new Set<number>()
  const list = run.scope.elements(first[1]).map(({ name, number, content }) => {
    if (Number.isNaN(number))
      throw new InputError('invalid_task', `map ${run.loc}: the element "${name}" of port ${first[0]} has no number at its end`)
    if (labels.has(number))
      throw new InputError(
        'invalid_task',
        `map ${run.loc}: two elements of port ${first[0]} have the number ${number}; take one port of them, as in "value-*"`,
      )
    labels.add(number)
    const inputs = new Map([[first[0], content]])
    for (const other of others) {
      const beside = other.byName.get(name) ?? other.byNumber.get(number)
      if (beside !== undefined) inputs.set(other.port, beside)
    }
    return { label: String(number), name, inputs }
  })
  return { program, list, results: [], retries: [], next: 0, ended: 0, failed: false }
}

/** A map's outputs: `<port>-<name of the element>`. */
export function mapOutputs(elements: MapElements): Contents {
  const outputs = new Map<string, Content>()
  for (const [position, { name }] of elements.list.entries()) {
    for (const [port, content] of elements.results[position] ?? []) outputs.set(`${port}-${name}`, content)
  }
  return outputs
}

/** The retries of a map's outputs, see `NodeRun.portRetries`. */
export function mapRetries(elements: MapElements): ReadonlyMap<string, number> {
  const retries = new Map<string, number>()
  for (const [position, { name }] of elements.list.entries()) {
    for (const [port, retry] of elements.retries[position] ?? []) retries.set(`${port}-${name}`, retry)
  }
  return retries
}

/** The same graph with some of its inputs given: a graph as a value. */
export function partialGraph(program: Program, given: Contents): Content {
  const fixedInputs = new Map<string, Value>(program.graph.fixedInputs)
  for (const [port, content] of given) fixedInputs.set(port, content.read)
  const graph = { ...program.graph, fixedInputs }
  return compileProgram(graph).document
}
