import { expect, test } from 'vitest'
import type { JobRow } from '../store/store.ts'
import { viewEvent, viewJob } from './job-view.ts'

const row: JobRow = {
  id: 'abc',
  name: 'train',
  target: 'local',
  kind: 'local',
  priority: 0,
  state: 'queued',
  attempt: 1,
  createdAt: 0,
  updatedAt: 0,
}

test('absent knowledge is null, never undefined', () => {
  const job = viewJob(row)
  expect(JSON.parse(JSON.stringify(job))).toEqual(job)
  expect(job).toMatchObject({
    group: null,
    cause: null,
    exit_code: null,
    elements: null,
    started_at: null,
    attempts: [],
    ranks: [],
    after: [],
    directory: null,
  })
  expect(job.usage).toEqual({ wall_ms: null, cpu_ms: null, peak_memory_bytes: null })
  expect(job.created_at).toBe('1970-01-01T00:00:00.000Z')
})

test('the whole object', () => {
  const job = viewJob(
    { ...row, state: 'failed', attempt: 2, exitCode: 0, startedAt: 1_000, endedAt: 3_500, groupId: 'g', usage: { cpuMs: 0 } },
    {
      attempts: [
        { number: 1, state: 'failed', createdAt: 0, directory: '/old' },
        { number: 2, state: 'failed', createdAt: 500, directory: '/new' },
      ],
      ranks: [{ rank: 0, node: 'n', state: 'failed', killedByPeer: true, exitCode: 143, signal: 15 }],
      after: [{ jobId: 'abc', upstream: 'up', condition: 'ok' }],
    },
  )
  expect(job).toMatchObject({ directory: '/new', group: 'g', exit_code: 0, usage: { wall_ms: 2_500, cpu_ms: 0, peak_memory_bytes: null } })
  expect(job.attempts.map((attempt) => attempt.directory)).toEqual(['/old', '/new'])
  expect(job.ranks).toEqual([{ rank: 0, node: 'n', pid: null, state: 'failed', exit_code: 143, signal: 15, killed_by_peer: true }])
  expect(job.after).toEqual([{ job: 'up', condition: 'ok' }])
})

test('elements add up to the total; those without a row are queued; 20 failed ones are named', () => {
  const failedElements = Array.from({ length: 30 }, (_, position) => ({
    position,
    attempt: 1,
    state: 'failed' as const,
    exitCode: 1,
    causeKind: 'exit' as const,
  }))
  const { elements } = viewJob(
    { ...row, elementCount: 100 },
    { elementCounts: { running: 2, starting: 1, succeeded: 10, failed: 30, cancelled: 3, lost: 1, queued: 5 }, failedElements },
  )
  expect(elements).toMatchObject({ total: 100, queued: 53, running: 3, succeeded: 10, failed: 30, cancelled: 3, lost: 1 })
  expect(elements?.first_failed).toHaveLength(20)
  expect(elements?.first_failed[0]).toEqual({ position: 0, exit_code: 1, cause: 'exit' })
  expect(viewJob({ ...row, elementCount: 3 }).elements).toMatchObject({ total: 3, queued: 3 })
})

test('events, and a damaged time', () => {
  expect(viewEvent({ seq: 4, jobId: 'abc', attempt: 1, at: 1_000, type: 'state', data: { to: 'queued' } })).toEqual({
    seq: 4,
    job: 'abc',
    attempt: 1,
    at: '1970-01-01T00:00:01.000Z',
    type: 'state',
    data: { to: 'queued' },
  })
  expect(viewJob({ ...row, createdAt: Number.NaN }).created_at).toBe('1970-01-01T00:00:00.000Z')
})
