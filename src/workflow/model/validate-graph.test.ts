import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import { parseGraph } from './graph-codec.ts'
import type { GraphData, GraphNode } from './graph-data.ts'
import { type ValidateOptions, validateGraph } from './validate-graph.ts'

type Json = Record<string, unknown>
const input = (name: string): Json => ({ type: 'input', name })
const constant = (value: unknown): Json => ({ type: 'const', value })
const func = (function_name: string, inputs: Json): Json => ({ type: 'function', function_name, inputs })
const output = (inputs: Json): Json => ({ type: 'output', inputs })
const add = (a: unknown, b: unknown) => func('builtins.iadd', { a, b })

/** A graph of these nodes: inputs and output node as they are there. */
function document(...nodes: readonly Json[]): Json {
  const graph_inputs = nodes.filter((node) => node['type'] === 'input').map((node) => node['name'])
  const at = nodes.findIndex((node) => node['type'] === 'output')
  return { nodes, graph_inputs, graph_output_idx: at < 0 ? null : at }
}
const lines = (doc: Json, options?: ValidateOptions) =>
  validateGraph(parseGraph(JSON.stringify(doc)), options).map((problem) => `${problem.severity} ${problem.message}`)

/** `x + 1` of the input `x` (node 0), on output `y`. */
const increment = document(input('x'), constant(1), add([0, 'x'], [1, 'value']), output({ y: [2, 'value'] }))
const goOn = document(input('x'), func('builtins.igt', { a: [0, 'x'], b: [0, 'x'] }), output({ x: [0, 'x'], go: [1, 'value'] }))
const two = document(input('x'), output({ a: [0, 'x'], b: [0, 'x'] }))
const unfold = func('builtins.unfold_values', { value: [0, 'value'] })

describe('graphs of real Tierkreis', () => {
  const found = ['2.0.9', '2.0.10', '2.0.12', '2.1.1'].flatMap((version) => {
    const folder = new URL(`../../../test/fixtures/tierkreis/${version}/graphs/`, import.meta.url)
    return readdirSync(folder).map((name) => [version, name, parseGraph(readFileSync(new URL(name, folder)))] as const)
  })
  test.each(found.filter(([, name]) => name !== 'no_output.json'))('%s %s has no problem', (_, __, graph) => {
    expect(validateGraph(graph)).toEqual([])
    expect(validateGraph(graph, { given: graph.graphInputs })).toEqual([])
  })
})

