import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import { readValue, writeValue } from '../values/codec.ts'
import type { Value } from '../values/value.ts'
import { formatGraph, parseGraph, readGraph, writeGraph } from './graph-codec.ts'
import type { GraphData, GraphNode, PortRef } from './graph-data.ts'

const VERSIONS = ['2.0.9', '2.0.10', '2.0.12', '2.1.1'] as const
const folder = (version: string) => new URL(`../../../test/fixtures/tierkreis/${version}/graphs/`, import.meta.url)
const fixture = (version: string, name: string) => readFileSync(new URL(`${name}.json`, folder(version)), 'utf8')
const names = (version: string) =>
  readdirSync(folder(version))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))

const NEWEST = names('2.1.1')
const EVERY = VERSIONS.flatMap((version) => names(version).map((name) => [version, name] as const))

describe('graphs of real Tierkreis', () => {
  test('there are graphs of every version', () => {
    for (const version of VERSIONS) expect(names(version).length).toBeGreaterThan(19)
  })

  test.each(NEWEST.filter((name) => !name.includes('.dump')))('2.1.1 %s: what is written is what 2.1.1 wrote, byte for byte', (name) => {
    const text = fixture('2.1.1', name)
    expect(formatGraph(parseGraph(text))).toBe(text)
    expect(Buffer.from(writeValue(writeGraph(parseGraph(text)))).toString()).toBe(text)
  })

  test.each(EVERY)('%s %s: read, written in the newest form and read again, nothing is lost', (version, name) => {
    const graph = parseGraph(fixture(version, name))
    const written = formatGraph(graph)
    expect(formatGraph(parseGraph(written))).toBe(written)
    expect(graph.nodes.length).toBeGreaterThan(0)
    expect(graph.unknown).toBeUndefined()
    for (const node of graph.nodes) expect(node.unknown).toBeUndefined()
  })

  // The typed builder of 2.1.1 notes metadata that older ones have not.
  const older = EVERY.filter(([version, name]) => version !== '2.1.1' && name !== 'typed_map')
  test.each(older)('%s %s becomes what 2.1.1 itself writes for that graph', (version, name) => {
    expect(formatGraph(parseGraph(fixture(version, name)))).toBe(formatGraph(parseGraph(fixture('2.1.1', name))))
    if (!name.includes('.dump')) expect(formatGraph(parseGraph(fixture(version, name)))).toBe(fixture('2.1.1', name))
  })

  test('the saved form and the form between nodes are the same graph', () => {
    for (const name of ['factorial', 'nested_map', 'const_kinds']) {
      expect(parseGraph(fixture('2.1.1', `${name}.dump`))).toEqual(parseGraph(fixture('2.1.1', name)))
    }
  })

  test('a graph as the model has it', () => {
    const graph = parseGraph(fixture('2.0.12', 'named_loop'))
    expect(graph.nodes[2]).toEqual({
      type: 'loop',
      body: { node: 1, port: 'value' },
      inputs: new Map([['loop_acc', { node: 0, port: 'value' }]]),
      continuePort: 'should_continue',
      name: 'my_loop',
    })
    expect(graph.nodes[0]).toEqual({ type: 'const', value: 6n, inputs: new Map() })
    expect(graph.outputIndex).toBe(3)
    expect(graph.namedNodes).toEqual(new Map([['my_loop', 2]]))
    const metadata = parseGraph(fixture('2.1.1', 'metadata')).nodeMetadata
    expect(metadata.get(0)).toEqual(new Map([['has_breakpoint', true], ['is_hidden', false]])) // biome-ignore format: one line
    expect(parseGraph(fixture('2.0.9', 'fixed')).fixedRefs).toEqual(new Map([['intercept', { loc: '-.N3.L0.N7', port: 'value' }]]))
  })
})

test('a node that reads the graph itself is noted as its own reader, before later ones, as the builder of 2.1.1 does; a function is not', () => {
  const text =
    '{"nodes":[{"type":"eval","graph":[-1,"body"],"inputs":{"x":[-1,"x"]}},{"type":"function","function_name":"w.t","inputs":{"g":[-1,"body"]}},{"type":"output","inputs":{"y":[0,"body"],"z":[1,"value"]}}],"graph_inputs":["x"],"graph_output_idx":2}'
  const [evaluation, task] = JSON.parse(formatGraph(parseGraph(text))).nodes
  expect(evaluation.outputs).toEqual({ x: [0], body: [0, 2] })
  expect(task.outputs).toEqual({ value: [2] })
})

