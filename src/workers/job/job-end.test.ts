import { expect, test } from 'vitest'
import type { Job, JobElement } from '../../jobs/drover.ts'
import type { Cause, State } from '../../task/states.ts'
import { endOfJob } from './job-end.ts'

const job = (state: State, cause: Cause | null = null): Job => ({ id: 'j1', state, cause }) as Job
const element = (part: Partial<JobElement>): JobElement => ({
  ...{ position: 3, state: 'failed', attempt: 1, exit_code: null, signal: null, cause: null },
  ...part,
})

test.each<[string, Parameters<typeof endOfJob>[1], number | null, object]>([
  ['success', { job: job('succeeded') }, null, { outcome: 'succeeded' }],
  ['of an element', { job: undefined, element: element({ state: 'succeeded', exit_code: 0 }) }, 3, { outcome: 'succeeded' }],
  ['lost', { job: job('lost') }, null, { outcome: 'failed', cause: 'lost' }],
  ['a lost element', { job: job('lost'), element: element({ state: 'lost' }) }, 3, { outcome: 'failed', cause: 'lost' }],
  ['a job that was removed', { job: undefined }, null, { outcome: 'failed', cause: 'lost' }],
  ['an array that never told of the element', { job: job('succeeded') }, 3, { outcome: 'failed', cause: 'lost' }],
  [
    'exit',
    { job: job('failed', { kind: 'exit', code: 4, message: 'm' }) },
    null,
    { cause: 'exit', exitCode: 4, message: 'job j1: exit: m (see: drover explain j1)' },
  ],
  ['preempted', { job: job('failed', { kind: 'preempted', message: 'm' }) }, null, { cause: 'job', transient: true }],
  ['a failed node', { job: undefined, element: element({ cause: 'node_failure', exit_code: 1 }) }, 3, { cause: 'job', transient: true }],
  [
    'out of memory',
    { job: undefined, element: element({ cause: 'out_of_memory', exit_code: 137 }) },
    3,
    { cause: 'job', message: 'element 3 of job j1: out_of_memory: ran out of memory (see: drover explain j1)' },
  ],
  ['a signal', { job: undefined, element: element({ cause: 'signal', exit_code: 137, signal: 9 }) }, 3, { cause: 'signal', signal: 9 }],
  ['a time limit', { job: undefined, element: element({ cause: 'timeout', exit_code: 143 }) }, 3, { cause: 'timeout' }],
  [
    'why the job failed, of an element without end',
    { job: job('failed', { kind: 'rejected', message: 'no account' }), element: element({ cause: 'rejected' }) },
    3,
    { cause: 'job', message: 'element 3 of job j1: rejected: no account (see: drover explain j1)' },
  ],
  [
    'a cancel by a person',
    { job: job('cancelled', { kind: 'cancelled', by: 'user', message: 'm' }) },
    null,
    { outcome: 'failed', cause: 'job' },
  ],
])('%s', (_name, ending, position, end) => {
  expect(endOfJob('j1', ending, position)).toMatchObject(end)
})

test('only what was preempted or lost its node may end otherwise', () => {
  expect(endOfJob('j1', { job: job('failed', { kind: 'exit', code: 1, message: 'm' }) }, null)).not.toHaveProperty('transient')
})
