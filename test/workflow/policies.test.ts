import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import type { OnFailure } from '../../src/workflow/run/controller.ts'
import { callOf, homeWith, intTask, nothingLives } from './call-home.ts'
import { endOf, type RunHome, textOutputs } from './run-fixture.ts'

function homeWithWorker(): RunHome {
  return homeWith({
    fail: 'until grep -q "^b long" "$LEDGER"; do sleep 0.02; done; echo "that is wrong" >&2; exit 7',
    long: 'sleep 0.8; printf %s 1 >"$output_value_file"',
    never: 'sleep 300',
    // Fails twice.
    flaky: 'n=$(grep -c "^b flaky $loc " "$LEDGER"); echo "try $n" >&2; [ "$n" -gt 2 ] || exit 5; printf %s "$n" >"$output_value_file"',
  })
}

describe.each(['drover', 'tierkreis'] as const)('layout %s', (layout) => {
  test.each([
    ['finish', ['e fail', 'e long'], 0],
    ['cancel', ['e fail'], 0],
    ['continue', ['e fail', 'e inc', 'e inc', 'e long'], 2],
  ] as const)('on failure %s', async (onFailure: OnFailure, ends, later) => {
    using home = homeWithWorker()
    const g = graph({})
    const failed = g.call(intTask('w.fail'), { x: 1 })
    const long = g.call(intTask('w.long'), { x: 1 })
    const after = g.call(intTask('w.inc'), { x: long })
    const last = g.call(intTask('w.inc'), { x: after })
    const end = await (await home.start(g.output({ a: g.call(intTask('w.inc'), { x: failed }), last }), { id: 'r', layout, onFailure }))
      .ended
    expect([end.state, end.failed.map(({ cause, message, exit_code }) => [cause, message, exit_code])]).toEqual([
      'failed',
      [['exit', 'that is wrong', 7]],
    ])
    expect(
      home
        .ledger()
        .flatMap(({ what, task: name }) => (what === 'e' ? [`e ${name}`] : []))
        .sort(),
    ).toEqual(ends)
    expect(home.ledger().filter(({ task: name }) => name === 'inc').length).toBe(2 * later)
    const states = home.workflows.inspect('r').nodes.flatMap(({ type, name, state }) => (type === 'function' ? [`${name} ${state}`] : []))
    expect(states.filter((state) => state.startsWith('w.inc')).length).toBe(3)
    expect(states).toContain('w.fail failed')
    await nothingLives(home)
  })

  test('a time limit ends the call and its group; it is told as that', async () => {
    using home = homeWithWorker()
    const end = await (await home.start(callOf('w.never'), { id: 'r', layout, rules: [{ timeoutMs: 300 }] })).ended
    expect(end.failed.map(({ cause, message }) => [cause, message])).toEqual([['timeout', expect.stringMatching(/did not end within/)]])
    await nothingLives(home)
  })

  test('retries: each attempt keeps what it left, the last one counts', async () => {
    using home = homeWithWorker()
    const begun = performance.now()
    const rules = [{ match: 'w.*', retries: { max: 3, when: ['exit'] as const, backoffMs: 100 } }]
    const end = await (await home.start(callOf('w.flaky'), { id: 'r', layout, rules })).ended
    expect(textOutputs(end)).toEqual({ value: '3' })
    // 100 ms, then 200 ms.
    expect(performance.now() - begun).toBeGreaterThan(300)
    const [loc = ''] = home.calls()
    expect(home.calls()).toEqual([loc, loc, loc])
    const directory = join(home.workflows.runs, 'r', loc)
    expect(readdirSync(join(directory, 'attempts')).sort()).toEqual(['1', '2'])
    const said = [1, 2].map((attempt) => readFileSync(join(directory, 'attempts', String(attempt), 'errors'), 'utf8'))
    expect(said).toEqual(['try 1\n', 'try 2\n'])
    expect(readdirSync(directory).filter((name) => name.startsWith('_'))).toEqual(['_done'])
    expect(readdirSync(directory).includes('nodedef')).toBe(layout === 'tierkreis')
  })
})

test.each([
  ['a cause that is not named', [{ retries: { max: 3, when: ['timeout'] as const } }], 1],
  ['no rule for this task', [{ match: 'other.*', retries: { max: 3 } }], 1],
  ['a rule for its location', [{ match: '-.N*', retries: { max: 1 } }], 2],
  ['the first rule that has it', [{ match: 'w.flaky', retries: { max: 1 } }, { retries: { max: 5 } }], 2],
  ['any cause', [{ retries: { max: 5 } }], 3],
])('retries: %s', async (_name, rules, calls) => {
  using home = homeWithWorker()
  const end = await (await home.start(callOf('w.flaky'), { rules })).ended
  expect(home.calls().length).toBe(calls)
  expect(end.state).toBe(calls === 3 ? 'succeeded' : 'failed')
})

test.each([
  ['--retries 2', 3],
  ['--retries 2 --retry-when exit,lost --backoff 200ms', 3],
  ['--retries 2 --retry-when timeout', 1],
])('workflow run %s', async (flags, calls) => {
  using home = homeWithWorker()
  const path = join(home.base, 'graph.json')
  writeFileSync(path, callOf('w.flaky').toText())
  const end = await home.drover('workflow', 'run', path, '--registry', home.registry, '--id', 'r', ...flags.split(' '))
  expect([end.code, home.calls().length]).toEqual([calls === 3 ? 0 : 5, calls])
  const waits = readFileSync(join(home.workflows.runs, 'r', 'logs'), 'utf8').match(/the next in \d+ ms/g) ?? []
  const backoffMs = flags.includes('--backoff') ? 200 : 0
  expect(waits).toEqual(calls === 3 ? [`the next in ${backoffMs} ms`, `the next in ${2 * backoffMs} ms`] : [])
})

test('a controller killed after a failure: resume starts nothing more, and waits for what runs', async () => {
  using home = homeWithWorker()
  home.worker('v', {
    wait: 'while [ ! -e "$LEDGER.go" ]; do sleep 0.05; done; printf %s "$input_x_value" >"$output_value_file"',
    fail: 'exit 9',
  })
  const g = graph({})
  const waited = g.call(intTask('v.wait'), { x: 1 })
  const workflow = g.output({ a: g.call(intTask('v.fail'), { x: 1 }), b: g.call(intTask('v.wait'), { x: waited }) })
  const path = join(home.base, 'graph.json')
  writeFileSync(path, workflow.toText())
  const child = home.spawn('workflow', 'run', path, '--registry', home.registry, '--id', 'r', '-j', '4')
  const ended = endOf(child)
  await until('the failure to be known', 20_000, () => {
    const failed = home.ledger().some(({ what, task: name }) => what === 'e' && name === 'fail')
    return failed && home.workflows.inspect('r').nodes.some(({ state }) => state === 'failed')
  })
  child.kill('SIGKILL')
  await ended
  const resuming = home.drover('workflow', 'resume', 'r', '-o', 'json')
  await until('the next controller', 20_000, async () => (await home.workflows.summary('r')).state === 'running')
  writeFileSync(`${home.ledgerPath}.go`, '')
  expect(JSON.parse((await resuming).stdout)).toMatchObject({ state: 'failed', failed: [{ cause: 'exit', exit_code: 9 }] })
  // The one that ran has its end in the journal; the one behind it was not begun.
  expect(
    home
      .ledger()
      .filter(({ task: name }) => name === 'wait')
      .map(({ what }) => what),
  ).toEqual(['b', 'e'])
  expect(home.workflows.inspect('r').nodes.filter(({ name, state }) => name === 'v.wait' && state === 'succeeded').length).toBe(1)
})
