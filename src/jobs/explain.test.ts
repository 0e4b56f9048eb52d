import { describe, expect, test } from 'vitest'
import type { EventRow, JobRow } from '../store/store.ts'
import { type Cause, FAILURE_KINDS, STATES, type State } from '../task/states.ts'
import { type ExplainFacts, explainJob } from './explain.ts'
import { viewJob } from './job-view.ts'

const NOW = 1_000_000
const row: JobRow = {
  id: 'k3v9',
  name: 'train',
  target: 'lab',
  kind: 'local',
  priority: 0,
  state: 'queued',
  attempt: 1,
  createdAt: 0,
  updatedAt: 0,
}
const facts: ExplainFacts = { now: NOW, upstreams: [] }
const explain = (patch: Partial<JobRow>, more: Partial<ExplainFacts> = {}) =>
  explainJob(viewJob({ ...row, ...patch }), [], null, { ...facts, ...more })
const failed = (cause: Omit<Cause, 'message'>, patch: Partial<JobRow> = {}) =>
  explain({ state: 'failed', cause: { message: 'the script ended', ...cause }, ...patch })

describe('why it waits', () => {
  const demand = { cpus: 4, memoryBytes: 8 * 2 ** 30, gpus: 2 }
  const free = { cpus: 1, memoryBytes: 2 ** 30, gpus: 0 }
  const upstream = (state: State, condition: 'ok' | 'any' | 'failed') => ({
    jobId: 'k3v9',
    upstream: 'u1',
    condition,
    job: viewJob({ ...row, id: 'u1', name: 'prep', state }),
  })

  test('resources, and who holds them', () => {
    const queue = {
      before: 2,
      free,
      demand,
      lacking: ['gpus', 'memory'],
      heldBy: [{ id: 'h1', cpus: 3, memoryBytes: 0, gpus: [0, 1] }],
    } as const
    const { summary } = explain({}, { queue, names: new Map([['h1', 'big']]) })
    expect(summary).toBe(
      'Job k3v9 (train) waits: 2 jobs are before it on lab, which has too little free: GPUs (wants 2, 0 free), memory (wants 8 GiB, 1 GiB free); held by big h1 (3 CPUs, GPU 0 and 1).',
    )
  })
  test('its place in line', () => {
    const queue = { free: demand, demand, lacking: [], heldBy: [] }
    expect(explain({}, { queue: { ...queue, before: 0 } }).summary).toContain('next in line')
    expect(explain({}, { queue: { ...queue, before: 1 } }).summary).toContain('1 job is before it')
  })
  test('an upstream that runs, and one that is lost', () => {
    expect(explain({}, { upstreams: [upstream('running', 'ok')] }).summary).toContain('"prep" (u1) to succeed, which is running')
    expect(explain({}, { upstreams: [upstream('lost', 'any')] }).summary).toContain('drover settle u1')
  })
  test('an upstream whose condition is met is no reason', () => {
    expect(explain({ reason: 'Resources' }, { upstreams: [upstream('succeeded', 'ok'), upstream('failed', 'any')] }).summary).toContain(
      'Resources',
    )
  })
  test('backoff, only while it lasts', () => {
    expect(explain({ attempt: 2 }, { notBefore: NOW + 90_000 }).summary).toContain('attempt 2 begins after its backoff, in 1 min 30 s')
    expect(explain({ attempt: 2, reason: 'Priority' }, { notBefore: NOW - 1 }).summary).toContain('Priority')
  })
  test('a cancel in progress', () => {
    expect(explain({ state: 'running' }, { cancelRequestedAt: NOW - 5_000 }).summary).toContain(
      'being cancelled: it was asked to end 5 s ago',
    )
  })
  test('a target that has not answered for long is named', () => {
    expect(explain({ state: 'running', checkedAt: NOW - 7_200_000 }).summary).toContain('lab last answered 2 h 0 min ago')
    expect(explain({ state: 'running', checkedAt: NOW - 3_000 }).summary).not.toContain('answered')
  })
})

