import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { bool, int, list } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { homeWith, intTask } from './call-home.ts'
import { endOf, type RunHome, textOutputs } from './run-fixture.ts'

const inc = intTask('w.inc')

/** Workers that leave a line per call; `fail` fails while a file is there. */
function homeWithWorker(): RunHome {
  return homeWith({
    slow: 'sleep 1.5; printf %s $(($input_x_value + 1)) >"$output_value_file"',
    fail: '[ ! -e "$LEDGER.fail" ] || { echo no >&2; exit 3; }; printf %s $(($input_x_value + 1)) >"$output_value_file"',
  })
}

async function rerun(home: RunHome, id: string, ...locs: readonly string[]): Promise<readonly string[]> {
  home.clearLedger()
  const end = await (await home.workflows.retry(id, locs, home.shell())).ended
  expect(end.state).toBe('succeeded')
  return [...home.calls()].sort()
}

function chain() {
  const g = graph({ x: int })
  const a = g.call(inc, { x: g.inputs.x })
  const b = g.call(inc, { x: a })
  const beside = g.call(inc, { x: g.inputs.x })
  return g.output({ c: g.call(inc, { x: b }), beside })
}

function addTwo() {
  const g = graph({ x: int, y: int })
  return g.output({ x: g.call(inc, { x: g.inputs.x }), y: g.call(inc, { x: g.inputs.y }) })
}

/** A map over the elements of another, without a list between them. */
function twoMaps(): string {
  const one = graph({ x: int })
  const body = one.output({ value: one.call(inc, { x: one.inputs.x }) })
  const g = graph({ xs: list(int) })
  const document = JSON.parse(g.output({ values: g.map(body, { x: g.map(body, { x: g.inputs.xs }) }) }).toText())
  const [first, second] = document.nodes.flatMap((node: { type: string }, index: number) => (node.type === 'map' ? [index] : []))
  document.nodes[second].inputs.x = [first, 'value-*']
  return JSON.stringify(document)
}

function countTo3() {
  const b = graph({ n: int, other: int })
  const n = b.call(inc, { x: b.inputs.n })
  const other = b.call(inc, { x: b.inputs.other })
  const body = b.output({ n, other, should_continue: b.call(builtins.igt, { a: 3, b: n }) })
  const g = graph({})
  const looped = g.loop(body, { n: 0, other: 10 })
  return g.output({ n: looped.n, other: looped.other, apart: g.call(inc, { x: 7 }) })
}

