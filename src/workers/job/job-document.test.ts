import { expect, test } from 'vitest'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'
import { checkJobTask, compileJobDocument, type JobDocument, jobNameOf, writingRanksOf } from './job-document.ts'

const CALL: WorkerCall = {
  ...{ runId: 'W', loc: '-.N1', worker: 'my.sim', task: 'step', attempt: 1, root: '/runs', directory: '/runs/W/-.N1' },
  argsPath: 'W/-.N1/definition',
  args: {
    ...{ function_name: 'step', inputs: {}, outputs: {}, output_dir: 'W/-.N1/outputs' },
    ...{ done_path: 'W/-.N1/_done', error_path: 'W/-.N1/logs', logs_path: 'W/logs' },
  },
}
const BASE: JobDocument = {
  ...{ calls: [CALL], key: 'k', target: 'hpc', task: {}, worker: { command: ['./main.sh'], directory: '/workers/my.sim' } },
  ...{ sight: 'shared', writing: 'all' },
}

test('a call alone: its path is in the script; the shorter limit counts', () => {
  const document = compileJobDocument({ ...BASE, calls: [{ ...CALL, timeoutMs: 1500 }], task: { timeout: '1h' } })
  expect(document).toMatchObject({ name: jobNameOf(CALL, 'k'), target: 'hpc', timeout: '1500ms' })
  expect(document.run).toContain('drover_call=W/-.N1/definition\n')
  expect(document).not.toHaveProperty('array')
})

test('several: the values of an array', () => {
  const other = { ...CALL, argsPath: 'W/-.N2/definition' }
  expect(compileJobDocument({ ...BASE, calls: [CALL, other], maxElements: 5 })).toMatchObject({
    array: { values: ['W/-.N1/definition', 'W/-.N2/definition'], max_parallel: 5 },
  })
})

test('a container sees the run and the worker', () => {
  const { container, image } = compileJobDocument({ ...BASE, task: { image: 'alpine' } })
  const mounts = ['/runs', '/workers/my.sim'].map((path) => ({ source: path, target: path }))
  expect([container, image]).toEqual([{ image: 'alpine', mounts }, undefined])
  expect(compileJobDocument({ ...BASE, task: { container: 'alpine' } }).container).toEqual({ image: 'alpine', mounts })
})

test('staged: files and folder are parts of the work directory; linked code stays where it is', () => {
  const staged = { ...BASE, sight: 'staged', stage: '/stage' } as const
  expect(compileJobDocument(staged)).toMatchObject({
    workdir: { parts: { checkpoints: { directory: '/stage', ignore_files: false }, worker: { directory: '/workers/my.sim' } } },
    run: expect.stringMatching(/^export TKR_DIR="\$PWD"\/checkpoints .*\ncd worker \|\| exit 126\n/),
  })
  const linked = compileJobDocument({ ...staged, task: { workdir: { link: '/opt/sim' } } })
  expect(linked.workdir).toEqual({ parts: { checkpoints: { directory: '/stage', ignore_files: false } } })
  expect(linked.run).toContain('cd /opt/sim || exit 126\n')
  expect(() => compileJobDocument({ ...staged, task: { workdir: { none: true } } })).toThrow('one source of code')
})

test('who writes', () => {
  expect(writingRanksOf({})).toBe('all')
  expect(writingRanksOf({ num_nodes: 2 })).toBe('first_node')
  expect(writingRanksOf({ num_nodes: 2, launcher: 'single' })).toBe('first_node')
  expect(writingRanksOf({ launcher: { kind: 'mpirun' } })).toBe('first_rank')
})

test.each([
  ['run', { run: 'x' }, 'no task key "run"'],
  ['a key that is none', { resourses: {} }, 'no task key "resourses"'],
  ['optuna', { launcher: 'optuna' }, 'once per trial'],
])('refused: %s', (_name, task, message) => {
  expect(() => checkJobTask(task)).toThrow(message)
})

test('names are names, and of their key alone', () => {
  expect(jobNameOf(CALL, 'k')).toMatch(/^my-sim-step-[0-9a-f]{12}$/)
  expect(jobNameOf(CALL, 'k')).not.toBe(jobNameOf(CALL, 'l'))
  expect(jobNameOf({ worker: '日本', task: '' }, 'k')).toMatch(/^call-[0-9a-f]{12}$/)
})
