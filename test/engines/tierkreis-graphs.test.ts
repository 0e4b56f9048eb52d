import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatGraph } from '../../src/workflow/model/graph-codec.ts'
import type { GraphData, GraphNode, PortRef } from '../../src/workflow/model/graph-data.ts'
import type { Value } from '../../src/workflow/values/value.ts'

// Generated graphs: what is written here is what real Tierkreis writes after its own builder has put the graph together again.
// DROVER_TIERKREIS_ENV names its environment, as test/engines/tierkreis-env.sh makes it; the form written is that of 2.1.1.

const python = join(process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1', 'bin/python')
const script = fileURLToPath(new URL('./tierkreis-graphs.py', import.meta.url))

const port = fc.constantFrom('value', '*', 'body', 'a', 'é\u2028', 'pred', 'if_true', '')
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.bigInt(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.bigInt(), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('b', 'a', ''), fc.bigInt()).map((entries) => new Map(Object.entries(entries))),
)

function edges(edge: fc.Arbitrary<PortRef>): fc.Arbitrary<ReadonlyMap<string, PortRef>> {
  return fc.array(fc.tuple(port, edge), { maxLength: 4 }).map((entries) => new Map(entries))
}

/** A node at `index` of a list: its edges go back, as the builder demands. */
function nodeAt(index: number): fc.Arbitrary<GraphNode> {
  const edge = fc.record({ node: fc.integer({ min: -1, max: index - 1 }), port })
  const inputs = edges(edge)
  const none = fc.constant(new Map<string, PortRef>())
  // A function that reads the graph's inputs directly would be told by Tierkreis to write them: that is not followed.
  const ofNodes = index === 0 ? none : edges(fc.record({ node: fc.nat(index - 1), port }))
  return fc.oneof(
    fc.record({ type: fc.constant('const' as const), value, inputs: none }),
    fc.record({ type: fc.constant('input' as const), name: port, inputs: none }),
    fc.record({ type: fc.constant('function' as const), functionName: fc.string({ unit: 'grapheme' }), inputs: ofNodes }),
    fc.record({ type: fc.constant('eval' as const), graph: edge, inputs }),
    fc.record({ type: fc.constant('map' as const), body: edge, inputs }),
    fc.record({ type: fc.constant('loop' as const), body: edge, inputs, continuePort: port }),
    fc.record({ type: fc.constantFrom('ifelse' as const, 'eifelse' as const), pred: edge, ifTrue: edge, ifFalse: edge, inputs }),
  )
}

const graphs: fc.Arbitrary<GraphData> = fc
  .integer({ min: 1, max: 10 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => nodeAt(index))))
  .map((nodes) => ({
    nodes,
    fixedInputs: new Map(),
    graphInputs: [...new Set(nodes.flatMap((node) => (node.type === 'input' ? [node.name] : [])))].sort(),
    outputIndex: undefined,
    namedNodes: new Map(),
    nodeMetadata: new Map(),
  }))

/** Tierkreis's `graph_inputs` is a set, whose order changes with every process. */
function withSortedInputs(text: string): string {
  return text.replace(
    /\n {2}"graph_inputs": (\[[^\]]*\])/,
    (_, list: string) => `\n  "graph_inputs": ${JSON.stringify(JSON.parse(list).sort())}`,
  )
}

test('1,000 generated graphs are written as Tierkreis writes them, byte for byte', () => {
  if (!existsSync(python))
    throw new Error(`there is no ${python}: run test/engines/tierkreis-env.sh, or name its directory in DROVER_TIERKREIS_ENV`)
  const texts = fc.sample(graphs, 1_000).map(formatGraph)
  const written: string[] = JSON.parse(
    execFileSync(python, [script], { input: JSON.stringify(texts), encoding: 'utf8', maxBuffer: 1 << 28, stdio: 'pipe' }),
  )
  expect(written).toHaveLength(texts.length)
  for (const [k, text] of texts.entries()) expect(withSortedInputs(written[k]!)).toBe(withSortedInputs(text))
}, 300_000)
