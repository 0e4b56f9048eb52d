import { expect, test } from 'vitest'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, list } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import type { NodeView } from '../../src/workflow/run/inspect-run.ts'
import { RunHome } from './run-fixture.ts'

const call = (name: string) => task(`w.${name}`, { x: int }, { value: int })

/** The task `work` for each element of a list. */
function mapOf(name: string) {
  const one = graph({ x: int })
  const body = one.output(one.call(call(name), { x: one.inputs.x }))
  const all = graph({ xs: list(int) })
  return all.output({ values: all.map(body, { x: all.inputs.xs }) })
}

function statesOf(nodes: readonly NodeView[]): Readonly<Record<string, string>> {
  return Object.fromEntries(nodes.flatMap(({ loc, state, inner }) => [[loc, state], ...Object.entries(statesOf(inner))]))
}

const WORK = 'if [ "$input_x_value" = 1 ]; then exit 3; fi; sleep 60 & wait; printf 1 > "$output_value_file"'

test('what a failure has ended is cancelled, what it has kept from starting skipped', async () => {
  using home = new RunHome()
  home.worker('w', { work: `until [ "$(grep -c '^b' "$LEDGER")" = 2 ]; do sleep 0.02; done; ${WORK}` })
  const run = await home.start(mapOf('work'), { inputs: { xs: '[0, 1, 2]' }, executors: home.shell(2), onFailure: 'cancel' })
  expect((await run.ended).state).toBe('failed')
  const { nodes } = home.workflows.inspect(run.id)
  expect(statesOf(nodes)).toEqual({
    '-.N2': 'succeeded',
    '-.N3': 'failed',
    '-.N3.M0': 'cancelled',
    '-.N3.M0.N1': 'cancelled',
    '-.N3.M0.N2': 'skipped',
    '-.N3.M1': 'failed',
    '-.N3.M1.N1': 'failed',
    '-.N3.M1.N2': 'skipped',
    '-.N3.M2': 'skipped',
    '-.N3.M2.N1': 'skipped',
    '-.N3.M2.N2': 'skipped',
    '-.N4': 'skipped',
    '-.N5': 'skipped',
  })
})

test('in a run that was cancelled nothing runs', async () => {
  using home = new RunHome()
  home.worker('w', { work: WORK })
  const run = await home.start(mapOf('work'), { inputs: { xs: '[0]' } })
  await expect.poll(() => home.calls(), { timeout: 20_000 }).toEqual(['-.N3.M0.N1'])
  expect(statesOf(home.workflows.inspect(run.id).nodes)['-.N3.M0.N1']).toBe('running')
  run.cancel('a test')
  expect((await run.ended).state).toBe('cancelled')
  const { nodes } = home.workflows.inspect(run.id)
  expect(statesOf(nodes)).toMatchObject({ '-.N3': 'cancelled', '-.N3.M0': 'cancelled', '-.N3.M0.N1': 'cancelled', '-.N4': 'skipped' })
  const [node] = nodes.find(({ loc }) => loc === '-.N3')?.inner[0]?.inner ?? []
  expect(node?.ended_at).not.toBeNull()
})
