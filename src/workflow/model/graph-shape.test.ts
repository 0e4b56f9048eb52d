import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseGraph } from './graph-codec.ts'
import { graphShape, inEdges, missingInputs, outputNames, reachableNodes } from './graph-shape.ts'

const fixture = (name: string) =>
  parseGraph(readFileSync(new URL(`../../../test/fixtures/tierkreis/2.1.1/graphs/${name}.json`, import.meta.url)))

describe('who reads what', () => {
  test('a task that reads a port twice is there twice; ports that nobody reads are not there', () => {
    const { consumers } = graphShape(fixture('worker_tasks'))
    expect(consumers).toEqual([
      new Map([
        ['first', [1, 1]],
        ['second', [1, 2]],
      ]),
      new Map([['value', [2]]]),
      new Map(),
    ])
  })

  test('the graph of an eval, the body of a loop and the parts of an ifelse count', () => {
    expect(graphShape(fixture('simple_loop')).consumers[1]).toEqual(new Map([['value', [2]]]))
    expect(graphShape(fixture('simple_eifelse')).consumers).toEqual([
      new Map([['pred', [2]]]),
      new Map([['value', [2, 2]]]),
      new Map([['value', [3]]]),
      new Map(),
    ])
  })

  test('inputs of the graph that are read without a node', () => {
    const graph = fixture('recursion_by_body')
    const { inputConsumers, consumers } = graphShape(graph)
    expect([...inputConsumers.keys()]).toEqual(['body'])
    const [reader] = inputConsumers.get('body')!
    expect(graph.nodes[reader!]!.type).toBe('eval')
    expect(consumers[reader!]!.has('body')).toBe(false)
  })

  test('edges to nodes that are not there count nowhere', () => {
    const graph = parseGraph('{"nodes":[{"type":"output","inputs":{"a":[7,"value"],"b":[0,"x"]}}],"graph_output_idx":0}')
    expect(graphShape(graph).consumers).toEqual([new Map([['x', [0]]])])
  })

  test('a body takes the place of an input of that name', () => {
    const graph = parseGraph('{"nodes":[{"type":"eval","graph":[2,"value"],"inputs":{"body":[1,"value"],"x":[1,"value"]}}]}')
    expect([...inEdges(graph.nodes[0]!)]).toEqual([
      ['body', { node: 2, port: 'value' }],
      ['x', { node: 1, port: 'value' }],
    ])
  })
})

describe('what can run', () => {
  test('nodes that the output does not need are not reachable', () => {
    expect(reachableNodes(fixture('unreachable'))).toEqual([true, false, false, true])
  })
  test('nothing is without an output node', () => {
    expect(reachableNodes(fixture('no_output'))).toEqual([false])
  })
  test('a cycle ends, and 100,000 nodes in a row need no stack', () => {
    const cycle = '{"nodes":[{"type":"output","inputs":{"a":[1,"v"]}},{"type":"function","function_name":"w.t","inputs":{"a":[1,"v"],"b":[0,"v"]}}],"graph_output_idx":0}' // biome-ignore format: one line
    expect(reachableNodes(parseGraph(cycle))).toEqual([true, true])
    const nodes = Array.from({ length: 100_000 }, (_, k) => ({ type: 'output' as const, inputs: new Map([['a', { node: k - 1, port: 'v' }]]) })) // biome-ignore format: one line
    const empty = { fixedInputs: new Map(), graphInputs: [], namedNodes: new Map(), nodeMetadata: new Map() }
    expect(reachableNodes({ ...empty, nodes, outputIndex: 99_999 }).every((can) => can)).toBe(true)
  })
})

describe('inputs without a value', () => {
  test('neither given nor fixed', () => {
    const graph = fixture('gcd')
    expect(missingInputs(graph, [])).toEqual(['a', 'b'])
    expect(missingInputs(graph, ['b', 'more'])).toEqual(['a'])
    expect(missingInputs({ ...graph, fixedInputs: new Map([['a', 1n]]) }, ['b'])).toEqual([])
    expect(missingInputs(fixture('fixed'), [])).toEqual(['doubler_input'])
  })
  test('an input node that the list of inputs leaves out counts; the graph itself does not', () => {
    const graph = parseGraph('{"nodes":[{"type":"input","name":"x"},{"type":"input","name":"body"}],"graph_inputs":["y","body"]}')
    expect(missingInputs(graph, [])).toEqual(['x', 'y'])
  })
})

test('outputs are the inputs of the output node', () => {
  expect(outputNames(fixture('worker_tasks'))).toEqual(['x', 'y'])
  expect(outputNames(fixture('no_output'))).toEqual([])
})