describe('what no release writes', () => {
  test('unknown keys stay where they were', () => {
    const text =
      '{"nodes":[{"type":"input","name":"x","port_types":{"x":"int"}},{"type":"output","inputs":{"y":[0,"x"]},"zzz":[1.0]}],"graph_inputs":["x"],"graph_output_idx":1,"types":{"x":"int"},"node_metadata":{"0":{"color":"red"}}}'
    const again = JSON.parse(formatGraph(parseGraph(formatGraph(parseGraph(text)))))
    expect(again.types).toEqual({ x: 'int' })
    expect(again.nodes[0].port_types).toEqual({ x: 'int' })
    expect(again.nodes[1].zzz).toEqual([1])
    expect(again.node_metadata).toEqual({ '0': { has_breakpoint: false, is_hidden: false, color: 'red' } })
  })

  test('values given in advance have a key that Tierkreis ignores', () => {
    const graph = { ...parseGraph(fixture('2.1.1', 'simple_ifelse')), fixedInputs: new Map<string, Value>([['pred', true]]) }
    const document = JSON.parse(formatGraph(graph))
    expect(document.fixed_inputs).toEqual({})
    expect(document.fixed_values).toEqual({ pred: true })
    expect(parseGraph(formatGraph(graph))).toEqual(graph)
  })

  test('a graph in a constant that is not readable stays as it is', () => {
    const text =
      '{"nodes":[{"type":"const","value":{"nodes":[7],"graph_output_idx":0}},{"type":"output","inputs":{}}],"graph_output_idx":1}'
    expect(JSON.parse(formatGraph(parseGraph(text))).nodes[0].value).toEqual({ nodes: [7], graph_output_idx: 0 })
  })

  test('reads a number, NaN among them, as it stands in a list', () => {
    const text = '{"nodes":[{"type":"const","value":[NaN,{"a":NaN}]},{"type":"output","inputs":{}}],"graph_output_idx":1}'
    expect(formatGraph(parseGraph(text)).match(/NaN/g)).toHaveLength(2)
  })
})

