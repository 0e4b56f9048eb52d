import { describe, expect, test } from 'vitest'
import type { ElementRow } from '../store/store.ts'
import { type Cause, FAILURE_KINDS } from '../task/states.ts'
import type { RetriesSpec } from '../task/task-spec.ts'
import { decideArrayRetry, decideRetry, elementsToRetry, MAX_BACKOFF_MS } from './retry-policy.ts'

const spec = (more: Partial<RetriesSpec> = {}): RetriesSpec => ({ max: 3, when: [], backoffMs: 0, ...more })
const cause = (kind: Cause['kind'], code?: number): Cause => ({ kind, message: 'm', ...(code === undefined ? {} : { code }) })

describe('decideRetry', () => {
  test.each(FAILURE_KINDS)('%s without conditions', (kind) => {
    expect(decideRetry(spec(), cause(kind), 1, false).retry).toBe(kind !== 'rejected' && kind !== 'dependency')
  })
  test.each([
    ['listed kind', [{ kind: 'timeout' }], cause('timeout'), true],
    ['other kind', [{ kind: 'timeout' }], cause('exit', 1), false],
    ['listed exit code', [{ exitCode: 75 }], cause('exit', 75), true],
    ['other exit code', [{ exitCode: 75 }], cause('exit', 1), false],
    ['exit code of a signal', [{ exitCode: 137 }], cause('signal', 137), true],
    ['exit code of setup', [{ exitCode: 75 }], cause('setup', 75), false],
    ['rejected, when named', [{ kind: 'rejected' }], cause('rejected'), true],
    ['one of several', [{ kind: 'preempted' }, { exitCode: 2 }], cause('exit', 2), true],
    ['cancelled, even when named', [{ kind: 'cancelled' }], cause('cancelled'), false],
    ['lost, even when named', [{ kind: 'unknown' }], cause('unknown'), false],
  ] as const)('%s', (_, when, why, expected) => {
    expect(decideRetry(spec({ when }), why, 1, false).retry).toBe(expected)
  })
  test('as many attempts as asked for and no more', () => {
    expect([1, 2, 3, 4].map((made) => decideRetry(spec({ max: 2 }), cause('exit', 1), made, false).retry)).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(decideRetry(spec({ max: 0 }), cause('exit', 1), 1, false).retry).toBe(false)
  })
  test('a lost job is refused because it may run', () => {
    expect(decideRetry(spec(), cause('unknown'), 1, false).why).toContain('may be running')
  })
  test('never after a cancel', () => {
    expect(decideRetry(spec(), cause('exit', 1), 1, true)).toMatchObject({ retry: false, notBeforeDelayMs: 0 })
  })
  test('the wait doubles, at most an hour, also where the double is beyond any number', () => {
    const delay = (made: number, backoffMs: number) =>
      decideRetry(spec({ max: 5000, backoffMs }), cause('exit', 1), made, false).notBeforeDelayMs
    expect([1, 2, 3].map((made) => delay(made, 10_000))).toEqual([10_000, 20_000, 40_000])
    expect(delay(20, 10_000)).toBe(MAX_BACKOFF_MS)
    expect(delay(3000, 10_000)).toBe(MAX_BACKOFF_MS)
    expect(delay(20, 0)).toBe(0)
  })
})

describe('arrays', () => {
  const row = (position: number, state: ElementRow['state'], causeKind?: Cause['kind'], exitCode?: number): ElementRow => ({
    position,
    attempt: 1,
    state,
    ...(causeKind ? { causeKind } : {}),
    ...(exitCode === undefined ? {} : { exitCode }),
  })
  const rows = [
    row(9, 'failed', 'timeout', 143),
    row(2, 'failed', 'exit', 75),
    row(3, 'failed', 'exit', 1),
    row(4, 'succeeded'),
    row(5, 'cancelled', 'cancelled'),
    row(6, 'lost', 'unknown'),
  ]

  test('only failed elements whose own cause matches, in order', () => {
    expect(elementsToRetry(spec(), rows)).toEqual([2, 3, 9])
    expect(elementsToRetry(spec({ when: [{ exitCode: 75 }, { kind: 'timeout' }] }), rows)).toEqual([2, 9])
  })
  test('a first failure that is not to be retried does not hold up another that is', () => {
    const when = [{ exitCode: 75 }]
    expect(decideArrayRetry(spec({ when }), cause('exit', 1), rows, 1, false)).toMatchObject({ retry: true, positions: [2] })
    expect(decideArrayRetry(spec({ when: [{ exitCode: 99 }] }), cause('exit', 1), rows, 1, false)).toMatchObject({
      retry: false,
      positions: [],
    })
    expect(decideArrayRetry(spec({ when }), cause('cancelled'), rows, 1, false)).toMatchObject({ retry: false, positions: [] })
    expect(decideArrayRetry(spec({ max: 1, when }), cause('exit', 1), rows, 2, false)).toMatchObject({ retry: false, positions: [] })
  })
})
