import { expect, test } from 'vitest'
import { DroverError } from '../errors.ts'
import type { JobRow } from '../store/store.ts'
import { explainRow } from './explain-job.ts'
import type { JobControl } from './job-context.ts'

test('a target that does not answer hides what is on record of a job no more than its log', async () => {
  const row: JobRow = {
    id: 'k3v9',
    name: 'train',
    target: 'lab',
    kind: 'ssh',
    priority: 0,
    state: 'failed',
    attempt: 1,
    createdAt: 0,
    updatedAt: 0,
  }
  const none = async () => []
  const ended = { seq: 1, jobId: row.id, attempt: 1, at: 5, type: 'state', data: { from: 'running', to: 'failed' } }
  const control = {
    store: {
      job: async () => row,
      attempts: async () => [{ number: 1, plan: '{}' }],
      ranks: none,
      dependencies: none,
      elements: none,
      events: async () => [ended],
    },
    targets: {
      opened: () => undefined,
      open: async () => {
        throw new DroverError('transport_failed', 'lab: no route', { level: 'transport', transient: true })
      },
    },
    signal: new AbortController().signal,
    now: () => 10,
  } as unknown as JobControl
  expect(await explainRow(row, control)).toMatchObject({
    log_tail: null,
    log_error: 'lab: no route',
    chain: [{ at: '1970-01-01T00:00:00.005Z' }],
    summary: expect.stringContaining('failed'),
  })
})
