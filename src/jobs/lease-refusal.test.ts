import { expect, test } from 'vitest'
import type { Cause } from '../task/states.ts'
import { countTries, decideRefusal, isRefusal, leaseCause } from './lease-refusal.ts'

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