const table: Record<string, [Json, readonly string[]]> = {
  'a graph without fault': [increment, []],
  'no output node': [document(constant(1)), ['error the graph: it has no output node']],
  'an output node that is not named': [
    { ...document(output({})), graph_output_idx: null },
    ['error the graph: graph_output_idx must name its output node, 0'],
  ],
  'an output index of another node': [
    { ...document(constant(1), output({ y: [0, 'value'] })), graph_output_idx: 0 },
    ['error the graph: graph_output_idx names node 0, which is a node of type const; it must be the output node, 1'],
  ],
  'two output nodes': [document(output({}), output({})), ['error the graph: it has 2 output nodes (0, 1); one is allowed']],
  'an edge to no node': [
    document(output({ y: [7, 'value'] })),
    ['error node 0 (output): input "y" reads port "value" of node 7, but there are only nodes 0 to 0'],
  ],
  'a port that a constant has not': [
    document(constant(1), output({ y: [0, 'vlaue'] })),
    ['error node 1 (output): input "y" reads port "vlaue" of node 0 (const), which has no such output; did you mean "value"?'],
  ],
  'a port that an input has not': [
    document(input('x'), output({ y: [0, 'value'] })),
    ['error node 1 (output): input "y" reads port "value" of node 0 (input "x"), which has no such output; there is "x"'],
  ],
  'a port that a builtin has not': [
    document(constant([1]), func('builtins.head', { v: [0, 'value'] }), output({ y: [1, 'value'] })),
    [
      'error node 2 (output): input "y" reads port "value" of node 1 (function builtins.head), which has no such output; there is "head", "rest"',
    ],
  ],
  'an output node that is read': [
    document(output({}), func('w.t', { a: [0, 'value'] })),
    [
      'warning node 1 (function w.t): input "a" reads port "value" of node 0 (output), which has no such output (nothing needs this node: it never runs)',
    ],
  ],
  'ports of a worker are not known': [document(func('w.t', {}), output({ y: [0, 'anything'] })), []],
  'an unknown builtin': [
    document(constant(1), func('builtins.iad', { a: [0, 'value'] }), output({ y: [1, 'value'] })),
    ['error node 1 (function builtins.iad): there is no builtin "iad"; did you mean "iadd"?'],
  ],
  'an older name of a builtin': [document(constant(1), func('builtins.impl_id', { value: [0, 'value'] }), output({ y: [1, 'value'] })), []],
  'an older name of a port': [document(constant('YQ=='), func('builtins.tkr_decode', { bytes: [0, 'value'] }), output({ y: [1, 'value'] })), []], // biome-ignore format: one line
  'missing inputs of a builtin': [
    document(func('builtins.iadd', {}), output({ y: [0, 'value'] })),
    ['error node 0 (function builtins.iadd): inputs "a", "b" missing'],
  ],
  'an input with a default may be missing': [
    document(constant(1), func('builtins.tkr_range', { start: [0, 'value'], stop: [0, 'value'] }), output({ y: [1, 'value'] })),
    [],
  ],
  'an input that a builtin has not': [
    document(constant([1]), func('builtins.take', { values: [0, 'value'], m: [0, 'value'] }), output({ y: [1, 'value'] })),
    [
      'error node 1 (function builtins.take): it has no input "m"; did you mean "n"?',
      'error node 1 (function builtins.take): input "n" missing',
    ],
  ],
  'a function without a worker': [
    document(func('iadd', {}), output({ y: [0, 'value'] })),
    ['error node 0 (function iadd): the name "iadd" must be worker.task, as in builtins.iadd'],
  ],
  'a node that waits for itself': [
    document(func('w.t', { a: [0, 'value'] }), output({ y: [0, 'value'] })),
    ['error node 0 (function w.t): it waits for itself; to repeat something use a loop, or an eval of [-1, "body"]'],
  ],
  'a cycle': [
    document(func('w.a', { a: [1, 'v'] }), func('w.b', { a: [0, 'v'] }), output({ y: [0, 'v'] })),
    [
      'error node 0 (function w.a): a cycle, each node waits for the next: node 0 (function w.a), node 1 (function w.b); to repeat something use a loop, or an eval of [-1, "body"]',
    ],
  ],
  'a cycle that never runs': [
    document(func('w.a', { a: [1, 'v'] }), func('w.b', { a: [0, 'v'] }), constant(1), output({ y: [2, 'value'] })),
    [expect.stringMatching(/^warning node 0 \(function w\.a\): a cycle, .*never runs\)$/) as unknown as string],
  ],
  'edges that go forward are no cycle': [document(output({ y: [1, 'value'] }), constant(1)), []],
  'an input node that is not listed': [
    { ...increment, graph_inputs: ['xs'] },
    [
      'warning node 0 (input "x"): graph_inputs does not list it; did you mean "xs"?',
      'warning the graph: graph_inputs lists "xs", but no node reads it',
    ],
  ],
  'an input that is read without a node': [{ ...document(output({ y: [-1, 'x'] })), graph_inputs: ['x'] }, []],
  'an input that is not listed, read without a node': [
    { ...document(output({ y: [-1, 'y'] })), graph_inputs: [] },
    ['warning node 0 (output): input "y" reads port "y" of the graph\'s inputs, which it does not name'],
  ],
  'names and metadata of no node': [
    { ...increment, named_nodes: { a: 9 }, node_metadata: { 8: {} } },
    [
      'warning the graph: named_nodes gives node 9 the name "a", but there is no such node',
      'warning the graph: node_metadata is about node 8, but there is no such node',
    ],
  ],
  'a body that is no graph': [
    document(constant(1), { type: 'eval', graph: [0, 'value'], inputs: {} }, output({ y: [1, 'y'] })),
    ['error node 1 (eval): what it runs is no graph: node 0 (const) does not hold a graph'],
  ],
  'a body that is a malformed graph': [
    document(constant({ nodes: [{ type: 'x' }], graph_output_idx: 0 }), { type: 'eval', graph: [0, 'value'], inputs: {} }, output({})),
    [
      expect.stringMatching(/^warning node 1 \(eval\): what it runs is no graph: the constant of node 0 \(const\) .*node 0 \(x\): "type"/) as unknown as string, // biome-ignore format: one line
    ],
  ],
  'an output that a body has not': [
    document(constant(increment), constant(1), { type: 'eval', graph: [0, 'value'], inputs: { x: [1, 'value'] } }, output({ y: [2, 'z'] })), // biome-ignore format: one line
    ['error node 3 (output): input "y" reads port "z" of node 2 (eval), which has no such output; did you mean "y"?'],
  ],
  'an input that a body needs': [
    document(constant(increment), constant(1), { type: 'eval', graph: [0, 'value'], inputs: { xx: [1, 'value'] } }, output({ y: [2, 'y'] })), // biome-ignore format: one line
    [
      'warning node 2 (eval): its body has no input "xx"; did you mean "x"?',
      'error node 2 (eval): input "x" of its body has no value, and node 2 (function builtins.iadd) of its body can\'t do without',
    ],
  ],
  'an input that a worker may do without': [
    document(
      constant(document(input('x'), func('w.t', { a: [0, 'x'] }), output({ y: [1, 'value'] }))),
      { type: 'eval', graph: [0, 'value'], inputs: {} },
      output({ y: [1, 'y'] }),
    ),
    ['warning node 1 (eval): input "x" of its body has no value; node 1 (function w.t) of its body must do without'],
  ],
  'an input that only a branch needs': [
    document(
      constant(
        document(
          input('x'),
          input('p'),
          add([0, 'x'], [0, 'x']),
          { type: 'ifelse', pred: [1, 'p'], if_true: [2, 'value'], if_false: [1, 'p'] },
          output({ y: [3, 'value'] }),
        ),
      ),
      constant(true),
      { type: 'eval', graph: [0, 'value'], inputs: { p: [1, 'value'] } },
      output({ y: [2, 'y'] }),
    ),
    ['warning node 2 (eval): input "x" of its body has no value; node 2 (function builtins.iadd) of its body must do without'],
  ],
  'an input that nobody reads may be missing': [
    document(
      constant(document(input('x'), constant(1), output({ y: [1, 'value'] }))),
      { type: 'eval', graph: [0, 'value'], inputs: {} },
      output({ y: [1, 'y'] }),
    ),
    [],
  ],
  'an input that was filled in before': [
    document(
      constant(increment),
      constant(1),
      { type: 'eval', graph: [0, 'value'], inputs: { x: [1, 'value'] } },
      { type: 'eval', graph: [2, 'body'], inputs: {} },
      output({ y: [3, 'y'] }),
    ),
    [],
  ],
  'a value given in advance': [
    document(constant({ ...increment, fixed_values: { x: 1 } }), { type: 'eval', graph: [0, 'value'], inputs: {} }, output({ y: [1, 'y'] })), // biome-ignore format: one line
    [],
  ],
  'a graph and its result of one eval': [
    document(constant(increment), constant(1), { type: 'eval', graph: [0, 'value'], inputs: { x: [1, 'value'] } }, output({ y: [2, 'y'], g: [2, 'body'] })), // biome-ignore format: one line
    ['error node 2 (eval): its port "body" (the graph with these inputs filled in) is read beside "y"; use two evals for that'],
  ],
  recursion: [document(input('x'), { type: 'eval', graph: [-1, 'body'], inputs: { x: [0, 'x'] } }, output({ y: [1, 'y'] })), []],
  'an output that a recursion has not': [
    document(input('x'), { type: 'eval', graph: [-1, 'body'], inputs: { x: [0, 'x'] } }, output({ y: [1, 'w'] })),
    ['error node 2 (output): input "y" reads port "w" of node 1 (eval), which has no such output; did you mean "y"?'],
  ],
  'a loop': [
    document(constant(goOn), constant(1), { type: 'loop', body: [0, 'value'], inputs: { x: [1, 'value'] }, continue_port: 'go' }, output({ y: [2, 'x'] })), // biome-ignore format: one line
    [],
  ],
  'a loop whose body never says whether it goes on': [
    document(constant(goOn), constant(1), { type: 'loop', body: [0, 'value'], inputs: { x: [1, 'value'] }, continue_port: 'goon', name: 'l' }, output({ y: [2, 'x'] })), // biome-ignore format: one line
    ['error node 2 (loop "l"): its body has no output "goon", which says whether it goes on; there is "x", "go"'],
  ],
  'a map': [
    document(constant([1]), unfold, constant(increment), { type: 'map', body: [2, 'value'], inputs: { x: [1, '*'] } }, func('builtins.fold_values', { values_glob: [3, 'y-*'] }), output({ y: [4, 'value'] })), // biome-ignore format: one line
    [],
  ],
  'a map without elements': [
    document(
      constant([1]),
      constant(increment),
      { type: 'map', body: [1, 'value'], inputs: { x: [0, 'value'] } },
      output({ y: [2, 'y-0'] }),
    ),
    ['error node 2 (map): none of its inputs reads a port "*", so it has no elements; unfold a list first: builtins.unfold_values'],
  ],
  'a map over one output of another': [
    document(constant([1]), unfold, constant(increment), { type: 'map', body: [2, 'value'], inputs: { x: [1, '*'] } }, { type: 'map', body: [2, 'value'], inputs: { x: [3, 'y-*'] } }, output({ y: [4, 'y-0'] })), // biome-ignore format: one line
    ['warning node 4 (map): none of its inputs reads a port "*" alone: it runs here, but Tierkreis stops at it (StopIteration)'],
  ],
  'all outputs of a map at once': [
    document(constant([1]), unfold, constant(two), { type: 'map', body: [2, 'value'], inputs: { x: [1, '*'] } }, { type: 'map', body: [2, 'value'], inputs: { x: [3, '*'] } }, func('builtins.fold_values', { values_glob: [3, '*'] }), output({ y: [4, 'a-0'], z: [5, 'value'] })), // biome-ignore format: one line
    [
      'error node 4 (map): input "x" reads port "*" of node 3 (map), which mixes its outputs "a", "b"; read one, as in "a-*"',
      'warning node 5 (function builtins.fold_values): input "values_glob" reads port "*" of node 3 (map), which mixes its outputs "a", "b"; read one, as in "a-*"',
    ],
  ],
  'an output that a map has not': [
    document(constant([1]), unfold, constant(increment), { type: 'map', body: [2, 'value'], inputs: { x: [1, '*'] } }, output({ y: [3, 'y'] })), // biome-ignore format: one line
    ['error node 4 (output): input "y" reads port "y" of node 3 (map), which has no such output; did you mean "*"?'],
  ],
  'all elements where one value is wanted': [
    document(constant([1]), unfold, add([1, '*'], [0, 'value']), output({ y: [2, 'value'], z: [1, '*'] })),
    [
      'error node 2 (function builtins.iadd): input "a" reads all elements (port "*"); fold them first: builtins.fold_values',
      'error node 3 (output): input "z" reads port "*" of node 1 (function builtins.unfold_values): these are all its elements, which only a map or fold_values takes',
    ],
  ],
  'one value where elements are wanted': [
    document(constant([1]), func('builtins.fold_values', { values_glob: [0, 'value'] }), output({ y: [1, 'value'] })),
    [
      'error node 1 (function builtins.fold_values): input "values_glob" reads port "value", but it takes elements: port "*" of unfold_values or of a map',
    ],
  ],
}

