import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseGraph } from '../model/graph-codec.ts'
import type { GraphData, GraphNode, PortRef } from '../model/graph-data.ts'
import { drawGraph } from './draw-graph.ts'
import { graphJson } from './graph-json.ts'
import { graphMermaid } from './mermaid.ts'
import type { DrawnState } from './outline.ts'
import { xmlText } from './svg-text.ts'
import { valueText } from './value-text.ts'

const RUNS = new URL('../../../test/fixtures/tierkreis/runs/2.1.1/', import.meta.url)
const GOLDEN = '../../../test/golden/drawing'

function fixture(name: string): GraphData {
  return parseGraph(JSON.parse(readFileSync(new URL(`${name}.json`, RUNS), 'utf8')).graph)
}

function graphOf(nodes: readonly GraphNode[]): GraphData {
  const outputIndex = nodes.findIndex(({ type }) => type === 'output')
  return { nodes, fixedInputs: new Map(), graphInputs: [], outputIndex, namedNodes: new Map(), nodeMetadata: new Map() }
}

function call(functionName: string, inputs: Record<string, PortRef> = {}): GraphNode {
  return { type: 'function', functionName, inputs: new Map(Object.entries(inputs)) }
}

/** Fails on tags that do not match and on a bare `&` or `<`. */
function checkXml(text: string): void {
  const open: string[] = []
  for (const [whole, close, name, , empty] of text.matchAll(/<(\/?)([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<]*")*)\s*(\/?)>|</g)) {
    expect(name, `at ${whole}`).toBeDefined()
    if (close) expect(open.pop()).toBe(name)
    else if (!empty) open.push(name!)
  }
  expect(open).toEqual([])
  expect(text.replace(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
}

const STATES = new Map<string, DrawnState>([
  ['-.N1', 'succeeded'],
  ['-.N3', 'running'],
  ['-.N3.M0.N2', 'succeeded'],
  ['-.N3.M1.N3.L0.N2', 'succeeded'],
  ['-.N3.M1.N3.L1.N2', 'failed'],
  ['-.N4', 'waiting'],
])

describe.each([
  ['loop-in-map', STATES],
  ['ifelse-nested', new Map()],
  ['recursion-factorial', new Map()],
  ['input-without-node', new Map()],
] as const)('%s', (name, states) => {
  test('as SVG', async () => {
    const { svg } = await drawGraph(fixture(name), { title: name, states })
    checkXml(svg)
    expect((await drawGraph(fixture(name), { title: name, states })).svg).toBe(svg)
    await expect(svg).toMatchFileSnapshot(`${GOLDEN}/${name}.svg`)
  })
  test('as Mermaid', async () => {
    await expect(graphMermaid(fixture(name), { states })).toMatchFileSnapshot(`${GOLDEN}/${name}.mmd`)
  })
  test('as JSON', async () => {
    const text = `${JSON.stringify(graphJson(fixture(name), { states }), null, 1)}\n`
    await expect(text).toMatchFileSnapshot(`${GOLDEN}/${name}.json.txt`)
  })
})

test('turns of loops and elements of maps are counted at one node; a failure is what is shown', () => {
  const map = graphJson(fixture('loop-in-map'), { states: STATES }).nodes[3]
  const add = map?.body?.nodes[3]?.body?.nodes[2]
  expect(add).toMatchObject({ id: '-.N3.M*.N3.L*.N2', state: 'failed', states: { succeeded: 1, failed: 1 } })
  expect(map?.body?.nodes[2]?.state).toBe('succeeded')
})

const HOSTILE = '</text><script>alert(1)</script>"\'&]]>\u0000\u202e\ud800 `${x}` %% end\nclick n0 href "x"'

test('hostile text stays text in every format', async () => {
  const graph = graphOf([
    { type: 'const', value: HOSTILE, inputs: new Map() },
    { type: 'input', name: HOSTILE, inputs: new Map() },
    call(HOSTILE, { [HOSTILE]: { node: 0, port: 'value' }, b: { node: 1, port: HOSTILE } }),
    { type: 'output', inputs: new Map([[HOSTILE, { node: 2, port: HOSTILE }]]) },
  ])
  const { svg } = await drawGraph(graph, { title: HOSTILE })
  checkXml(svg)
  expect(svg).not.toContain('<script')
  expect(svg).not.toMatch(/[\u0000\u202e]|\p{Surrogate}/u)
  const mermaid = graphMermaid(graph)
  for (const line of mermaid.trimEnd().split('\n').slice(1))
    expect(line).toMatch(/^ {2}n\d+(?:\S{1,2}"[^"<`%]*(?:<br\/>[^"<`%]*)*"\S{1,2}| -- "[^"<`%]*" --> n\d+)$/)
  expect(JSON.parse(JSON.stringify(graphJson(graph))).nodes).toHaveLength(4)
})

test('text of XML: what it has no place for becomes U+FFFD, line breaks spaces', () => {
  expect(xmlText('a<b>&"\'\n\u0007\ud83d\u{1f600}')).toBe('a&lt;b&gt;&amp;&quot;&#39; \ufffd\ufffd\u{1f600}')
})

test.each([
  ['an int', 5n, '5'],
  ['a float', 1, '1.0'],
  ['a big int', 10n ** 40n, 'a big integer'],
  ['a long text', 'x'.repeat(1e6), `"${'x'.repeat(26)}…`],
  ['a long list', Array.from({ length: 40 }, () => 1n), 'list of 40'],
  ['an object of lists', new Map([['a', [1n]]]), 'object of 1 key'],
  ['bytes', new Uint8Array(3), '3 bytes'],
])('%s in one short line', (_name, value, text) => {
  expect(valueText(value)).toBe(text)
})

test('bodies that are too much are named instead, outer ones first', () => {
  const graph = fixture('eval-deep')
  const depth = (one: ReturnType<typeof graphJson> | undefined): number =>
    one === undefined ? 0 : 1 + Math.max(0, ...one.nodes.map(({ body }) => depth(body)))
  expect(depth(graphJson(graph))).toBe(6)
  expect(depth(graphJson(graph, { maxNodes: 20 }))).toBe(3)
  expect(depth(graphJson(graph, { expand: false }))).toBe(1)
  expect(graphJson(graph, { expand: false }).nodes[2]?.body_note).toBe('graph of 6 nodes')
})

test('cycles and edges from nowhere are drawn as far as they can be', async () => {
  const graph = graphOf([
    call('a.b', { x: { node: 1, port: 'value' }, y: { node: 9, port: 'value' }, z: { node: 0, port: 'value' } }),
    call('a.c', { x: { node: 0, port: 'value' } }),
    { type: 'output', inputs: new Map([['value', { node: 1, port: 'value' }]]) },
  ])
  const { svg } = await drawGraph(graph)
  expect(svg.match(/class="ed value"/g)).toHaveLength(4)
  expect(graphJson(graph).edges).toHaveLength(4)
})

test('an empty graph is an empty picture', async () => {
  expect((await drawGraph(graphOf([]))).svg).toContain('<desc id="dg-desc">0 nodes')
})

test('above 5000 nodes a picture is refused, the other formats are not', async () => {
  const graph = graphOf(Array.from({ length: 5_001 }, (_, k) => call('a.b', k === 0 ? {} : { x: { node: k - 1, port: 'value' } })))
  await expect(drawGraph(graph)).rejects.toThrow('cannot draw a graph of 5001 nodes')
  expect(graphMermaid(graph).split('\n')).toHaveLength(10_003)
})
