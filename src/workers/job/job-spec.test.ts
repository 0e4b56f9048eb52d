import { expect, test } from 'vitest'
import { jobSpecToTask } from './job-spec.ts'

const SPEC = { job_name: 'small', command: 'uv run main.py', resource: {} }

test('the defaults are upstream’s', () => {
  expect(jobSpecToTask(SPEC, 'slurm')).toEqual({
    command: 'uv run main.py',
    task: { num_nodes: 1, resources: { cpus: 1, memory: '4GB' }, options: { slurm: { time: '01:00:00' } } },
    notes: [],
  })
  expect(jobSpecToTask(SPEC, 'local').task).toEqual({ num_nodes: 1, resources: { cpus: 1, memory: '4GB' }, timeout: 3600 })
})

test('processes: mpirun where it is started for them', () => {
  const mpi = { ...SPEC, resource: { nodes: 2 }, mpi: { proc: 8 } }
  expect(jobSpecToTask(mpi, 'slurm').task).toMatchObject({ num_nodes: 2, processes_per_node: 4, launcher: 'mpirun' })
  expect(jobSpecToTask(mpi, 'pjm').task).not.toHaveProperty('launcher')
})

test('GPUs of any kind, containers and their options', () => {
  const container = { image: 'python:3.12', engine: 'Singularity', extra_args: { '--nv': null, '--bind': '/data' }, env_file: '/e' }
  const { task } = jobSpecToTask({ ...SPEC, resource: { gpus_per_node: 2 }, container }, 'slurm')
  expect(task).toMatchObject({
    resources: { accelerators: '1MB+:2' },
    container: { image: 'python:3.12', runtime: 'apptainer', options: ['--nv', '--bind', '/data', '--env-file', '/e'] },
    options: { slurm: { gpu_request: 'gpus_per_node' } },
  })
})

test('what a target has no word for is said', () => {
  const { notes } = jobSpecToTask({ ...SPEC, queue: 'q', output_path: '/o', extra_scheduler_args: { '-x': '1' } }, 'ssh')
  expect(notes).toEqual([
    "output_path is not written: drover logs shows what the job prints, and a failed call's errors lie beside it.",
    'queue, extra_scheduler_args: a target of kind ssh has no such thing.',
  ])
})

test.each([
  ['a key that is none', { ...SPEC, walltme: '1' }, 'JobSpec: walltme is no field of it'],
  ['one of a part', { ...SPEC, resource: { cores: 2 } }, 'JobSpec: resource.cores is no field of it'],
  ['no command', { job_name: 'x', resource: {} }, 'JobSpec: command is missing'],
  ['no resource', { job_name: 'x', command: 'y' }, 'JobSpec: resource is missing'],
  ['a number that is none', { ...SPEC, resource: { nodes: 0 } }, 'JobSpec: resource.nodes must be a whole number of at least 1'],
  ['processes that contradict each other', { ...SPEC, mpi: { proc: 3, max_proc_per_node: 2 } }, 'mpi.proc is 3'],
  ['an engine that is none', { ...SPEC, container: { image: 'x', engine: 'lxc' } }, 'container.engine: "lxc"'],
  ['no object', 'x', 'JobSpec: the document is no object'],
])('refused: %s', (_name, spec, message) => {
  expect(() => jobSpecToTask(spec, 'slurm')).toThrow(message)
})

test('a walltime that is none', () => {
  expect(() => jobSpecToTask({ ...SPEC, walltime: 'long' }, 'local')).toThrow('walltime "long" is no HH:MM:SS')
})