test.each(Object.entries(table))('%s', (_, [doc, expected]) => {
  expect(lines(doc)).toEqual(expected)
})

describe('graphs in graphs', () => {
  const broken = document(input('x'), func('builtins.iad', {}), output({ y: [1, 'value'] }))
  const evalOf = (node: number) => ({ type: 'eval', graph: [node, 'value'], inputs: {} })

  test('the place is named', () => {
    const middle = document(constant(broken), evalOf(0), output({ y: [1, 'y'] }))
    const outer = document(constant(middle), constant(0), constant(0), evalOf(0), output({ y: [3, 'y'] }))
    const problems = validateGraph(parseGraph(JSON.stringify(outer)))
    expect(problems).toEqual([
      {
        severity: 'error',
        graph: '-.N3 body > N1 body',
        node: 1,
        message: '-.N3 body > N1 body > node 1 (function builtins.iad): there is no builtin "iad"; did you mean "iadd"?',
      },
    ])
  })

  test('a constant that several nodes run is checked once', () => {
    const doc = document(constant(broken), evalOf(0), evalOf(0), output({ y: [1, 'y'], z: [2, 'y'] }))
    expect(lines(doc)).toHaveLength(1)
  })

  test('a constant that nothing runs, or that only a node runs that never does, is a value like others', () => {
    expect(lines(document(constant(broken), output({ g: [0, 'value'] })))).toEqual([])
    expect(lines(document(constant(broken), evalOf(0), output({})))).toEqual([])
  })
})

