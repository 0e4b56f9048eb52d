import { builtin } from '../builtins/run-builtin.ts'
import type { BodyReader } from './body-of.ts'
import type { GraphData, GraphNode } from './graph-data.ts'
import { outputNames } from './graph-shape.ts'

/** The worker and the task of a function: all before the last dot, and what follows it. No dot: the worker is empty. */
export function splitFunctionName(functionName: string): { readonly worker: string; readonly task: string } {
  const dot = functionName.lastIndexOf('.')
  return { worker: dot < 0 ? '' : functionName.slice(0, dot), task: functionName.slice(dot + 1) }
}

/** The ports that a node gives. */
export interface OutputPorts {
  /** All of them by name, or those that can be named where there are as many as there are elements. */
  readonly names: readonly string[]
  /** Whether it also gives ports of this name. */
  readonly has: (port: string) => boolean
}

const VALUE = named(['value'])

function named(names: readonly string[]): OutputPorts {
  return { names, has: (port) => names.includes(port) }
}

/** The ports that a node gives; undefined where that shows only in the run: a worker's task, a graph made while it runs. */
export function outputPorts(graph: GraphData, node: GraphNode, bodies: BodyReader): OutputPorts | undefined {
  switch (node.type) {
    case 'const':
    case 'ifelse':
    case 'eifelse':
      return VALUE
    case 'input':
      return named([node.name])
    case 'output':
      return named([])
    case 'function':
      return functionPorts(node.functionName)
    case 'eval':
    case 'loop':
    case 'map': {
      const body = bodies.bodyOf(graph, node.type === 'eval' ? node.graph : node.body)
      if (body.kind !== 'graph') return undefined
      const names = outputNames(body.graph)
      if (node.type === 'loop') return named(names)
      // An eval also gives the graph itself with its inputs filled in.
      if (node.type === 'eval') return named([...names, 'body'])
      return {
        names: ['*', ...names.map((name) => `${name}-*`)],
        has: (port) => port === '*' || names.some((name) => port.startsWith(`${name}-`) && /^(\*|\d+)$/.test(port.slice(name.length + 1))),
      }
    }
  }
}

function functionPorts(functionName: string): OutputPorts | undefined {
  const { worker, task } = splitFunctionName(functionName)
  const definition = worker === 'builtins' ? builtin(task) : undefined
  if (definition === undefined) return undefined
  const names = definition.outputs.map((port) => port.name)
  return names.includes('*') ? { names, has: (port) => /^(\*|\d+)$/.test(port) } : named(names)
}
