import { describe, expect, test } from 'vitest'
import type { State } from '../task/states.ts'
import { COULD_NOT_ASK, event, evidence, job, MISSING, NOW, withEvents, word } from './evidence.fixture.ts'
import { reconcile } from './reconcile.ts'

const OK = {}
const since = { finishingSince: NOW }

describe('live states', () => {
  const setup = withEvents(evidence(['none', 'none'], { hasSetup: true }), 0, [event('runner'), event('setup')])
  const script = withEvents(setup, 1, [event('runner'), event('setup'), event('setup_end'), event('script', 160, { pid: '42' })])

  test.each([
    ['allocated, nothing heard', 'queued', evidence(['none']), word('running'), 'starting'],
    ['setup runs', 'queued', setup, word('running'), 'starting'],
    ['one script runs', 'starting', script, word('running'), 'running'],
    ['one script runs, the scheduler lags', 'starting', script, word('starting'), 'running'],
    ['events not read again yet', 'running', evidence(['none']), word('running'), 'running'],
    ['resumed', 'suspended', evidence(['none']), word('running'), 'running'],
    ['suspended', 'running', script, word('suspended'), 'suspended'],
    ['the answer is older than the script', 'running', script, word('queued'), 'running'],
    ['started anew by the scheduler, it waits again', 'running', { ...script, requeues: true }, word('queued'), 'queued'],
    ['foreign', 'queued', evidence(['none'], { driver: 'foreign' }), word('running'), 'running'],
    ['found again', 'lost', evidence(['none']), word('running'), 'starting'],
    ['a word again after missing', 'finishing', evidence(['none'], since), word('queued'), 'queued'],
    ['the bell is faster than the poll: setup', 'submitting', setup, undefined, 'starting'],
    ['the bell is faster than the poll: script', 'queued', script, COULD_NOT_ASK, 'running'],
    ['old events do not bring a lost job back', 'lost', script, undefined, 'lost'],
    ['an unknown word for a lost job: it lives', 'lost', evidence(['none']), { kind: 'state', word: 'X', state: 'x' as State }, 'running'],
  ] as const)('%s', (_, from, of, observation, expected) => {
    expect(reconcile(job(from), of, observation, NOW).state).toBe(expected)
  })

  test('ranks show what their events tell', () => {
    const { ranks, startedAt } = reconcile(job('starting'), script, word('running'), NOW)
    expect(ranks.map(({ state, pid }) => [state, pid])).toEqual([
      ['starting', undefined],
      ['running', 42],
    ])
    expect(startedAt).toBe(150_000)
  })
})

describe('lost', () => {
  test('stays lost while nothing is learned, and does not go back to waiting', () => {
    for (const observation of [undefined, COULD_NOT_ASK, MISSING, word('succeeded')]) {
      expect(reconcile(job('lost'), evidence(['none']), observation, NOW)).toMatchObject({ state: 'lost' })
      expect(reconcile(job('lost'), evidence(['none']), observation, NOW).wakeAt).toBeUndefined()
    }
  })
  test('is settled by records that arrive late, and by an end word', () => {
    expect(reconcile(job('lost'), evidence([OK]), MISSING, NOW).state).toBe('succeeded')
    expect(reconcile(job('lost'), evidence([{ code: 3 }]), undefined, NOW)).toMatchObject({ state: 'failed', exitCode: 3 })
    expect(reconcile(job('lost'), evidence(['none']), word('failed', { cause: 'node_failure' }), NOW).state).toBe('failed')
  })
})
