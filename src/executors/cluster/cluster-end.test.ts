import { expect, test } from 'vitest'
import { FAILURE_KINDS } from '../../task/states.ts'
import { describeEnd, endOfHolder } from './cluster-end.ts'

const cause = (kind: (typeof FAILURE_KINDS)[number]) => ({ kind, message: 'as it was' })

test.each(['timeout', 'node_failure', 'preempted', 'out_of_memory'] as const)('%s of the allocation is that of its jobs', (kind) => {
  expect(endOfHolder('c', { state: 'failed', cause: cause(kind) })).toMatchObject({ state: 'failed', cause: kind })
})

test.each(FAILURE_KINDS)('no end of the holder is a success, nor the exit of a script: %s', (kind) => {
  const word = endOfHolder('c', { state: 'failed', cause: cause(kind) })
  expect(word).toMatchObject({ kind: 'state', state: 'failed' })
  expect(word).not.toMatchObject({ cause: 'exit' })
})

test('the holder ended well: its jobs did not', () => {
  expect(endOfHolder('c', { state: 'succeeded' })).toMatchObject({ state: 'failed', cause: 'driver' })
  expect(describeEnd('c', { state: 'succeeded' })).toBe('cluster c has ended after its idle time')
})

test('who cancels the holder cancels its jobs', () => {
  expect(endOfHolder('c', { state: 'cancelled' })).toMatchObject({ state: 'cancelled' })
})

test('of what nobody knows nothing is concluded', () => {
  expect(endOfHolder('c', { state: 'lost' })).toEqual({ kind: 'missing' })
  expect(endOfHolder('c', undefined)).toEqual({ kind: 'missing' })
})