describe.each(['drover', 'tierkreis'] as const)('layout %s', (layout) => {
  test('a chain: the node, what comes after it, and nothing beside', async () => {
    using home = homeWithWorker()
    const end = await (await home.start(chain(), { id: 'r', layout, inputs: { x: '1' } })).ended
    expect(textOutputs(end)).toEqual({ c: '4', beside: '2' })
    expect(home.calls().length).toBe(4)
    // Nodes are numbered as they were added: x, a, b, the one beside, c.
    const [, b = '', , c = ''] = [...home.calls()].sort()
    expect(await rerun(home, 'r', b)).toEqual([b, c])
    const files = readdirSync(join(home.workflows.runs, 'r', b))
    expect(files).toContain('attempts')
    expect(readdirSync(join(home.workflows.runs, 'r', b, 'attempts'))).toEqual(['1'])
    expect(files.includes('nodedef')).toBe(layout === 'tierkreis')
  })

  test('an eval: inside it only what depends on that input', async () => {
    using home = homeWithWorker()
    const g = graph({})
    const x = g.call(inc, { x: 1 })
    const y = g.call(inc, { x: 2 })
    const sums = g.eval(addTwo(), { x, y })
    const workflow = g.output({ x: g.call(inc, { x: sums.x }), y: g.call(inc, { x: sums.y }) })
    await (await home.start(workflow, { id: 'r', layout })).ended
    const calls = home.calls()
    expect(calls.length).toBe(6)
    const outer = calls.filter((loc) => loc.split('.').length === 2).sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    expect((await rerun(home, 'r', outer[0] ?? '')).length).toBe(3)
    expect((await rerun(home, 'r', calls.find((loc) => loc.split('.').length === 3) ?? '')).length).toBe(2)
    // The eval itself: all in it, and what reads it.
    const evaluated = (calls.find((loc) => loc.split('.').length === 3) ?? '').replace(/\.N\d+$/, '')
    expect((await rerun(home, 'r', evaluated)).length).toBe(4)
  })

  test('an element of a map, and what is made from it in the next map', async () => {
    using home = homeWithWorker()
    const end = await (await home.start(twoMaps(), { id: 'r', layout, inputs: { xs: '[1, 2, 3, 4]' } })).ended
    expect(textOutputs(end)['values']?.replace(/\s/g, '')).toBe('[3,4,5,6]')
    const calls = [...home.calls()].sort()
    const second = calls.filter((loc) => loc.includes('.M2.'))
    expect(second.length).toBe(2)
    const [first = ''] = home.calls().filter((loc) => loc.includes('.M2.'))
    expect(await rerun(home, 'r', first)).toEqual(second)
    // The element, as the tree shows it.
    expect(await rerun(home, 'r', first.replace(/\.N\d+$/, ''))).toEqual(second)
    // The whole map.
    expect(await rerun(home, 'r', first.replace(/\.M.*$/, ''))).toEqual(calls)
  })

  test('an iteration of a loop: it and those after it, not those before', async () => {
    using home = homeWithWorker()
    await (await home.start(countTo3(), { id: 'r', layout })).ended
    const calls = home.calls()
    expect(calls.length).toBe(7)
    const inSecond = calls.filter((loc) => loc.includes('.L1.')).sort((a, b) => Number(a.split('.N').at(-1)) - Number(b.split('.N').at(-1)))
    const [counter = '', other = ''] = inSecond
    // What the loop counts by decides whether there is a third iteration at all.
    expect(await rerun(home, 'r', counter)).toEqual([counter, ...calls.filter((loc) => loc.includes('.L2.'))].sort())
    expect(await rerun(home, 'r', other)).toEqual([other, other.replace('.L1.', '.L2.')].sort())
  })

  test('a branch that was taken because of what was run again', async () => {
    using home = homeWithWorker()
    writeFileSync(join(home.base, 'answer'), 'true')
    home.worker('q', { ask: 'cat "${LEDGER%ledger}answer" >"$output_value_file"' })
    const g = graph({})
    const answer = g.call(task('q.ask', {}, { value: bool }), {})
    const chosen = g.ifElse(answer, g.call(inc, { x: 1 }), g.call(inc, { x: 10 }))
    const workflow = g.output({ value: g.call(inc, { x: chosen }) })
    expect(textOutputs(await (await home.start(workflow, { id: 'r', layout })).ended)).toEqual({ value: '3' })
    const asked = home.ledger().find((line) => line.task === 'ask')?.loc ?? ''
    writeFileSync(join(home.base, 'answer'), 'false')
    home.clearLedger()
    const end = await (await home.workflows.retry('r', [asked], home.shell())).ended
    // The other branch, and what had read the first one.
    expect(textOutputs(end)).toEqual({ value: '12' })
    expect(home.calls().length).toBe(3)
  })

  test('without a node: those that failed, once the cause is mended; a second failure does not hold up a first', async () => {
    using home = homeWithWorker()
    writeFileSync(`${home.ledgerPath}.fail`, '')
    const fail = intTask('w.fail')
    const g = graph({})
    const fine = g.call(inc, { x: 5 })
    const workflow = g.output({ a: g.call(fail, { x: 1 }), b: g.call(fail, { x: 2 }), fine })
    const end = await (await home.start(workflow, { id: 'r', layout, onFailure: 'continue' })).ended
    expect(end.failed.map(({ cause, exit_code }) => [cause, exit_code])).toEqual([
      ['exit', 3],
      ['exit', 3],
    ])
    rmSync(`${home.ledgerPath}.fail`)
    const [first = '', second = ''] = end.failed.map(({ node }) => node)
    home.clearLedger()
    const half = await (await home.workflows.retry('r', [first], home.shell())).ended
    expect([half.state, half.failed.map(({ node }) => node), home.calls()]).toEqual(['failed', [second], [first]])
    expect(await rerun(home, 'r')).toEqual([second])
    expect(textOutputs(await outputsOf(home, 'r'))).toEqual({ a: '2', b: '3', fine: '6' })
    if (layout === 'tierkreis') expect(existsSync(join(home.workflows.runs, 'r', '-', '_error'))).toBe(false)
  })
})

