import { expect, test } from 'vitest'
import { CANCEL, event, evidence, job, MISSING, NOW, reading, withEvents, word } from './evidence.fixture.ts'
import { reconcile } from './reconcile.ts'

/** Rank 0 and the driver were told to stop; of rank 1 there is no record, as the driver knows. */
const cut = (more = {}) =>
  withEvents(
    evidence([{ told: 'term', code: 143 }, 'none'], {
      job: reading(-1, { told: 'term', code: 143 }),
      driverEvents: [event('rank_lost', 150, { rank: '1', code: '137' })],
      ...more,
    }),
    1,
    [event('runner')],
  )

test('somebody else has ended the driver while the target knows of no end: its word is awaited', () => {
  expect(reconcile(job(), cut(), word('running'), NOW)).toMatchObject({ state: 'finishing' })
})

test.each([
  ['a lost node', word('failed', { cause: 'node_failure' }), { state: 'failed', cause: { kind: 'node_failure' } }],
  ['a time limit', word('failed', { cause: 'timeout' }), { state: 'failed', cause: { kind: 'timeout' } }],
  ['a cancel', word('cancelled'), { state: 'cancelled' }],
  ['nothing that is known', MISSING, { state: 'failed', cause: { kind: 'driver' } }],
])('the cause is the word of the target: %s', (_, answer, expected) => {
  expect(reconcile(job('finishing'), cut(), answer, NOW)).toMatchObject(expected)
})

test('our own cancel needs no word', () => {
  expect(reconcile(job(), cut(CANCEL), word('running'), NOW)).toMatchObject({ state: 'cancelled' })
})

const aborted = event('launch_failed', 150, { phase: 'run', code: '0' })

test.each([
  ['a rank was told to stop', cut({ job: reading(-1, { code: 143 }) })],
  [
    "the scheduler's launcher broke off",
    cut({ job: reading(-1, { code: 1 }), driverEvents: [event('rank_lost', 150, { rank: '1', code: '137' }), aborted] }),
  ],
])('the driver was not told to stop, but %s: the word of the target is awaited', (_, seen) => {
  expect(reconcile(job(), seen, word('running'), NOW)).toMatchObject({ state: 'finishing' })
  const answer = word('failed', { cause: 'node_failure' })
  expect(reconcile(job('finishing'), seen, answer, NOW)).toMatchObject({ state: 'failed', cause: { kind: 'node_failure' } })
})
