import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { processesOf } from '../conformance/local-home.ts'
import { endOf, RunHome } from './run-fixture.ts'

test('a terminal that is closed leaves the run in the background; its call runs once', async () => {
  using home = new RunHome()
  home.worker('w', { wait: 'while [ ! -e "$LEDGER.go" ]; do sleep 0.05; done; printf %s "$input_x_value" >"$output_value_file"' })
  const g = graph({})
  const path = join(home.base, 'graph.json')
  writeFileSync(path, g.output({ a: g.call(task('w.wait', { x: int }, { value: int }), { x: 1 }) }).toText())
  const child = home.spawn('workflow', 'run', path, '--registry', home.registry, '--id', 'r')
  const ended = endOf(child)
  await until('the call to begin', 20_000, () => home.calls().length === 1)
  // Both the shell and the kernel may say it.
  child.kill('SIGHUP')
  child.kill('SIGHUP')
  expect((await ended).code).toBe(129)
  writeFileSync(`${home.ledgerPath}.go`, '')
  await until('it to end', 20_000, async () => (await home.workflows.summary('r')).state === 'succeeded')
  expect(home.calls().length).toBe(1)
  await until('the controller to leave', 20_000, () => processesOf(home.base).length === 0)
})
