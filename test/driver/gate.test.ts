import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attemptPaths } from '../../src/driver/protocol.ts'
import { until } from '../../src/testing/index.ts'
import { type Attempt, shells, withAttempt } from './attempt-fixture.ts'

/** What the supervisor does, which alone sees every node. */
const open = (attempt: Attempt, word: 'open' | 'stop') => appendFileSync(join(attempt.dir, attemptPaths.gate), `${word}\n`)
const stopAsPeer = (attempt: Attempt) => {
  writeFileSync(join(attempt.dir, attemptPaths.peerMark), '')
  process.kill(attempt.pid, 'SIGTERM')
}
const ready = (attempt: Attempt) => until('setup to be done', 10_000, () => attempt.events('job').some((event) => event.word === 'ready'))

const base = { firstRank: 3, gate: true, setup: 'echo setup $DROVER_NODE_RANK' } as const

describe.each(shells)('a node of several, %s', (_, shell) => {
  test('run waits for the gate', async () => {
    await withAttempt({ ...base, shell, run: 'echo run $DROVER_NODE_RANK' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      expect(attempt.events(3).map((event) => event.word)).not.toContain('script')
      open(attempt, 'open')
      expect(await attempt.end()).toBe(0)
      expect(attempt.read('logs/setup-3.log')).toBe('setup 3\n')
      expect(attempt.read('logs/3.out')).toBe('run 3\n')
      expect(attempt.record(3)).toMatchObject({ rank: 3, code: 0, told: '0', phase: 'run' })
    })
  })

  test('a gate that was opened before is passed at once; without setup there is one as well', async () => {
    await withAttempt({ ...base, shell, run: 'exit 5' }, async (attempt) => {
      open(attempt, 'open')
      expect(await attempt.start().end()).toBe(5)
    })
    const { setup: _, ...bare } = base
    await withAttempt({ ...bare, shell, run: 'exit 6' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      expect(attempt.events(3).map((event) => event.word)).toEqual([])
      open(attempt, 'open')
      expect(await attempt.end()).toBe(6)
    })
    await withAttempt({ ...bare, shell, run: 'echo no' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      open(attempt, 'stop')
      await attempt.end()
      expect(attempt.record(3)).toMatchObject({ code: 0, told: '0', phase: 'setup' })
      expect(attempt.read('logs/3.out')).toBe('')
    })
  })

  test("another node's setup failed: nothing is run, and this setup's record says that it went well", async () => {
    await withAttempt({ ...base, shell, run: 'echo no' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      open(attempt, 'stop')
      await attempt.end()
      expect(attempt.record(3)).toMatchObject({ code: 0, told: '0', phase: 'setup' })
      expect(attempt.read('logs/3.out')).toBe('')
    })
  })

  test.each([
    ['at the gate', 'exec sleep 1000', false],
    ['in run', 'trap "exit 0" TERM; echo up; while :; do sleep 0.02; done', true],
    ['in run, TERM ignored', 'trap "" TERM; echo up; while :; do sleep 0.02; done', true],
  ])("another node's failure ends it as a peer, %s; the driver does not end with 0", async (_when, run, inRun) => {
    await withAttempt({ ...base, shell, run, graceSeconds: 0.3 }, async (attempt) => {
      if (inRun) open(attempt, 'open')
      attempt.start()
      if (inRun) await until('the script to run', 10_000, () => attempt.read('logs/3.out') === 'up\n')
      else await ready(attempt)
      stopAsPeer(attempt)
      expect(await attempt.end()).toBe(143)
      expect(attempt.record(3)).toMatchObject({ told: 'peer' })
      expect(attempt.record('job')).toMatchObject({ code: 143, told: 'peer' })
      expect(attempt.processes()).toEqual([])
    })
  })

  test('a cancel at the gate is a cancel, also beside the mark of a peer', async () => {
    await withAttempt({ ...base, shell, run: 'echo no' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      writeFileSync(join(attempt.dir, 'cancel'), '')
      stopAsPeer(attempt)
      expect(await attempt.end()).toBe(143)
      expect(attempt.record(3)).toMatchObject({ code: 143, told: 'term' })
    })
  })

  test('the mark of a peer before the start: nothing is run', async () => {
    await withAttempt({ ...base, shell, setup: 'echo no', run: 'echo no' }, async (attempt) => {
      writeFileSync(join(attempt.dir, attemptPaths.peerMark), '')
      expect(await attempt.start().end()).toBe(143)
      expect(attempt.record(3)).toMatchObject({ told: 'peer' })
      expect(attempt.read('logs/setup-3.log')).toBe('')
    })
  })
})
