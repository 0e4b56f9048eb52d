import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NativeJob, QueryAnswer } from '../batch/scheduler.ts'
import { captured } from './slurm.fixture.ts'
import { arrayIndices, slurmHistory, slurmQueue, slurmTime } from './slurm-queries.ts'

const answer = (query: typeof slurmQueue, stdout: string, code = 0, stderr = ''): QueryAnswer => query.parse({ code, stdout, stderr }, 0)
function jobs(query: typeof slurmQueue, file: string): readonly NativeJob[] {
  const parsed = answer(query, captured(file))
  if (parsed.kind !== 'answered') throw new Error(parsed.reason)
  return parsed.jobs
}
const named = (all: readonly NativeJob[], name: string) => all.filter((job) => job.name === name)

describe('squeue of 22.05.8', () => {
  const all = jobs(slurmQueue, 'squeue.txt')

  test('every state of the capture', () => {
    const states = Object.fromEntries(
      all.filter(({ tasks }) => tasks === undefined).map(({ name, word, state, reason }) => [name, [word, state, reason]]),
    )
    expect(states).toEqual({
      'd-eeeeeeeeee-1': ['FAILED', 'failed', 'JobLaunchFailure'],
      'd-ffffffffff-2': ['FAILED', 'failed', 'JobLaunchFailure'],
      'd-oooooooooo-1': ['OUT_OF_MEMORY', 'failed', 'OutOfMemory'],
      'd-nnnnnnnnnn-1': ['PENDING', 'queued', 'PartitionConfig'],
      'd-llllllllll-1': ['PENDING', 'queued', 'PartitionTimeLimit'],
      'd-pppppppppp-1': ['PENDING', 'queued', 'DependencyNeverSatisfied'],
      'd-rrrrrrrrrr-1': ['PENDING', 'queued', 'BeginTime'],
      'd-hethethete-1': ['PENDING', 'queued', 'JobHeldUser'],
      'we|ird na%me': ['RUNNING', 'running', undefined],
    })
  })

  test('waiting tasks of an array, with gaps and a limit, whole', () => {
    const [array] = named(all, 'd-aaaaaaaaab-1')
    expect(array?.tasks).toHaveLength(79)
    expect(array?.tasks?.slice(0, 8)).toEqual([0, 2, 4, 6, 8, 12, 16, 20])
    expect(array?.tasks?.at(-1)).toBe(198)
  })

  test('tasks that have ended are told one by one', () => {
    const ended = named(all, 'd-cccccccccc-1').map(({ tasks, word }) => [tasks?.[0], word] as const)
    expect(ended.toSorted(([a = 0], [b = 0]) => a - b)).toEqual([
      [0, 'COMPLETED'],
      [1, 'FAILED'],
      [2, 'FAILED'],
      [3, 'COMPLETED'],
      [4, 'FAILED'],
      [5, 'FAILED'],
      [6, 'COMPLETED'],
      [7, 'FAILED'],
    ])
  })

  test('a heterogeneous job is its first component', () => {
    expect(named(jobs(slurmQueue, 'squeue-het.txt'), 'd-hethethete-1').map(({ id }) => id)).toEqual(['87', '75', '107'])
  })

  test('times are UTC, an expected start is no start', () => {
    const [waiting] = named(all, 'd-rrrrrrrrrr-1')
    expect(waiting).toMatchObject({ submittedAt: Date.parse('2026-11-21T20:10:12Z'), expectedStart: Date.parse('2026-11-21T21:10:12Z') })
    expect(waiting?.startedAt).toBeUndefined()
    expect(slurmTime('N/A')).toBeUndefined()
  })

  test('nothing is concluded of an answer that was cut off, at whatever byte', () => {
    const whole = captured('squeue.txt')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 2 }), (length) => {
        expect(answer(slurmQueue, whole.slice(0, length)).kind).toBe('could_not_ask')
      }),
    )
  })

  test.each([
    ['slurm_load_jobs error: Unable to contact slurm controller (connect failure)', 1, 'could_not_ask'],
    ['slurm_load_jobs error: Socket timed out on send/recv operation', 1, 'could_not_ask'],
    ['slurm_load_jobs error: Invalid job id specified', 1, 'answered'],
    ['sh: 1: squeue: not found', 127, 'could_not_ask'],
  ])('%s', (stderr, code, kind) => {
    expect(answer(slurmQueue, '', code, stderr).kind).toBe(kind)
  })
})

describe('sacct of 22.05.8', () => {
  const all = jobs(slurmHistory, 'sacct.txt')

  test('ends with their codes; what is said to live is left out', () => {
    const ends = all
      .filter(({ tasks }) => tasks === undefined)
      .map(({ id, word, state, cause, exitCode }) => [id, word, state, cause, exitCode])
    expect(ends).toEqual([
      ['1', 'CANCELLED by 1001', 'cancelled', undefined, undefined],
      ['2', 'CANCELLED by 1001', 'cancelled', undefined, undefined],
      ['65', 'CANCELLED by 1001', 'cancelled', undefined, undefined],
      ['67', 'TIMEOUT', 'failed', 'timeout', undefined],
      ['69', 'PREEMPTED', 'failed', 'preempted', undefined],
      ['70', 'TIMEOUT', 'failed', 'timeout', undefined],
      ['110', 'FAILED', 'failed', 'signal', 137],
      ['111', 'OUT_OF_MEMORY', 'failed', 'out_of_memory', 137],
      // 0:53: the file for its output could not be made, so nothing ran.
      ['112', 'FAILED', 'failed', 'driver', 1],
    ])
  })

  test('an array that was cancelled while it waited, with gaps', () => {
    const [array] = named(all, 'd-zzzzzzzzzz-1')
    expect(array).toMatchObject({ id: '105', state: 'cancelled' })
    expect(array?.tasks).toHaveLength(98)
  })

  test('codes of tasks', () => {
    expect(named(all, 'd-cccccccccc-1').map(({ tasks, exitCode }) => [tasks?.[0], exitCode])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 0],
      [4, 1],
      [5, 2],
      [6, 0],
      [7, 1],
    ])
  })

  test('components of a heterogeneous job', () => {
    const text = '75+0|FAILED|3:0|2026-11-21T20:10:12|2026-11-21T20:10:12|node1|None|d-a-1\n75+1|CANCELLED|0:0|||||d-a-1\ndrover-end\n'
    const parsed = answer(slurmHistory, text)
    expect(parsed).toMatchObject({ kind: 'answered', jobs: [{ id: '75', exitCode: 3 }] })
    expect(parsed.kind === 'answered' && parsed.jobs).toHaveLength(1)
  })
})

describe('array expressions', () => {
  test.each([
    ['7', [7]],
    ['0-3', [0, 1, 2, 3]],
    ['1,5-9:2', [1, 5, 7, 9]],
    ['[5-9%10]', [5, 6, 7, 8, 9]],
    ['0-8:4%2', [0, 4, 8]],
    ['1,3,15...%10', undefined],
    ['1,5,...', undefined],
    ['[]', undefined],
    ['N/A', undefined],
    ['3-1', undefined],
    ['0-99999999999', undefined],
  ])('%s', (text, indices) => {
    expect(arrayIndices(text)).toEqual(indices)
  })

  test('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void arrayIndices(text)))
  })
})