describe('malformed documents', () => {
  const output = '{"type":"output","inputs":{}}'
  const graph = (node: string) => `{"nodes":[${output},${node}],"graph_output_idx":0}`
  const table: Record<string, [string, RegExp]> = {
    'not JSON': ['{"nodes":', /g\.json is not JSON: Expecting value: line 1 column 10/],
    empty: ['', /g\.json is not JSON/],
    'a list': ['[]', /g\.json is not a graph that can be read: the document: expected an object with a list "nodes", found a list of 0/],
    'no nodes': ['{}', /"nodes": expected the list of nodes, found nothing/],
    'a node that is a number': [graph('7'), /: node 1: expected an object with a "type", found 7/],
    'no type': [graph('{"inputs":{}}'), /node 1: "type": expected one of const, input, .*found nothing/],
    'a mistyped type': [graph('{"type":"fnction"}'), /node 1 \(fnction\): "type": expected "function", found the text "fnction"/],
    'no inputs': [
      graph('{"type":"function","function_name":"builtins.iadd"}'),
      /node 1 \(function builtins\.iadd\): "inputs": expected an object, found nothing/,
    ],
    'an edge of one part': [
      graph('{"type":"function","function_name":"builtins.iadd","inputs":{"a":[0]}}'),
      /node 1 \(function builtins\.iadd\): "inputs\.a": expected an edge \[node index, "port"\], found a list of 1/,
    ],
    'an edge with a float': [graph('{"type":"eval","graph":[0.0,"x"],"inputs":{}}'), /node 1 \(eval\): "graph": expected an edge/],
    'an edge far outside': [graph('{"type":"eval","graph":[-2,"x"],"inputs":{}}'), /"graph": expected an edge/],
    'no continue port': [graph('{"type":"loop","body":[0,"value"],"inputs":{}}'), /node 1 \(loop\): "continue_port": expected the name/],
    'a constant without value': [graph('{"type":"const"}'), /node 1 \(const\): "value": expected the constant, found nothing/],
    'an input without name': [graph('{"type":"input"}'), /node 1 \(input\): "name": expected the input's name, found nothing/],
    'outputs that are a number': [graph('{"type":"const","value":1,"outputs":3}'), /node 1 \(const\): "outputs": expected names of ports/],
    'outputs with names of nodes': [
      graph('{"type":"const","value":1,"outputs":{"v":["x"]}}'),
      /"outputs\.v": expected the index of a node/,
    ],
    'an output index that is text': ['{"nodes":[],"graph_output_idx":"3"}', /"graph_output_idx": expected the index of a node/],
    'inputs that are a text': ['{"nodes":[],"graph_inputs":"x"}', /"graph_inputs": expected the names of the graph's inputs/],
    'an input that is null': ['{"nodes":[],"graph_inputs":[null]}', /"graph_inputs\[0\]": expected the name of an input, found null/],
    'a fixed input that is a value': ['{"nodes":[],"fixed_inputs":{"x":1}}', /"fixed_inputs\.x": expected \["location", "port"\]/],
    'a fixed input of no location': ['{"nodes":[],"fixed_inputs":{"x":["a","b"]}}', /"fixed_inputs\.x"/],
    'metadata of no node': ['{"nodes":[],"node_metadata":{"a":{}}}', /"node_metadata": expected indices of nodes as keys/],
    'metadata that is a list': ['{"nodes":[],"node_metadata":{"0":[]}}', /"node_metadata\.0": expected an object/],
    'named nodes that are text': ['{"nodes":[],"named_nodes":{"a":"b"}}', /"named_nodes\.a": expected the index of a node/],
  }
  test.each(Object.entries(table))('%s', (_, [text, message]) => {
    expect(() => parseGraph(text, 'g.json')).toThrow(message)
    expect(() => parseGraph(text, 'g.json')).toThrow(InputError)
  })

  test('a very long name does not make a long message', () => {
    const text = graph(`{"type":"function","function_name":"${'a'.repeat(100_000)}"}`)
    expect(() => parseGraph(text)).toThrow(/.{1,500}$/)
    try {
      parseGraph(text)
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(400)
    }
  })

  test('deep nesting is refused, not a crash', () => {
    expect(() => parseGraph(`{"nodes":${'['.repeat(100_000)}`)).toThrow(/^the document cannot be read: maximum recursion depth/)
    let text = '{"nodes":[{"type":"output","inputs":{}}],"graph_output_idx":0}'
    for (let k = 0; k < 400; k++) text = `{"nodes":[{"type":"output","inputs":{}},{"type":"const","value":${text}}],"graph_output_idx":0}`
    expect(formatGraph(parseGraph(text)).match(/"fixed_inputs"/g)).toHaveLength(401)
  })
})

const port = fc.oneof(fc.constantFrom('value', '*', 'body', '__proto__', 'a'), fc.string({ maxLength: 4 }))
const edgeTo = (count: number): fc.Arbitrary<PortRef> => fc.record({ node: fc.integer({ min: -1, max: count + 1 }), port })
const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.bigInt(),
    fc.double(),
    fc.string(),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(fc.string({ maxLength: 3 }), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
})).value
const unknown = fc.option(
  fc.array(fc.tuple(fc.string({ minLength: 9, maxLength: 12 }), value), { minLength: 1, maxLength: 2 }).map((entries) => new Map(entries)),
  { nil: undefined },
)

function anyNode(count: number): fc.Arbitrary<GraphNode> {
  const edge = edgeTo(count)
  const inputs = fc.array(fc.tuple(port, edge), { maxLength: 4 }).map((entries) => new Map(entries))
  const optional = <T extends object>(node: fc.Arbitrary<T>) =>
    fc.tuple(node, unknown).map(([known, more]) => (more === undefined ? known : { ...known, unknown: more }))
  return fc.oneof(
    optional(fc.record({ type: fc.constant('const' as const), value, inputs })),
    optional(fc.record({ type: fc.constant('input' as const), name: port, inputs })),
    optional(fc.record({ type: fc.constant('output' as const), inputs })),
    optional(fc.record({ type: fc.constant('function' as const), functionName: fc.string(), inputs })),
    optional(fc.record({ type: fc.constant('eval' as const), graph: edge, inputs })),
    optional(fc.record({ type: fc.constant('map' as const), body: edge, inputs })),
    optional(
      fc.record(
        { type: fc.constant('loop' as const), body: edge, inputs, continuePort: port, name: fc.string() },
        { requiredKeys: ['type', 'body', 'inputs', 'continuePort'] },
      ),
    ),
    optional(fc.record({ type: fc.constantFrom('ifelse' as const, 'eifelse' as const), pred: edge, ifTrue: edge, ifFalse: edge, inputs })),
  )
}

