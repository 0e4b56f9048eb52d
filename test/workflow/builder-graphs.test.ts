import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { collatz } from '../../examples/workflow.ts'
import { createMemoryExecutor } from '../../src/workers/memory/memory-executor.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { localTask, localWorker } from '../../src/workflow/builder/local-task.ts'
import { partial } from '../../src/workflow/builder/partial.ts'
import { int, list, str } from '../../src/workflow/builder/port-type.ts'
import { parseGraph, readGraph } from '../../src/workflow/model/graph-codec.ts'
import { readValue } from '../../src/workflow/values/codec.ts'
import { BUILDER_GRAPHS } from './builder-graphs.ts'
import { runInEngine } from './run-in-engine.ts'

// The golden texts were loaded and run by real Tierkreis, which gave outputs.json: test/engines/tierkreis-builder.test.ts does it again.
const FIXTURES = new URL('../fixtures/tierkreis/builder/', import.meta.url)
const recorded: unknown = JSON.parse(readFileSync(new URL('outputs.json', FIXTURES), 'utf8'))

/** As the last release writes it: the outputs of a nested graph are not in the order of its file. */
const canonical = (outputs: Readonly<Record<string, string>>): unknown =>
  Object.entries(outputs).map(([port, text]) => [port, port === 'f' ? readGraph(readValue(Buffer.from(text))) : text])

describe.each(BUILDER_GRAPHS)('$name', ({ name, workflow, inputs }) => {
  test('the text is the one that Tierkreis was given', () => {
    const file = new URL(`${name}.json`, FIXTURES)
    if (!existsSync(file) && process.env['DROVER_WRITE_FIXTURES']) writeFileSync(file, `${workflow.toText()}\n`)
    expect(`${workflow.toText()}\n`).toBe(readFileSync(file, 'utf8'))
  })

  test('it gives what it gave there, as text read back too', async () => {
    const outputs = Reflect.get(recorded as object, name)
    expect(outputs).toBeDefined()
    expect(canonical(await runInEngine(workflow.toGraphData(), inputs))).toEqual(canonical(outputs))
    expect(canonical(await runInEngine(parseGraph(workflow.toText()), inputs))).toEqual(canonical(outputs))
  })
})

// What only Drover runs.
describe('partial application', () => {
  const p = graph({ base: int, exponent: int })
  const power = p.output(p.call(builtins.ipow, { a: p.inputs.base, b: p.inputs.exponent }))

  test('with a value of the run, as the body of an eval and of a map', async () => {
    const g = graph({ xs: list(int), n: int })
    const body = g.partial(power, { exponent: g.call(builtins.iadd, { a: g.inputs.n, b: 1 }) })
    const workflow = g.output({ one: g.eval(body, { base: 5 }), all: g.map(body, { base: g.inputs.xs }) })
    const outputs = await runInEngine(workflow.toGraphData(), { xs: '[1, 2, 3]', n: '1' })
    expect(outputs).toEqual({ one: '25', all: '[\n  1,\n  4,\n  9\n]' })
  })
  test('with values that stand beside the graph, kept by its file', async () => {
    const cube = parseGraph(partial(power, { exponent: 3 }, { as: 'fixed_values' }).toText())
    expect(await runInEngine(cube, { base: '2' })).toEqual({ value: '8' })
  })
})

describe('local tasks', () => {
  const shout = localTask('shout', { text: str, times: int }, { value: str }, async ({ text, times }) =>
    text.toUpperCase().repeat(Number(times)),
  )
  const b = graph({ text: str })
  const body = b.output(b.call(shout, { text: b.inputs.text, times: 2 }))
  const g = graph({ texts: list(str) })
  const workflow = g.output(g.map(body, { text: g.inputs.texts }))

  test('run as nodes of the graph', async () => {
    const outputs = await runInEngine(workflow.toGraphData(), { texts: '["a", "b"]' }, workflow.localTasks)
    expect(outputs).toEqual({ value: '[\n  "AA",\n  "BB"\n]' })
  })
  test('are a worker of the executor in memory', async () => {
    const executor = createMemoryExecutor({ workers: [localWorker(workflow.localTasks)] })
    expect(await executor.check('local', [{ task: 'shout', inputs: ['text', 'times'], outputs: ['value'] }])).toBeUndefined()
    expect(await executor.check('local', [{ task: 'whisper', inputs: [], outputs: [] }])).toContain('has no task "whisper"')
    const inputs = new Map([
      ['text', Buffer.from('"a"')],
      ['times', Buffer.from('3')],
    ])
    const call = { runId: 'r', loc: '-.N0', worker: 'local', task: 'shout', attempt: 1, inputs }
    expect(await executor.invoke(call, { signal: AbortSignal.timeout(5_000) })).toEqual(new Map([['value', 'AAA']]))
  })
})

test('examples/workflow.ts', async () => {
  const outputs = await runInEngine(collatz.toGraphData(), { numbers: '[6, 7, 27]' })
  expect(outputs).toEqual({ steps: '[\n  8,\n  16,\n  111\n]', most: '111' })
})
