import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { runPaths } from '../../src/workflow/run/run-directory.ts'
import { processesOf } from '../conformance/local-home.ts'
import { intTask, nothingLives } from './call-home.ts'
import { type CommandEnd, endOf, RunHome, textOutputs } from './run-fixture.ts'

const wait = intTask('w.wait')

/** Two calls that wait for a file, side by side; a third after them. Each has a child of its own. */
function homeThatWaits(): { readonly home: RunHome; readonly path: string } {
  const home = new RunHome()
  home.worker('w', {
    wait: 'sleep 300 & while [ ! -e "$LEDGER.go" ]; do sleep 0.05; done; kill $!; printf %s "$input_x_value" >"$output_value_file"',
  })
  const g = graph({})
  const first = g.call(wait, { x: 1 })
  const path = join(home.base, 'graph.json')
  writeFileSync(path, g.output({ a: first, b: g.call(wait, { x: 2 }), c: g.call(wait, { x: first }) }).toText())
  return { home, path }
}

/** Runs them, until the two calls have begun. */
async function begin(home: RunHome, path: string): Promise<{ readonly child: ChildProcess; readonly ended: Promise<CommandEnd> }> {
  const child = home.spawn('workflow', 'run', path, '--registry', home.registry, '--id', 'r', '-j', '4')
  const ended = endOf(child)
  await until('two calls to begin', 20_000, () => home.calls().length === 2)
  return { child, ended }
}

test('Ctrl-C leaves the run in the background, where it goes on to its end', async () => {
  const { home, path } = homeThatWaits()
  using _ = home
  const { child, ended } = await begin(home, path)
  child.kill('SIGINT')
  const { code, stderr } = await ended
  expect(code).toBe(130)
  expect(stderr).toContain('goes on in the background')
  await until('another process to take it up', 20_000, async () => (await home.workflows.summary('r')).state === 'running')
  const shown = JSON.parse((await home.drover('workflow', 'show', 'r', '-o', 'json')).stdout)
  expect(shown.state).toBe('running')
  // A second controller is refused: it runs already.
  const second = await home.drover('workflow', 'resume', 'r')
  expect([second.code, second.stderr]).toEqual([expect.any(Number), expect.stringMatching(/is controlled by process \d+/)])
  expect(second.code).not.toBe(0)
  writeFileSync(`${home.ledgerPath}.go`, '')
  await until('it to end', 20_000, async () => (await home.workflows.summary('r')).state === 'succeeded')
  // Those that ran were found again.
  expect(home.calls().length).toBe(3)
  const resumed = await home.drover('workflow', 'resume', 'r')
  expect(resumed.stderr).toContain('has ended: it succeeded')
  await until('the controller to leave', 20_000, () => processesOf(home.base).length === 0)
})

test('a run that is left while its first calls are being started has no failed node: resumed, each runs once', async () => {
  const { home, path } = homeThatWaits()
  using _ = home
  writeFileSync(`${home.ledgerPath}.go`, '')
  const text = readFileSync(path, 'utf8')
  for (let turns = 0; turns < 12; turns++) {
    home.clearLedger()
    const id = `left-${turns}`
    const run = await home.start(text, { id })
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    run.leave()
    const { state, failed } = await run.ended
    expect({ turns, failed, isWell: state === 'left' || state === 'succeeded' }).toEqual({ turns, failed: [], isWell: true })
    if (state === 'succeeded') continue
    const resumed = await (await home.workflows.resume(id, home.shell())).ended
    expect(textOutputs(resumed)).toEqual({ a: '1', b: '2', c: '1' })
    expect(home.calls().toSorted()).toEqual(['-.N1', '-.N3', '-.N4'])
  }
})

test('cancel from another process ends the calls, their groups and all', async () => {
  const { home, path } = homeThatWaits()
  using _ = home
  const { ended } = await begin(home, path)
  const cancelled = await home.drover('workflow', 'cancel', 'r')
  expect([cancelled.code, cancelled.stdout]).toEqual([0, 'r cancelled\n'])
  expect((await ended).code).toBe(130)
  await nothingLives(home)
  const again = await home.drover('workflow', 'cancel', 'r')
  expect(again.stderr).toContain('has ended: cancelled')
  // What was ended has no result: a retry calls it anew, and does not take its end for one.
  writeFileSync(`${home.ledgerPath}.go`, '')
  const [node = ''] = home.calls()
  const retried = await home.drover('workflow', 'retry', 'r', node, '-o', 'json')
  expect(JSON.parse(retried.stdout)).toMatchObject({ state: 'succeeded', outputs: { a: 1, b: 2, c: 1 } })
})

test('cancel of a run whose controller was killed ends the calls that it left running', async () => {
  const { home, path } = homeThatWaits()
  using _ = home
  const { child, ended } = await begin(home, path)
  child.kill('SIGKILL')
  await ended
  expect((await home.workflows.summary('r')).state).toBe('interrupted')
  expect(processesOf(home.base).length).toBeGreaterThan(0)
  const cancelled = await home.drover('workflow', 'cancel', 'r')
  expect([cancelled.code, cancelled.stdout]).toEqual([0, 'r cancelled\n'])
  await nothingLives(home)
  expect(home.calls().length).toBe(2)
  expect((await home.workflows.summary('r')).state).toBe('cancelled')
})

test('a cancel that a dying controller did not heed holds for the next one', async () => {
  const { home, path } = homeThatWaits()
  using _ = home
  const { child, ended } = await begin(home, path)
  child.kill('SIGSTOP')
  expect(await home.workflows.requestCancel('r', 'a test')).toBe(true)
  child.kill('SIGKILL')
  await ended
  const resumed = await home.drover('workflow', 'resume', 'r', '-o', 'json')
  expect(JSON.parse(resumed.stdout)).toMatchObject({ state: 'cancelled' })
  expect(existsSync(runPaths(home.workflows.runs, 'r').cancel)).toBe(false)
  await nothingLives(home)
})
