import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { runPaths } from '../../src/workflow/run/run-directory.ts'
import { RunHome, textOutputs } from './run-fixture.ts'

function sum() {
  const g = graph({ x: int })
  return g.output({ y: g.call(builtins.iadd, { a: g.inputs.x, b: 1 }) })
}

test('a damaged or copied directory keeps nobody from the other runs, and is named when it is asked for', async () => {
  using home = new RunHome()
  for (const id of ['good', 'bad']) await (await home.start(sum(), { id, inputs: { x: '1' } })).ended
  const { description } = runPaths(home.workflows.runs, 'bad')
  writeFileSync(description, 'garbage')
  cpSync(join(home.workflows.runs, 'good'), join(home.workflows.runs, 'copy'), { recursive: true })
  expect((await home.workflows.list()).map(({ id }) => id)).toEqual(['good'])
  expect(() => home.workflows.describe('bad')).toThrow(`${description} is damaged`)
  expect(() => home.workflows.describe('copy')).toThrow('is of the run "good"')
  expect(home.workflows.describe('last').id).toBe('good')
})

test('a run that cannot be made leaves nothing, and its id is free', async () => {
  using home = new RunHome()
  const wrong = { x: { path: home.base } }
  await expect(home.start(sum(), { id: 'r', inputs: wrong })).rejects.toThrow(`cannot read ${home.base}, given for input "x"`)
  expect(existsSync(join(home.workflows.runs, 'r'))).toBe(false)
  expect((await (await home.start(sum(), { id: 'r', inputs: { x: '1' } })).ended).state).toBe('succeeded')
})

test('no room for runs: the message names the directory and says what to do', async () => {
  using home = new RunHome()
  writeFileSync(home.workflows.runs, '')
  await expect(home.start(sum(), { id: 'r', inputs: { x: '1' } })).rejects.toMatchObject({
    code: 'store_unusable',
    message: expect.stringContaining(`cannot make the run "r" in ${join(home.workflows.runs, 'r')}`),
    details: { hint: expect.stringContaining('DROVER_HOME') },
  })
})

test('checkpoints below a file: the run is not begun, and says why', async () => {
  using home = new RunHome()
  const checkpoints = join(home.ledgerPath, 'checkpoints')
  await expect(home.start(sum(), { id: 'r', inputs: { x: '1' }, checkpoints })).rejects.toThrow(
    'the run r stopped: its files cannot be written: a part of the path is not a directory',
  )
})

test('a directory that a killed command left without a run is told apart from a run', async () => {
  using home = new RunHome()
  const directory = join(home.workflows.runs, 'r')
  mkdirSync(directory, { recursive: true })
  await expect(home.start(sum(), { id: 'r', inputs: { x: '1' } })).rejects.toThrow(`${directory} already, of a run that never began`)
})

test('an end that cannot be noted beside the journal is an end', async () => {
  using home = new RunHome()
  home.worker('w', { wait: 'while [ ! -e "$LEDGER.go" ]; do sleep 0.05; done; printf 1 >"$output_value_file"' })
  const g = graph({})
  const run = await home.start(g.output({ a: g.call(task('w.wait', { x: int }, { value: int }), { x: 1 }) }), { id: 'r' })
  await until('the call to begin', 20_000, () => home.calls().length === 1)
  const { end } = runPaths(home.workflows.runs, 'r')
  mkdirSync(join(end, 'in the way'), { recursive: true })
  writeFileSync(`${home.ledgerPath}.go`, '')
  expect(textOutputs(await run.ended)).toEqual({ a: '1' })
  expect((await home.workflows.summary('r')).state).toBe('succeeded')
  rmSync(end, { recursive: true })
  expect((await home.workflows.summary('r')).state).toBe('succeeded')
})
