import { describe, expect, test } from 'vitest'
import type { NativeJob } from '../batch/scheduler.ts'
import { parseExplanation } from './slurm-explain.ts'

const waiting = (reason?: string): NativeJob => ({
  id: '7',
  name: 'd-a-1',
  word: 'PENDING',
  state: 'queued',
  ...(reason === undefined ? {} : { reason }),
})
const explain = (reason?: string, stdout = '') => parseExplanation({ code: 0, stdout, stderr: '' }, waiting(reason))

describe('reasons', () => {
  test.each([
    ['Resources', /as soon as nodes/, true],
    ['Priority', /higher priority/, true],
    ['PartitionConfig', /waits for ever/, true],
    ['PartitionTimeLimit', /more time than its partition/, true],
    ['DependencyNeverSatisfied', /never start/, true],
    ['ReqNodeNotAvail, UnavailableNodes:node[1-3]', /down, drained or reserved/, true],
    ['ReqNodeNotAvail, Reserved for maintenance', /maintenance/, true],
    ['Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions', /down, drained/, true],
    ['BeginTime', /time to begin/, false],
    ['job requeued in held state', /holds it/, true],
    ['QOSMaxCpuPerUserLimit', /limit of its QoS on CPUs per user/, true],
    ['QOSGrpNodeLimit', /limit of its QoS on nodes is/, true],
    ['AssocGrpGRES', /limit of your account on GPUs/, true],
    ['AssocMaxJobsLimit', /limit of your account on jobs at one time/, true],
    ['QOSMaxWallDurationPerJobLimit', /on time per job/, true],
    ['SomethingNew', /^Slurm says SomethingNew$/, false],
    [undefined, /not looked at it yet/, false],
  ] as const)('%s', (reason, words, advised) => {
    const notes = explain(reason)
    expect(notes.reason).toMatch(words)
    expect(notes.advice !== undefined).toBe(advised)
    expect(notes.nativeReason).toBe(reason ?? 'None')
  })
})

test('its place and expected start, as 22.05.8 prints them', () => {
  const stdout =
    'start 2026-11-21T21:10:12 4294901740 main\npending 4294901744 main\npending 4294901742 low\npending 4294901740 main\npending 4294901739 main\n'
  expect(explain('Priority', stdout)).toMatchObject({ before: 1, expectedStart: Date.parse('2026-11-21T21:10:12Z') })
})

test('a start that nobody expects, and text that was cut off', () => {
  expect(explain('Resources', 'start N/A 4294901740 main\n')).not.toHaveProperty('expectedStart')
  expect(explain('Resources', 'sta')).not.toHaveProperty('before')
})