const anyGraph: fc.Arbitrary<GraphData> = fc.integer({ min: 0, max: 8 }).chain((count) =>
  fc
    .record({
      nodes: fc.array(anyNode(count), { minLength: count, maxLength: count }),
      fixedInputs: fc.array(fc.tuple(port, value), { maxLength: 2 }).map((entries) => new Map(entries)),
      graphInputs: fc.uniqueArray(port, { maxLength: 4 }).map((list) => list.sort()),
      outputIndex: fc.option(fc.integer({ min: 0, max: count }), { nil: undefined }),
      namedNodes: fc.array(fc.tuple(port, fc.integer({ min: 0, max: count })), { maxLength: 2 }).map((entries) => new Map(entries)),
      nodeMetadata: fc
        .array(fc.tuple(fc.nat(count), fc.boolean()), { maxLength: 2 })
        .map((entries) => new Map(entries.map(([k, on]) => [k, new Map<string, Value>([['has_breakpoint', on], ['is_hidden', !on]])]))), // biome-ignore format: one line
    })
    .chain((graph) => unknown.map((more) => (more === undefined ? graph : { ...graph, unknown: more }))),
)

describe('generated', () => {
  test('any graph comes back as it was written', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        expect(parseGraph(formatGraph(graph))).toEqual(graph)
        expect(readGraph(writeGraph(graph))).toEqual(graph)
      }),
      { numRuns: 300 },
    )
  })

  const seeds = EVERY.map(([version, name]) => fixture(version, name)).filter((text) => text.length < 3_000)
  test('a damaged document is read or refused with an InputError, never anything else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.nat(), fc.nat(30), fc.string({ maxLength: 6 }), (text, at, cut, put) => {
        const start = at % text.length
        expectReadOrRefused(() => parseGraph(text.slice(0, start) + put + text.slice(start + cut)))
      }),
      { numRuns: 2_000 },
    )
  })

  test('a document with a part exchanged is read or refused with an InputError, never anything else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), value, (text, path, other) => {
        expectReadOrRefused(() => readGraph(exchange(readValue(Buffer.from(text), 'json'), path, other)))
      }),
      { numRuns: 2_000 },
    )
  })

  function expectReadOrRefused(read: () => GraphData): void {
    let graph: GraphData
    try {
      graph = read()
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      return
    }
    formatGraph(graph)
  }

  /** The value with the part at the path (positions, modulo what is there) replaced. */
  function exchange(document: Value, path: readonly number[], other: Value): Value {
    const [step, ...rest] = path
    if (step === undefined) return other
    if (Array.isArray(document) && document.length > 0) return document.with(step % document.length, exchange(document[step % document.length], rest, other)) // biome-ignore format: one line
    if (!(document instanceof Map) || document.size === 0) return other
    const key = [...document.keys()][step % document.size]
    return new Map(document).set(key, exchange(document.get(key), rest, other))
  }
})

test('100,000 nodes are read and written in well under a second each', { timeout: 120_000 }, () => {
  const nodes: GraphNode[] = [{ type: 'input', name: 'x', inputs: new Map() }]
  for (let k = 1; k < 99_999; k++) {
    const before = { node: k - 1, port: k === 1 ? 'x' : 'value' }
    nodes.push({ type: 'function', functionName: 'builtins.iadd', inputs: new Map([['a', before], ['b', before]]) }) // biome-ignore format: one line
  }
  nodes.push({ type: 'output', inputs: new Map([['value', { node: 99_998, port: 'value' }]]) })
  const graph: GraphData = { nodes, fixedInputs: new Map(), graphInputs: ['x'], outputIndex: 99_999, namedNodes: new Map(), nodeMetadata: new Map() } // biome-ignore format: one line
  const document = writeGraph(graph)
  const text = formatGraph(graph)
  // Of processor time, which other work on the machine doesn't lengthen; generous, as collecting garbage counts too.
  const limitMs = 5_000
  expect(cpuMs(() => writeGraph(graph))).toBeLessThan(limitMs)
  expect(cpuMs(() => readGraph(document))).toBeLessThan(limitMs)
  expect(cpuMs(() => formatGraph(graph))).toBeLessThan(limitMs)
  expect(cpuMs(() => parseGraph(text))).toBeLessThan(limitMs)
  expect(parseGraph(text).nodes[77_777]).toEqual(nodes[77_777])
})

function cpuMs(work: () => unknown): number {
  const start = process.cpuUsage()
  work()
  return process.cpuUsage(start).user / 1000
}
