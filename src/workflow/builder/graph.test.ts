import { describe, expect, test } from 'vitest'
import { areBuiltinTasksOutdated } from '../../../scripts/builtin-tasks.ts'
import { InputError } from '../../errors.ts'
import type { GraphNode } from '../model/graph-data.ts'
import { Complex } from '../values/value.ts'
import { builtins } from './builtin-tasks.ts'
import { graph } from './graph.ts'
import { localTask } from './local-task.ts'
import { partial } from './partial.ts'
import { anything, dict, float, graphOf, int, list, number, opaque, optional, str } from './port-type.ts'
import { task } from './task.ts'

const kinds = (nodes: readonly GraphNode[]): string[] => nodes.map((node) => (node.type === 'function' ? node.functionName : node.type))

/** The message and the hint. */
function refusal(build: () => unknown): string {
  try {
    build()
  } catch (error) {
    if (error instanceof InputError) return error.display.replace(/\n\s*/, ' | ')
    throw error
  }
  return 'accepted'
}

function doubler() {
  const g = graph({ x: int })
  return g.output(g.call(builtins.itimes, { a: 2, b: g.inputs.x }))
}

test('the typed builtins are those of the table; else: node scripts/builtin-tasks.ts', () => {
  expect(areBuiltinTasksOutdated(false)).toBe(false)
})

describe('ports of another graph', () => {
  const other = graph({ n: int })
  const foreign = other.call(builtins.iadd, { a: other.inputs.n, b: 1 })
  const hint = 'Pass the value through an input of this graph, or take the other graph in with embed(…).'
  const g = graph({ n: int })
  const g2 = graph({ n: int })
  test.each([
    ['of a task', () => g.call(builtins.iadd, { a: foreign, b: 1 }), 'builtins.iadd: input "a"'],
    ['of an eval', () => g.eval(doubler(), { x: foreign }), 'eval: input "x"'],
    ['of a branch', () => g.ifElse(true, g.inputs.n, foreign), 'ifelse: the value if false'],
    ['of the output', () => g2.output({ value: foreign }), 'output "value"'],
  ])('are refused as input %s', (_, build, place) => {
    expect(refusal(build)).toBe(`${place}: port "value" of node 2 of another graph cannot be used here | ${hint}`)
  })
  test('a graph cannot call another as itself', () => {
    const recursive = graph({ n: int }, { value: int })
    expect(refusal(() => g.eval(recursive.self, { n: 1 }))).toBe(`eval: the body: "body" of another graph cannot be used here | ${hint}`)
  })
})

describe('refusals', () => {
  const g = graph({ n: int, any: anything })
  test.each([
    ['an unknown input', () => g.call(builtins.iadd, { a: 1, b: 2, c: 3 } as never), 'builtins.iadd has no input "c" | It has: a, b.'],
    ['a missing input', () => g.call(builtins.iadd, { a: 1 } as never), 'builtins.iadd: input "b" is missing'],
    [
      'a fraction for an int',
      () => g.call(builtins.iadd, { a: 1.5, b: 1 }),
      'builtins.iadd: input "a": 1.5 (a float) is no int | Ints are whole; above 2^53 write a bigint, as in 10n ** 20n.',
    ],
    [
      'a number that lost digits',
      () => g.call(builtins.iadd, { a: 1e300, b: 1 }),
      'builtins.iadd: input "a": 1e+300 (a float) is no int | Ints are whole; above 2^53 write a bigint, as in 10n ** 20n.',
    ],
    ['a port of unknown shape as body', () => g.eval(g.inputs.any as never, {}), 'eval: the body, port "any" of type Any, is no graph'],
    ['no list to map over', () => g.map(doubler(), {}, { x: 1 }), 'map: there is no list to run over'],
    ['a function as a constant', () => g.const(() => 1), 'const: a function is no Any | Give a value of type Any.'],
    ['a task without a worker', () => task('greet', {}, {}), 'task "greet" names no worker'],
    [
      'a local name with a dot',
      () => localTask('a.b', {}, {}, () => undefined),
      'local task "a.b": a name without dots and spaces is needed',
    ],
  ])('%s', (_, build, message) => {
    expect(refusal(build)).toContain(message)
  })
  test('nodes after the output, and two nodes of one name', () => {
    const done = graph({})
    done.const(1n)
    done.call(builtins.tkr_id, { value: 1n }, { name: 'one' })
    expect(refusal(() => done.call(builtins.tkr_id, { value: 1n }, { name: 'one' }))).toContain(
      'cannot name a node "one": node 2 has that name',
    )
    done.output({})
    expect(refusal(() => done.const(1n))).toContain('cannot add a node to a finished graph')
  })
})