describe('how it ended', () => {
  test.each([
    [126, 'could not be executed'],
    [127, 'not found'],
    [137, 'KILL'],
    [139, 'segmentation fault'],
    [143, 'asked to end'],
  ])('code %i has a meaning', (code, text) => {
    expect(failed({ kind: 'exit', code }).summary).toContain(text)
  })
  test('a code without meaning is not interpreted', () => {
    expect(failed({ kind: 'exit', code: 3 }).summary).toBe('Job k3v9 (train) failed: the script ended.')
  })
  test('out of memory is not called a kill', () => {
    const { summary, next_step } = failed({ kind: 'out_of_memory', code: 137 })
    expect(summary).not.toContain('KILL')
    expect(next_step).toContain('memory')
  })
  test.each([
    [{ kind: 'setup', code: 1 }, '--stream setup'],
    [{ kind: 'driver' }, '--stream driver'],
    [{ kind: 'timeout' }, 'longer timeout'],
    [{ kind: 'node_failure' }, 'drover retry k3v9'],
    [{ kind: 'staging' }, 'drover target check lab'],
    [{ kind: 'exit', code: 1, element: 7 }, 'drover logs k3v9 -e 7'],
  ] as const)('next step after %o', (cause, text) => {
    expect(failed(cause).next_step).toContain(text)
  })
  test('arrays are retried by their failed elements', () => {
    expect(failed({ kind: 'exit', element: 7 }, { elementCount: 10 }).next_step).toContain('drover retry k3v9 --failed')
  })
  test('the failing rank and its peers', () => {
    const ranks = [0, 1, 2].map((rank) => ({ rank, node: 'n', state: 'failed' as const, killedByPeer: rank !== 1 }))
    const job = viewJob(
      { ...row, state: 'failed', cause: { kind: 'exit', rank: 1, code: 5, message: 'the script ended with 5 on rank 1' } },
      { ranks },
    )
    const { summary, next_step } = explainJob(job, [], null, facts)
    expect(summary).toBe('Job k3v9 (train) failed: the script ended with 5 on rank 1; 2 other ranks were stopped because of it.')
    expect(next_step).toContain('drover logs k3v9 -r 1')
  })
  test('lost asks for a person and claims nothing', () => {
    const { summary, next_step } = explain({ state: 'lost', cause: { kind: 'unknown', message: 'nobody knows' } })
    expect(summary).toContain('neither a success nor a failure')
    expect(next_step).toContain('drover settle k3v9')
  })
})

test('every state and cause has a summary and a next step', () => {
  for (const state of STATES) {
    for (const kind of [...FAILURE_KINDS, 'cancelled', 'unknown'] as const) {
      const { summary, next_step } = explain({ state, cause: { kind, message: '' } })
      expect(summary).toMatch(/^Job k3v9 \(train\).*\.$/)
      expect(next_step.length).toBeGreaterThan(10)
    }
  }
})

describe('the chain', () => {
  const event = (seq: number, type: string, data: Record<string, unknown>, attempt = 1): EventRow => ({
    seq,
    jobId: 'k3v9',
    attempt,
    at: seq * 1000,
    type,
    data,
  })
  const texts = (events: readonly EventRow[]) => explainJob(viewJob(row), events, null, facts).chain.map((link) => link.text)

  test('events as sentences, oldest first, with their times', () => {
    const events = [
      event(3, 'state', {
        from: 'running',
        to: 'failed',
        cause: { kind: 'exit', message: 'it ended with 3' },
        proof: { rule: 'all records' },
      }),
      event(1, 'submitted', { native_id: '77' }),
      event(2, 'retry', { why: 'retry 1 of 2 after exit 3', after_ms: 5000, next_attempt: 2 }),
      event(4, 'warning', { warning: 'odd' }),
      event(5, 'cancel_requested', { by: 'user', elements: [1, 2] }),
      event(6, 'settled', { as: 'failed', reason: 'seen' }),
      event(7, 'something_new', {}),
    ]
    expect(texts(events)).toEqual([
      'accepted by the target: 77',
      'retry 1 of 2 after exit 3: attempt 2 after 5 s',
      'running → failed: it ended with 3; proof: all records',
      'warning: odd',
      'cancel asked for by user for elements 1, 2',
      'settled by a person as failed: seen',
      'something new',
    ])
    expect(explainJob(viewJob(row), events, null, facts).chain[0]?.at).toBe('1970-01-01T00:00:01.000Z')
  })
  test('attempts in a row that found no room are one sentence', () => {
    const cause = (by: string) => ({ kind: 'rejected', code: 98, message: `no room on gpu1 (GPUs): held by job ${by}` })
    const refused = (attempt: number): readonly EventRow[] => [
      { ...event(10 * attempt, 'state', { from: 'queued', to: 'submitting' }), attempt },
      { ...event(10 * attempt + 1, 'attempt_ended', { state: 'failed', cause: cause(`j${attempt}`) }), attempt },
      { ...event(10 * attempt + 2, 'retry', { why: 'no room', after_ms: 2000, next_attempt: attempt + 1 }), attempt },
    ]
    const last = { ...event(50, 'state', { from: 'queued', to: 'submitting' }), attempt: 4 }
    const at = new Date(event(31, 'state', {}).at).toISOString()
    const recorded = event(1, 'state', { to: 'queued' })
    expect(texts([recorded, ...refused(1), ...refused(2), ...refused(3), last])).toEqual([
      'recorded',
      `waits: no room on gpu1 (GPUs): held by job j3 (asked 3 times, last at ${at})`,
      'queued → submitting (attempt 4)',
    ])
    expect(texts(refused(1))).toEqual(['waits: no room on gpu1 (GPUs): held by job j1'])
  })

  test('a long middle is left out, and said to be', () => {
    const chain = texts(Array.from({ length: 100 }, (_, index) => event(index, 'warning', { warning: `w${index}` })))
    expect(chain).toHaveLength(61)
    expect(chain[30]).toBe('… 40 events are left out')
    expect(chain.at(-1)).toBe('warning: w99')
  })
})
