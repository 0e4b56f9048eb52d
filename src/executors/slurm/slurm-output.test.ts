import { expect, test } from 'vitest'
import { captured } from './slurm.fixture.ts'
import { parseOutput } from './slurm-output.ts'

const told = (stdout: string) => parseOutput({ code: 0, stdout, stderr: '' })

test('a job of 22.05.8: its files, and how it ended', () => {
  expect(told(captured('scontrol-job.txt'))).toEqual({
    files: [{ stdout: '/home/drover/fo reign/out-158-d-ffffffffff-3.txt', stderr: '/home/drover/fo reign/out-158-d-ffffffffff-3.txt' }],
    exits: [{ code: 3, signal: 0 }],
  })
})

test('an array: tasks that have begun', () => {
  const { files, exits } = told(captured('scontrol-array.txt'))
  expect(exits.map(({ task }) => task).toSorted()).toEqual([1, 2])
  expect(files.map(({ task }) => task).toSorted()).toEqual([1, 2])
  expect(files.find(({ task }) => task === 2)).toMatchObject({ stderr: expect.stringMatching(/^\/home\/drover\/arr-\d+-2\.err$/) })
})

test('a heterogeneous job: its first component', () => {
  expect(told(captured('scontrol-het.txt')).files).toHaveLength(1)
})

test('a job that is forgotten', () => {
  expect(parseOutput({ code: 1, stdout: '', stderr: 'slurm_load_jobs error: Invalid job id specified' })).toEqual({ files: [], exits: [] })
})