async function outputsOf(home: RunHome, id: string) {
  const { outputs } = home.workflows.inspect(id)
  return { id, state: 'succeeded', outputs, failed: [] } as const
}

test('finish: with two failures from before, the one that is named has its turn', async () => {
  using home = homeWithWorker()
  writeFileSync(`${home.ledgerPath}.fail`, '')
  const fail = intTask('w.fail')
  const g = graph({})
  const workflow = g.output({ a: g.call(fail, { x: 1 }), b: g.call(fail, { x: 2 }) })
  const end = await (await home.start(workflow, { id: 'r' })).ended
  expect(end.failed.length).toBe(2)
  rmSync(`${home.ledgerPath}.fail`)
  for (const { node } of end.failed) {
    home.clearLedger()
    await (await home.workflows.retry('r', [node], home.shell())).ended
    expect(home.calls()).toEqual([node])
  }
  expect((await home.workflows.summary('r')).state).toBe('succeeded')
})

test('a controller killed in the middle of a retry: the call that it had begun is found, none runs twice', async () => {
  using home = homeWithWorker()
  const g = graph({})
  const slow = g.call(intTask('w.slow'), { x: 1 })
  const workflow = g.output({ value: g.call(inc, { x: slow }), other: g.call(inc, { x: 5 }) })
  const path = join(home.base, 'graph.json')
  writeFileSync(path, workflow.toText())
  expect((await home.drover('workflow', 'run', path, '--registry', home.registry, '--id', 'r')).code).toBe(0)
  const node = home.ledger().find((line) => line.task === 'slow')?.loc ?? ''
  home.clearLedger()
  const retrying = home.spawn('workflow', 'retry', 'r', node)
  const ended = endOf(retrying)
  await until('the call to begin', 20_000, () => home.calls().includes(node))
  retrying.kill('SIGKILL')
  await ended
  const resumed = await home.drover('workflow', 'resume', 'r', '-o', 'json')
  expect(JSON.parse(resumed.stdout)).toMatchObject({ state: 'succeeded', outputs: { value: 3, other: 6 } })
  expect(home.calls().length).toBe(2)
  expect(home.calls()[0]).toBe(node)
})

test('what runs with inputs that do not count any more is ended, then run anew', async () => {
  using home = homeWithWorker()
  home.worker('v', { wait: 'while [ ! -e "$LEDGER.go" ]; do sleep 0.05; done; printf %s "$input_x_value" >"$output_value_file"' })
  const g = graph({})
  const first = g.call(inc, { x: 1 })
  const workflow = g.output({ value: g.call(intTask('v.wait'), { x: first }) })
  const run = await home.start(workflow, { id: 'r' })
  await until('the second call to begin', 20_000, () => home.calls().length === 2)
  const [node = ''] = home.calls()
  run.leave()
  expect((await run.ended).state).toBe('left')
  const old = home.ledger().find((line) => line.task === 'wait')?.pid ?? 0
  const retried = await home.workflows.retry('r', [node], home.shell())
  await until('both to be called again', 20_000, () => home.calls().length === 4)
  expect(() => process.kill(old, 0)).toThrow()
  writeFileSync(`${home.ledgerPath}.go`, '')
  expect(textOutputs(await retried.ended)).toEqual({ value: '2' })
})

test('a node that the run has not come to, or that is none: refused', async () => {
  using home = homeWithWorker()
  await (await home.start(chain(), { id: 'r', inputs: { x: '1' } })).ended
  await expect(home.workflows.retry('r', ['-.N99'], home.shell())).rejects.toThrow(/has not come to a node -\.N99/)
  await expect(home.workflows.retry('r', ['x'], home.shell())).rejects.toThrow()
  await expect(home.workflows.retry('r', [], home.shell())).rejects.toThrow(/no node .* has failed/)
  expect((await home.workflows.summary('r')).state).toBe('succeeded')
})
