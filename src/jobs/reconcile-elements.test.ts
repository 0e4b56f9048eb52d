import { describe, expect, test } from 'vitest'
import type { ElementRow } from '../store/store.ts'
import { arrayEvidence, CANCEL, COULD_NOT_ASK, event, GRACE, job, MISSING, NOW, reading, withEvents, word } from './evidence.fixture.ts'
import { reconcile } from './reconcile.ts'

const DRIVER_0 = { job: reading(-1, {}) }
const DRIVER_1 = { job: reading(-1, { code: 1 }) }
const DRIVER_TERM = { job: reading(-1, { code: 143, told: 'term' }) }
const states = (rows: readonly ElementRow[] | undefined) => rows?.map((row) => row.state)

describe('arrays', () => {
  test('all results 0: succeeded at once, whatever the target says', () => {
    for (const observation of [undefined, COULD_NOT_ASK, MISSING, word('running'), word('failed')]) {
      const result = reconcile(job(), arrayEvidence(2, [0, 1, [0, 0], [1, 0]]), observation, NOW)
      expect(result).toMatchObject({ state: 'succeeded', exitCode: 0 })
      expect(states(result.elements)).toEqual(['succeeded', 'succeeded'])
    }
  })

  test('no positions are no success', () => {
    expect(reconcile(job(), arrayEvidence(0, []), MISSING, NOW).state).toBe('finishing')
  })

  test('live: claimed is running, unclaimed queued', () => {
    const result = reconcile(job('starting'), arrayEvidence(3, [[0, 0], 1]), word('running'), NOW)
    expect(result.state).toBe('running')
    expect(states(result.elements)).toEqual(['succeeded', 'running', 'queued'])
  })

  test('a failed element does not end the others', () => {
    expect(reconcile(job(), arrayEvidence(2, [[0, 3], 1]), word('running'), NOW).state).toBe('running')
  })

  test('the first failed element in time is the cause', () => {
    const result = reconcile(
      job(),
      arrayEvidence(4, [
        [0, 3, '0', 900],
        [1, 4, '0', 500],
        [2, 0, '0', 100],
        [3, 143, 'peer', 50],
      ]),
      undefined,
      NOW,
    )
    expect(result).toMatchObject({ state: 'failed', exitCode: 4, cause: { kind: 'exit', element: 1, code: 4 } })
    expect(states(result.elements)).toEqual(['failed', 'failed', 'succeeded', 'cancelled'])
    expect(result.elements?.[1]).toMatchObject({ exitCode: 4, causeKind: 'exit', endedAt: 5_000 })
  })

  test('an element with an unknown end comes after those whose end is known', () => {
    expect(
      reconcile(
        job(),
        arrayEvidence(2, [
          [0, 3, '0', 0],
          [1, 4, '0', 500],
        ]),
        undefined,
        NOW,
      ).cause,
    ).toMatchObject({ element: 1 })
  })

  test('the time limit of an element', () => {
    const result = reconcile(job(), arrayEvidence(1, [[0, 143, 'timeout']]), undefined, NOW)
    expect(result).toMatchObject({ state: 'failed', exitCode: 124, cause: { kind: 'timeout', element: 0 } })
    expect(result.elements?.[0]).toMatchObject({ state: 'failed', causeKind: 'timeout' })
  })

  test('cancelled: told to stop, and those that never began', () => {
    const result = reconcile(
      job(),
      arrayEvidence(
        3,
        [
          [0, 0],
          [1, 143, 'term'],
        ],
        { ...CANCEL, ...DRIVER_TERM },
      ),
      undefined,
      NOW,
    )
    expect(result).toMatchObject({ state: 'cancelled', cause: { by: 'user' } })
    expect(states(result.elements)).toEqual(['succeeded', 'cancelled', 'cancelled'])
  })

  test('cancelled, with an element that began and has no result: proof is awaited first', () => {
    const of = arrayEvidence(2, [0], { ...CANCEL, ...DRIVER_TERM })
    expect(reconcile(job(), of, MISSING, NOW)).toMatchObject({ state: 'finishing', wakeAt: NOW + GRACE })
    const result = reconcile(job('finishing'), { ...of, finishingSince: NOW }, MISSING, NOW + GRACE)
    expect(result.state).toBe('cancelled')
    expect(states(result.elements)).toEqual(['cancelled', 'cancelled'])
  })

  test('a cancel that came after the last element changes nothing', () => {
    expect(reconcile(job(), arrayEvidence(1, [[0, 0]], { ...CANCEL, ...DRIVER_TERM }), undefined, NOW).state).toBe('succeeded')
  })

  test('told to stop by somebody else: a word or the grace, then signal', () => {
    const of = arrayEvidence(2, [
      [0, 0],
      [1, 143, 'term'],
    ])
    expect(reconcile(job(), of, word('running'), NOW).state).toBe('finishing')
    expect(reconcile(job(), of, word('failed', { cause: 'preempted' }), NOW).cause).toMatchObject({ kind: 'preempted', element: 1 })
    const over = reconcile(job('finishing'), { ...of, finishingSince: NOW }, MISSING, NOW + GRACE)
    expect(over).toMatchObject({ state: 'failed', cause: { kind: 'signal', element: 1, signal: 15 } })
  })

  test('elements cancelled one by one: the job is cancelled unless another failed', () => {
    const cancelledElements = new Set([1])
    expect(
      reconcile(
        job(),
        arrayEvidence(
          2,
          [
            [0, 0],
            [1, 143, 'term'],
          ],
          { cancelledElements },
        ),
        undefined,
        NOW,
      ).state,
    ).toBe('cancelled')
    expect(
      reconcile(
        job(),
        arrayEvidence(
          2,
          [
            [0, 2],
            [1, 143, 'term'],
          ],
          { cancelledElements },
        ),
        undefined,
        NOW,
      ),
    ).toMatchObject({
      state: 'failed',
      cause: { element: 0 },
    })
  })

  test('the driver ended with 0 and results are missing: lost, never succeeded', () => {
    const of = { ...arrayEvidence(2, [[0, 0], 1], DRIVER_0), finishingSince: NOW }
    const result = reconcile(job('finishing'), of, MISSING, NOW + GRACE)
    expect(result.state).toBe('lost')
    expect(states(result.elements)).toEqual(['succeeded', 'lost'])
  })

  test('a slot that died and a driver that ended with 0 do not make it lost before the target has answered', () => {
    const of = arrayEvidence(1, [0], { ...DRIVER_0, driverEvents: [event('rank_lost')] })
    expect(reconcile(job(), of, undefined, NOW).state).toBe('running')
    expect(reconcile(job(), { ...of, ...DRIVER_1 }, undefined, NOW)).toMatchObject({
      state: 'failed',
      cause: { kind: 'driver', element: 0 },
    })
  })

  test('the driver failed and results are missing: failed, elements without result with it', () => {
    const of = { ...arrayEvidence(3, [[0, 0], 1], DRIVER_1), finishingSince: NOW }
    const result = reconcile(job('finishing'), of, MISSING, NOW + GRACE)
    expect(result).toMatchObject({ state: 'failed', exitCode: 125, cause: { kind: 'driver', element: 1 } })
    expect(result.elements?.map((row) => row.causeKind)).toEqual([undefined, 'driver', 'driver'])
  })

  test('an end word ends the elements without result with its cause', () => {
    const result = reconcile(job(), arrayEvidence(3, [[0, 0], 1]), word('failed', { cause: 'node_failure' }), NOW)
    expect(result).toMatchObject({ state: 'failed', cause: { kind: 'node_failure', message: expect.stringContaining('elements 1, 2') } })
    expect(result.elements?.map((row) => [row.state, row.causeKind])).toEqual([
      ['succeeded', undefined],
      ['failed', 'node_failure'],
      ['failed', 'node_failure'],
    ])
  })

  test('missing, after the grace: lost, results stand', () => {
    const of = { ...arrayEvidence(2, [[0, 5], 1]), finishingSince: NOW }
    const result = reconcile(job('finishing'), of, MISSING, NOW + GRACE)
    expect(result.state).toBe('lost')
    expect(states(result.elements)).toEqual(['failed', 'lost'])
  })

  test('a failed setup fails all elements', () => {
    const of = { ...arrayEvidence(2, []), ranks: [{ rank: 0, node: 'n', events: [], record: reading(0, { phase: 'setup', code: 9 }) }] }
    const result = reconcile(job('starting'), of, word('running'), NOW)
    expect(result).toMatchObject({ state: 'failed', exitCode: 9, cause: { kind: 'setup', code: 9 } })
    expect(result.elements?.map((row) => [row.state, row.causeKind])).toEqual([
      ['failed', 'setup'],
      ['failed', 'setup'],
    ])
    const byDriver = arrayEvidence(1, [], { job: reading(-1, { phase: 'setup', code: 8 }) })
    expect(reconcile(job('starting'), byDriver, undefined, NOW)).toMatchObject({ state: 'failed', cause: { kind: 'setup', code: 8 } })
  })

  test('setup that runs is no running element', () => {
    const of = withEvents(arrayEvidence(2, []), 0, [event('runner'), event('setup')])
    expect(reconcile(job('queued'), of, word('running'), NOW).state).toBe('starting')
  })

  test('a journal that cannot be read decides nothing', () => {
    const of = arrayEvidence(1, [[0, 0]], { slotsUnreadable: 'slot 0: torn' })
    expect(reconcile(job(), of, word('failed'), NOW)).toMatchObject({ state: 'running', warnings: [expect.stringContaining('torn')] })
  })

  test('elements of earlier attempts that were not run again still count', () => {
    const other = (state: ElementRow['state']): ElementRow => ({
      position: 7,
      attempt: 1,
      state,
      exitCode: 6,
      causeKind: 'exit',
      endedAt: 5,
    })
    const again = (rows: readonly ElementRow[]) =>
      reconcile(
        { ...job(), otherElements: rows },
        arrayEvidence(2, [
          [0, 0],
          [1, 0],
        ]),
        undefined,
        NOW,
      )
    expect(again([other('failed')])).toMatchObject({ state: 'failed', exitCode: 6, cause: { element: 7, code: 6 } })
    expect(again([other('cancelled')]).state).toBe('cancelled')
    expect(again([other('lost')]).state).toBe('lost')
    expect(again([]).state).toBe('succeeded')
  })

  test('100 000 elements are no matter', () => {
    const of = arrayEvidence(
      100_000,
      Array.from({ length: 100_000 }, (_, position) => [position, 0] as const),
    )
    expect(reconcile(job(), of, undefined, NOW).state).toBe('succeeded')
  })
})