test('constants keep their kind, in the file and in JSON.stringify', () => {
  const g = graph({})
  g.const(1)
  g.const(1n)
  g.const(list(int), [1, 2])
  g.const([1, -0])
  g.const(2n ** 70n)
  g.const(number, 3)
  g.const(dict(float), { a: 1e21 })
  g.const(new Uint8Array([255]))
  g.const(new Complex(1, 2))
  const workflow = g.output({})
  const values = [
    '1.0',
    '1',
    '[1,2]',
    '[1.0,-0.0]',
    '1180591620717411303424',
    '3.0',
    '{"a":1e+21}',
    '{"__tkr_bytes__":true,"bytes":"/w=="}',
    '[1.0,2.0]',
  ]
  for (const text of [JSON.stringify(workflow), workflow.toText().replaceAll(/\s+/g, '')]) {
    expect(text.match(/"value":(.*?),"inputs"/g)).toEqual(values.map((value) => `"value":${value},"inputs"`))
  }
})

test('a constant that JSON does not have is refused by toJSON, and written by toText as Python does', () => {
  const g = graph({})
  const workflow = g.output({ value: g.const(Number.NaN) })
  expect(refusal(() => JSON.stringify(workflow))).toContain('JSON has no NaN')
  expect(workflow.toText()).toContain('"value": NaN')
})

test('port types, names and marks stand in the document', () => {
  const greet = task('my.worker.greet', { name: str, times: optional(int) }, { value: str })
  const g = graph({ a: int, b: optional(list(float)), c: opaque('pytket.circuit.Circuit') })
  const text = g.call(greet, { name: 'Ada' }, { name: 'greeting', breakpoint: true })
  const document = JSON.parse(JSON.stringify(g.output({ text, a: g.inputs.a })))
  expect(document.port_types).toEqual({
    inputs: { a: 'int', b: 'list[float] | None', c: 'OpaqueType["pytket.circuit.Circuit"]' },
    outputs: { text: 'str', a: 'int' },
  })
  expect(document.nodes[4]).toMatchObject({
    function_name: 'my.worker.greet',
    port_types: { inputs: { name: 'str', times: 'int | None' }, outputs: { value: 'str' } },
  })
  expect(document.named_nodes).toEqual({ greeting: 4 })
  expect(document.node_metadata).toEqual({ 4: { has_breakpoint: true, is_hidden: false } })
})

test('types of generic builtins are known where the graph is built', () => {
  const g = graph({ xs: list(str) })
  expect(g.call(builtins.head, { v: g.inputs.xs }).head.type.annotation).toBe('str')
  expect(g.call(builtins.tkr_zip, { a: g.inputs.xs, b: [1n] }).type.annotation).toBe('list[tuple[str, int]]')
  const f = graph({ f: graphOf({ x: int }, { value: int }) })
  expect(f.eval(f.call(builtins.tkr_id, { value: f.inputs.f }), { x: 1 }).type.annotation).toBe('int')
})

describe('map', () => {
  test('lists are unfolded and folded by hidden nodes; an output that nobody asks for is not', () => {
    const b = graph({ x: int })
    const body = b.output({ x: b.inputs.x, twice: b.call(builtins.itimes, { a: 2, b: b.inputs.x }) })
    const g = graph({ xs: list(int) })
    const { nodes, nodeMetadata } = g.output({ value: g.map(body, { x: g.inputs.xs }).twice }).toGraphData()
    expect(kinds(nodes)).toEqual(['input', 'const', 'builtins.unfold_values', 'map', 'builtins.fold_values', 'output'])
    expect([...nodeMetadata.keys()]).toEqual([2, 4])
    expect(nodes[3]?.inputs.get('x')).toEqual({ node: 2, port: '*' })
    expect(nodes[4]?.inputs.get('values_glob')).toEqual({ node: 3, port: 'twice-*' })
  })
  test('elements that lie on ports already are taken as they are', () => {
    const g = graph({ xs: list(int) })
    const elements = g.call(builtins.unfold_values, { value: g.inputs.xs })['*']
    g.map(doubler(), { x: elements })
    expect(kinds(g.output({}).toGraphData().nodes).filter((kind) => kind === 'builtins.unfold_values')).toHaveLength(1)
  })
})

