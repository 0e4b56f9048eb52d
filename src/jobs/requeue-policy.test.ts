import { expect, test } from 'vitest'
import type { ResolvedTask } from '../executors/executor.ts'
import type { EventRow } from '../store/store.ts'
import type { Cause } from '../task/states.ts'
import { decideRequeue, requeuedAttempts, requeueOf } from './requeue-policy.ts'

const spec = { exitCode: 75, max: 2 }
const cause = (kind: Cause['kind'], code?: number): Cause => ({ kind, message: 'm', ...(code === undefined ? {} : { code }) })

test.each([
  ['the code', cause('exit', 75), 0, false, true],
  ['another code', cause('exit', 1), 0, false, false],
  ['the code of setup', cause('setup', 75), 0, false, false],
  ['a time limit', cause('timeout', 75), 0, false, false],
  ['once more', cause('exit', 75), 1, false, true],
  ['too often', cause('exit', 75), 2, false, false],
  ['a cancel', cause('exit', 75), 0, true, false],
] as const)('%s', (_, why, made, cancelled, again) => {
  expect(decideRequeue(spec, why, [], made, cancelled) !== undefined).toBe(again)
})

test('nothing is asked for', () => {
  expect(decideRequeue(undefined, cause('exit', 75), [], 0, false)).toBeUndefined()
})

test('of an array, the elements that asked', () => {
  const failed = [
    { position: 7, exitCode: 75 },
    { position: 2, exitCode: 75 },
    { position: 3, exitCode: 1 },
    { position: 4, exitCode: 75, causeKind: 'timeout' as const },
  ]
  expect(decideRequeue(spec, cause('exit', 1), failed, 1, false)).toEqual({
    count: 2,
    why: 'requeue 2 of 2: the script asked for it by exit 75',
    positions: [2, 7],
  })
  expect(decideRequeue(spec, cause('exit', 75), [{ position: 3, exitCode: 1 }], 0, false)).toBeUndefined()
})

test('requeues by the scheduler are none of the script', () => {
  const event = (data: EventRow['data']): EventRow => ({ seq: 1, jobId: 'j', at: 0, attempt: 1, type: 'requeued', data }) as EventRow
  const events = [event({ by: 'script', next_attempt: 2 }), event({ by: 'scheduler', next_attempt: 3 })]
  expect(requeuedAttempts(events, 'script')).toEqual([1])
  expect(requeuedAttempts(events, 'scheduler')).toEqual([2])
})

test.each([
  [{ requeue: { exit_code: 75, max: 3 } }, {}, { exitCode: 75, max: 3 }],
  [{}, { requeue: { exit_code: 9 } }, { exitCode: 9, max: 10 }],
  [{ slurm: { requeue: { exit_code: 4 } } }, { requeue: { exit_code: 9 } }, { exitCode: 4, max: 10 }],
  [{ pbs: { requeue: { exit_code: 4 } } }, {}, undefined],
  [{}, {}, undefined],
])('options %j of the task, %j of the target', (own, targets, expected) => {
  const task = { definition: { name: 't', kind: 'slurm', root: '/r', options: targets, limits: {} }, spec: { options: own } }
  expect(requeueOf(task as unknown as ResolvedTask)).toEqual(expected)
})