describe('inputs of the run', () => {
  test('without a value', () => {
    expect(lines(increment, { given: [] })).toEqual([
      'error the graph: input "x" has no value, and node 2 (function builtins.iadd) can\'t do without',
    ])
    expect(lines(document(input('x'), output({ y: [0, 'x'] })), { given: [] })).toEqual([
      'warning the graph: input "x" has no value; node 1 (output) must do without',
    ])
  })
  test('that the graph has not', () => {
    expect(lines(increment, { given: ['x', 'y'] })).toEqual(['warning the graph: it has no input "y", for which a value was given; did you mean "x"?']) // biome-ignore format: one line
  })
})

test('a worker that is not known', () => {
  const doc = document(func('my.worker.task', {}), output({ y: [0, 'value'] }))
  const asked: string[] = []
  const knownWorker = (worker: string, task: string) => {
    asked.push(`${worker} ${task}`)
    return 'there is no worker my.worker'
  }
  expect(lines(doc, { knownWorker })).toEqual(['error node 0 (function my.worker.task): there is no worker my.worker'])
  expect(lines(doc, { knownWorker: () => true })).toEqual([])
  expect(asked).toEqual(['my.worker task'])
})

describe('size and shape', () => {
  const empty = { fixedInputs: new Map(), graphInputs: [], namedNodes: new Map(), nodeMetadata: new Map() }
  const chain = (count: number, step: number): GraphData => {
    const nodes: GraphNode[] = Array.from({ length: count }, (_, k) => ({
      type: 'function' as const,
      functionName: 'builtins.tkr_id',
      inputs: new Map([['value', { node: (k + step + count) % count, port: 'value' }]]),
    }))
    if (step < 0) nodes[0] = { type: 'const', value: 1n, inputs: new Map() }
    nodes.push({ type: 'output', inputs: new Map([['y', { node: count - 1, port: 'value' }]]) })
    return { ...empty, nodes, outputIndex: count }
  }
  test('100,000 nodes in a row, and in a ring', { timeout: 120_000 }, () => {
    const start = process.cpuUsage()
    expect(validateGraph(chain(100_000, -1))).toEqual([])
    const ring = validateGraph(chain(100_000, 1))
    expect(ring).toHaveLength(1)
    expect(ring[0]?.message).toMatch(/a cycle.*… \(100000 nodes\)/)
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(15_000)
  })

  test('any graph that can be read can be checked', () => {
    const edge = fc.tuple(fc.integer({ min: -1, max: 5 }), fc.constantFrom('value', '*', 'body', 'x', 'y', 'value-*'))
    const inputs = fc.dictionary(fc.constantFrom('x', 'a', 'b', 'values_glob', 'body'), edge, { maxKeys: 3 })
    const { node } = fc.letrec<{ node: Json; graph: Json }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.record({ type: fc.constant('const'), value: fc.constantFrom<unknown>(1, [1], increment, goOn, { nodes: [], graph_output_idx: 1 }) }), // biome-ignore format: one line
        fc.record({ type: fc.constant('const'), value: tie('graph') }),
        fc.record({ type: fc.constant('input'), name: fc.constantFrom('x', 'body', '*') }),
        fc.record({ type: fc.constant('output'), inputs }),
        fc.record({ type: fc.constant('function'), function_name: fc.constantFrom('builtins.iadd', 'builtins.fold_values', 'w.t', 'x', ''), inputs }), // biome-ignore format: one line
        fc.record({ type: fc.constant('eval'), graph: edge, inputs }),
        fc.record({ type: fc.constant('map'), body: edge, inputs }),
        fc.record({ type: fc.constant('loop'), body: edge, inputs, continue_port: fc.constantFrom('go', 'x') }),
        fc.record({ type: fc.constantFrom('ifelse', 'eifelse'), pred: edge, if_true: edge, if_false: edge }),
      ),
      graph: fc.record({ nodes: fc.array(tie('node'), { maxLength: 5 }), graph_output_idx: fc.integer({ min: 0, max: 5 }) }),
    }))
    fc.assert(
      fc.property(fc.array(node, { maxLength: 6 }), fc.nat(6), (nodes, graph_output_idx) => {
        let graph: GraphData
        try {
          graph = parseGraph(JSON.stringify({ nodes, graph_output_idx }))
        } catch (error) {
          expect(error).toBeInstanceOf(InputError)
          return
        }
        for (const problem of validateGraph(graph, { given: ['x'] })) expect(problem.message).toMatch(/^[^\n]{1,600}$/)
      }),
      { numRuns: 1_000 },
    )
  })
})
