import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, list } from '../../src/workflow/builder/port-type.ts'
import { intTask } from './call-home.ts'
import { RunHome, textOutputs } from './run-fixture.ts'

const inc = intTask('w.inc')
const rules = [{ cache: true }]

function incremented() {
  const g = graph({ x: int })
  return g.output({ value: g.call(inc, { x: g.inputs.x }) })
}

function writeWorker(home: RunHome, by = 1): void {
  home.worker('w', { inc: `printf %s $(($input_x_value + ${by})) >"$output_value_file"` })
}

async function outputs(home: RunHome, inputs: Readonly<Record<string, string>>, layout: 'drover' | 'tierkreis' = 'drover') {
  const end = await (await home.start(incremented(), { inputs, rules, layout })).ended
  return [textOutputs(end)['value'], home.calls().length]
}

test('the same inputs: no second call; other inputs, or other code of the worker: a call', async () => {
  using home = new RunHome()
  writeWorker(home)
  expect(await outputs(home, { x: '1' })).toEqual(['2', 1])
  expect(await outputs(home, { x: '1' })).toEqual(['2', 1])
  expect(await outputs(home, { x: '1' }, 'tierkreis')).toEqual(['2', 1])
  expect(await outputs(home, { x: '5' })).toEqual(['6', 2])
  writeWorker(home, 10)
  expect(await outputs(home, { x: '1' })).toEqual(['11', 3])
  writeWorker(home)
  expect(await outputs(home, { x: '1' })).toEqual(['2', 3])
})

test('not asked for: a call each time', async () => {
  using home = new RunHome()
  writeWorker(home)
  for (const _ of [1, 2]) await (await home.start(incremented(), { inputs: { x: '1' } })).ended
  expect(home.calls().length).toBe(2)
})

test('runs side by side, and calls of one run', async () => {
  using home = new RunHome()
  writeWorker(home)
  const body = incremented()
  const g = graph({ xs: list(int) })
  const workflow = g.output({ values: g.map(body, { x: g.inputs.xs }) })
  const xs = JSON.stringify(Array.from({ length: 30 }, (_, k) => k % 5))
  const start = async () => textOutputs(await (await home.start(workflow, { inputs: { xs }, rules })).ended)
  const all = await Promise.all([start(), start(), start(), start()])
  const [first] = all
  expect(all).toEqual([first, first, first, first])
  expect(JSON.parse(first?.['values'] ?? '')).toEqual(Array.from({ length: 30 }, (_, k) => (k % 5) + 1))
  const before = home.calls().length
  expect(await start()).toEqual(first)
  expect(home.calls().length).toBe(before)
})

test('a call that failed is not kept', async () => {
  using home = new RunHome()
  home.worker('w', { inc: 'exit 1' })
  for (const _ of [1, 2]) expect((await (await home.start(incremented(), { inputs: { x: '1' }, rules })).ended).state).toBe('failed')
  expect(home.calls().length).toBe(2)
})

test('a result that cannot be taken whole: a call, which finds nothing of it', async () => {
  using home = new RunHome()
  writeWorker(home)
  expect(await outputs(home, { x: '1' })).toEqual(['2', 1])
  const cache = join(home.workflows.runs, '.cache')
  const kept = join(cache, readdirSync(cache)[0] ?? '')
  writeFileSync(join(kept, 'left'), 'over')
  mkdirSync(join(kept, 'no-file'))
  const run = await home.start(incremented(), { id: 'r', inputs: { x: '1' }, rules })
  expect(textOutputs(await run.ended)).toEqual({ value: '2' })
  const loc = home.calls()[1] ?? ''
  expect(readdirSync(join(home.workflows.runs, 'r', loc, 'outputs'))).toEqual(['value'])
})

test('drover prune --workflow-cache: all, or what was not used for a time', async () => {
  using home = new RunHome()
  writeWorker(home)
  const prune = async (...flags: readonly string[]) => (await home.drover('prune', '--workflow-cache', ...flags)).stdout
  expect(await prune()).toBe('removed 0 cached results, 0 B\n')
  for (const x of ['1', '20']) await outputs(home, { x })
  const cache = join(home.workflows.runs, '.cache')
  for (const name of readdirSync(cache)) utimesSync(join(cache, name), 1_000_000, 1_000_000)
  // Taken again: used just now.
  expect(await outputs(home, { x: '20' })).toEqual(['21', 2])
  expect(await prune('--older-than', '30d', '--dry-run')).toBe('would remove 1 cached result, 1 B\n')
  expect(JSON.parse(await prune('--older-than', '30d', '-o', 'json'))).toEqual({
    removed: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    bytes: 1,
    warnings: [],
  })
  expect(await outputs(home, { x: '20' })).toEqual(['21', 2])
  expect(await outputs(home, { x: '1' })).toEqual(['2', 3])
  expect(await prune()).toBe('removed 2 cached results, 3 B\n')
  expect(readdirSync(cache)).toEqual([])
  expect(await outputs(home, { x: '20' })).toEqual(['21', 4])
})