describe('embed', () => {
  const range = (): ReturnType<typeof build> => build()
  function build() {
    const g = graph({ stop: int, step: optional(int) })
    return g.output({ value: g.call(builtins.tkr_range, { start: 0, stop: g.inputs.stop, step: g.inputs.step }, { name: 'numbers' }) })
  }
  test('nodes are copied with their names; an optional input that is not given is left out', () => {
    const g = graph({ n: int })
    const first = g.embed(range(), { stop: g.inputs.n })
    const second = g.embed(range(), { stop: 3, step: 2 })
    const { nodes, namedNodes } = g.output({ first, second }).toGraphData()
    expect(kinds(nodes)).toEqual(['input', 'const', 'builtins.tkr_range', 'const', 'const', 'const', 'builtins.tkr_range', 'output'])
    expect([...(nodes[2]?.inputs.keys() ?? [])]).toEqual(['start', 'stop'])
    expect(namedNodes).toEqual(new Map([['numbers', 2]]))
  })
  test('a graph that calls itself calls its own document, not the embedding graph', () => {
    const r = graph({ n: int }, { value: int })
    const recursive = r.output({ value: r.eval(r.self, { n: r.inputs.n }) })
    const g = graph({ n: int })
    const { nodes } = g.output({ value: g.embed(recursive, { n: g.inputs.n }) }).toGraphData()
    expect(kinds(nodes)).toEqual(['input', 'const', 'eval', 'output'])
    expect(nodes[2]).toMatchObject({ graph: { node: 1, port: 'value' } })
    expect(nodes[1]).toMatchObject({ value: recursive.toDocument() })
  })
})

test('partial: constants of the graph, or values beside it', () => {
  const g = graph({ a: int, b: int })
  const sum = g.output({ value: g.call(builtins.iadd, g.inputs) })
  const embedded = partial(sum, { b: 3 })
  expect(Object.keys(embedded.inputPorts)).toEqual(['a'])
  expect(embedded.toGraphData()).toMatchObject({ graphInputs: ['a'], fixedInputs: new Map() })
  const beside = partial(sum, { b: 3 }, { as: 'fixed_values' }).toGraphData()
  expect(beside.fixedInputs).toEqual(new Map([['b', 3n]]))
  expect(beside.nodes).toEqual(sum.toGraphData().nodes)
  expect(refusal(() => partial(sum, { c: 3 } as never))).toBe('partial: the graph has no input "c" | It has: a, b.')
  const applied = graph({ n: int })
  const node = applied.output({ value: applied.eval(applied.partial(sum, { b: applied.inputs.n }), { a: 1 }) }).toGraphData().nodes[4]
  expect(node).toMatchObject({ type: 'eval', graph: { node: 2, port: 'body' } })
})

describe('local tasks', () => {
  const half = localTask('half', { x: int, by: optional(float) }, { value: int, rest: number }, ({ x, by }) => ({
    value: x / 2n,
    rest: by ?? Number(x % 2n),
  }))
  const call = async (inputs: Record<string, string>) => {
    const g = graph({ x: int })
    const { value } = g.call(half, { x: g.inputs.x })
    const local = g.output({ value }).localTasks.get('local.half')
    const contents = Object.entries(inputs).map(([port, text]) => [port, Buffer.from(text)] as const)
    return local?.invoke(new Map(contents), AbortSignal.timeout(1_000))
  }
  test('are called with typed values', async () => {
    expect(await call({ x: '7' })).toEqual(
      new Map<string, unknown>([
        ['value', 3n],
        ['rest', 1],
      ]),
    )
    // An int is a float where one is asked for, as Python's callers rely on.
    expect(await call({ x: '7', by: '3' })).toEqual(
      new Map<string, unknown>([
        ['value', 3n],
        ['rest', 3],
      ]),
    )
  })
  test.each([
    ['an input of another type', { x: '7.0' }, 'local.half: input "x": 7 (a float) is no int'],
    ['a missing input', {}, 'local.half: input "x" has no value'],
  ])('%s is refused', async (_, inputs, message) => {
    await expect(call(inputs)).rejects.toThrow(message)
  })
  test('an output of another type is refused', async () => {
    const wrong = localTask('wrong', {}, { value: int }, () => 'text' as never)
    const g = graph({})
    const local = g.output({ value: g.call(wrong, {}) }).localTasks.get('local.wrong')
    await expect(local?.invoke(new Map(), AbortSignal.timeout(1_000))).rejects.toThrow('local.wrong: output "value": "text" is no int')
  })
  test('travel with the graph through const, eval, map and embed', () => {
    const b = graph({ x: int })
    const body = b.output({ x: b.call(half, { x: b.inputs.x }).value })
    const g = graph({ xs: list(int) })
    expect([...g.output({ value: g.map(body, { x: g.inputs.xs }).x }).localTasks.keys()]).toEqual(['local.half'])
    const e = graph({})
    expect([...e.output({ value: e.embed(body, { x: 1 }).x }).localTasks.keys()]).toEqual(['local.half'])
    const c = graph({})
    expect([...c.output({ value: c.const([body]) }).localTasks.keys()]).toEqual(['local.half'])
  })
  test('two functions of one name are refused', () => {
    const other = localTask('half', { x: int }, { value: int }, ({ x }) => x)
    const g = graph({ x: int })
    g.call(half, { x: g.inputs.x })
    g.call(half, { x: 3 })
    expect(refusal(() => g.call(other, { x: g.inputs.x }))).toBe('two functions are called local.half | Give one of them another name.')
  })
})
