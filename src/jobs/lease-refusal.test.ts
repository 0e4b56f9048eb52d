import { expect, test } from 'vitest'
import type { Cause } from '../task/states.ts'
import { arrayEvidence, evidence, job, event as line, NONE, NOW, reading } from './evidence.fixture.ts'
import { countTries, decideRefusal, isRefusal, leaseCause } from './lease-refusal.ts'
import { reconcile } from './reconcile.ts'

const refused: Cause = { kind: 'rejected', code: 98, rank: 0, message: 'no room on gpu1: held by job x' }
const failed: Cause = { kind: 'exit', code: 98, message: 'the script ended with 98' }
const event = (word: string, detail: Record<string, string>) => ({ atSeconds: 1, word, detail })

test.each([
  [
    'no room, by one',
    event('no_room', { rank: '1', what: 'cpus', by: 'a1' }),
    { kind: 'rejected', message: 'no room on gpu1 (CPUs): held by job a1' },
  ],
  [
    'no room, by several',
    event('no_room', { rank: '1', what: 'gpus', by: 'a1,b2' }),
    { kind: 'rejected', message: 'no room on gpu1 (GPUs): held by jobs a1, b2' },
  ],
  ['it cannot be noted', event('lease_failed', { rank: '1' }), { kind: 'driver', message: expect.stringContaining('gpu1') }],
] as const)('%s', (_, line, cause) => {
  expect(leaseCause([event('driver', {}), line], 1, 'gpu1', 98)).toMatchObject(cause)
})

test("a script's own 98, and another rank's refusal, are none", () => {
  expect(leaseCause([], 1, 'gpu1', 98)).toBeUndefined()
  expect(leaseCause([event('no_room', { rank: '0', by: 'a' })], 1, 'gpu1', 98)).toBeUndefined()
  expect(leaseCause([event('no_room', { rank: '1', by: 'a' })], 1, 'gpu1', 3)).toBeUndefined()
  expect(isRefusal(failed)).toBe(false)
  expect(isRefusal({ kind: 'rejected', message: 'sbatch: Invalid account' })).toBe(false)
})

test('refusals are no tries', () => {
  expect(countTries([{ cause: refused }, { cause: failed }, { cause: refused }, {}])).toBe(2)
})

test.each([
  [[], 2_000],
  [[{ cause: failed }], 2_000],
  [[{ cause: refused }], 4_000],
  [[{ cause: refused }, { cause: failed }, { cause: refused }, { cause: refused }], 8_000],
  [Array.from({ length: 500 }, () => ({ cause: refused })), 60_000],
] as const)('the wait doubles with each refusal in a row, case %#', (before, ms) => {
  expect(decideRefusal(refused, before, 0)).toEqual({ retry: true, notBeforeDelayMs: ms, why: refused.message })
  expect(decideRefusal(refused, before, 0.999).notBeforeDelayMs).toBeGreaterThanOrEqual(ms * 0.75)
})

const noRoom = { code: 98, told: '0', phase: 'setup' } as const
const held = line('no_room', 150, { rank: '1', what: 'cpus', by: 'x' })

test('one of two nodes had no room, the other was stopped at the gate: refused, with the node', () => {
  const found = evidence([{ code: 0, phase: 'setup' }, noRoom], { job: reading(-1, noRoom), driverEvents: [held] })
  const { state, cause } = reconcile(job('starting'), found, undefined, NOW)
  expect(state).toBe('failed')
  expect(cause).toEqual({ kind: 'rejected', rank: 1, code: 98, message: 'no room on node1 (CPUs): held by job x' })
  expect(isRefusal(cause)).toBe(true)
})

test("the same without the driver's word is a setup that ended with 98; a script's 98 is its own", () => {
  expect(reconcile(job('starting'), evidence([noRoom]), undefined, NOW).cause).toMatchObject({ kind: 'setup', code: 98 })
  const own = evidence([{ code: 0 }, { code: 98 }], { driverEvents: [held] })
  expect(reconcile(job(), own, undefined, NOW).cause).toMatchObject({ kind: 'exit', code: 98 })
})

test('an array over two nodes is refused when both drivers have ended, not before', () => {
  const { ranks } = evidence(['none', noRoom])
  const found = arrayEvidence(4, [], { ranks, driverEvents: [held] })
  expect(reconcile(job('starting'), { ...found, job: NONE }, undefined, NOW).state).toBe('starting')
  const ended = { ...found, job: reading(-1, { code: 143, told: 'peer', phase: 'setup' }) }
  expect(isRefusal(reconcile(job('starting'), ended, undefined, NOW).cause)).toBe(true)
})
