import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileHeldAgent, compileHeldStep, type HeldAgentOptions } from '../../src/driver/held-agent-script.ts'
import { heldPaths } from '../../src/driver/held-paths.ts'
import { until } from '../../src/testing/index.ts'
import { TEST_DIRECTORY } from '../conformance/local-home.ts'

let base: string
let children: ChildProcess[]
beforeEach(() => {
  base = mkdtempSync(join(process.env[TEST_DIRECTORY] ?? tmpdir(), 'agent-'))
  children = []
  mkdirSync(join(base, 'cluster'))
  for (const path of [heldPaths.commands, heldPaths.events, heldPaths.nodes]) writeFileSync(join(base, path), '')
})
afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  rmSync(base, { recursive: true, force: true, maxRetries: 5 })
})

const read = (path: string): string => readFileSync(join(base, path), 'utf8')
const events = (): readonly string[] =>
  read(heldPaths.events)
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\d+ /, '').replaceAll(`${base}/`, ''))
const command = (text: string): void => appendFileSync(join(base, heldPaths.commands), text)

/** An attempt directory whose `held.sh` is this. */
function attempt(name: string, script: string): string {
  const directory = join(base, name)
  mkdirSync(join(directory, 'logs'), { recursive: true })
  writeFileSync(join(directory, heldPaths.start), script)
  writeFileSync(join(directory, heldPaths.stop), '')
  return directory
}

function start(shell: string, script: string): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
  const child = spawn(shell, ['-c', script], {
    env: { PATH: process.env['PATH'], DROVER_ATTEMPT_DIR: base, DROVER_JOB_ID: 'holder', SKYPILOT_USER: 'x' },
    stdio: 'ignore',
  })
  children.push(child)
  return { child, ended: once(child, 'exit').then(([code]) => code as number | null) }
}

const agent = (shell: string, options: Partial<HeldAgentOptions> = {}) =>
  start(shell, compileHeldAgent({ facts: 'echo "node n1 10.0.0.1"', ...options }))

describe.each(['sh', 'bash'])('the agent under %s', (shell) => {
  test('says what its nodes are, starts what is named once, notes how it ended; a line that is not whole waits', async () => {
    const { child } = agent(shell)
    await until('the nodes', 10_000, () => read(heldPaths.nodes) === 'node n1 10.0.0.1\ndrover-end\n')
    attempt('a b', 'echo "$DROVER_JOB_ID$SKYPILOT_USER." >>ran; exit 3')
    attempt('c', 'exit 0')
    command(`start ${base}/a b\nnonsense\nstart ${base}/a b\nstart ${base}/`)
    await until('the first end', 10_000, () => events().includes('ended 3 a b'))
    expect(events()).toEqual(['started a b', 'ended 3 a b'])
    command('c\n')
    await until('the second end', 10_000, () => events().includes('ended 0 c'))
    expect(events().slice(2)).toEqual(['started c', 'ended 0 c'])
    child.kill('SIGTERM')
  })

  test('what is the holder’s own is not that of its jobs', async () => {
    const { child } = agent(shell)
    attempt('a', `env >'${base}/seen'`)
    command(`start ${base}/a\n`)
    await until('its end', 10_000, () => events().includes('ended 0 a'))
    expect(readFileSync(join(base, 'seen'), 'utf8')).not.toMatch(/^(DROVER|SKYPILOT)_/m)
    child.kill('SIGTERM')
  })

  test('TERM: what runs is told so by its file, and waited for', async () => {
    const { child, ended } = agent(shell)
    const directory = attempt('a', `while ! [ -s '${base}/a/stop' ]; do sleep 0.1; done; exit 143`)
    command(`start ${base}/a\n`)
    await until('its start', 10_000, () => events().includes('started a'))
    child.kill('SIGTERM')
    expect(await ended).toBe(143)
    expect(readFileSync(join(directory, heldPaths.stop), 'utf8')).toBe('term\n')
    expect(events()).toEqual(['started a', 'closed', 'ended 143 a'])
  })

  test('ends with 0 after its idle time, and not while something runs', async () => {
    const { ended } = agent(shell, { idleSeconds: 1 })
    attempt('a', 'sleep 3')
    command(`start ${base}/a\n`)
    expect(await ended).toBe(0)
    expect(events()).toEqual(['started a', 'ended 0 a', 'closed'])
  })

  test('nodes that say nothing are no cluster', async () => {
    const { ended } = agent(shell, { facts: 'echo "srun: error"; false' })
    expect(await ended).toBe(93)
    expect(read(heldPaths.nodes)).toBe('')
  })
})

describe.each(['sh', 'bash'])('a step under %s', (shell) => {
  const step = (driver: string) => {
    const directory = attempt('a', '')
    writeFileSync(join(directory, 'driver.sh'), driver)
    return start(shell, compileHeldStep(directory))
  }

  test('ends with the code of its driver', async () => {
    expect(await step('exit 7').ended).toBe(7)
  })

  test('its stop file gives the driver a TERM; a TERM of its own it outlives', async () => {
    const { child, ended } = step(`trap 'echo told >>'"'${base}/told'"'; exit 9' TERM; echo up >'${base}/up'; while :; do sleep 0.1; done`)
    await until('the driver', 10_000, () => existing('up'))
    child.kill('SIGTERM')
    expect(existing('told')).toBe(false)
    appendFileSync(join(base, 'a', heldPaths.stop), 'term\n')
    expect(await ended).toBe(9)
    expect(read('told')).toBe('told\n')
  })

  test('a slot gets TERM only if its number is still its own', async () => {
    const driver = `sh -c 'trap "echo told; exit 0" TERM; while :; do sleep 0.1; done' >'${base}/told' & echo $! >'${base}/slot'; wait $!; wait; exit 0`
    const { ended } = step(driver)
    const pid = await until('the slot', 10_000, () => existing('slot') && read('slot').trim())
    const startTime = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19]
    appendFileSync(join(base, 'a', heldPaths.stop), `slot ${pid} 1\nslot 1 1\n`)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(read('told')).toBe('')
    appendFileSync(join(base, 'a', heldPaths.stop), `slot ${pid} ${startTime}\n`)
    expect(await ended).toBe(0)
    expect(read('told')).toBe('told\n')
  })
})

function existing(path: string): boolean {
  try {
    return read(path) !== ''
  } catch {
    return false
  }
}
