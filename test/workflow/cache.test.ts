import { expect, test } from 'vitest'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, list } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { RunHome, textOutputs } from './run-fixture.ts'

const inc = task('w.inc', { x: int }, { value: int })
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
