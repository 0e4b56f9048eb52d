import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PlanView } from '../../src/jobs/drover.ts'
import { defineTask } from '../../src/task/define-task.ts'
import { compileJobDocument, writingRanksOf } from '../../src/workers/job/job-document.ts'
import { jobSpecToTask } from '../../src/workers/job/job-spec.ts'
import type { WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { FakeSlurmHome } from '../conformance/fake-slurm-home.ts'
import { PbsHome } from '../executors/pbs-home.ts'
import { PjmHome } from '../executors/pjm-home.ts'

/** All fields, as a program that uses tierkreis.hpc would dump them. */
const SPEC = {
  job_name: 'large',
  command: 'uv run main.py',
  resource: { nodes: 2, cores_per_node: 2, memory_gb: 1, gpus_per_node: null },
  account: 'team',
  mpi: { max_proc_per_node: 2, proc: null },
  user: { mail: 'ada@example.org' },
  container: null,
  walltime: '00:15:00',
  queue: 'main',
  output_path: null,
  error_path: null,
  extra_scheduler_args: {},
  environment: { OMP_NUM_THREADS: '1' },
  include_no_check_directory_flag: false,
}

const CALL: WorkerCall = {
  ...{ runId: 'W', loc: '-.N1', worker: 'sim', task: 'step', attempt: 1, root: '/runs', directory: '/runs/W/-.N1' },
  argsPath: 'W/-.N1/definition',
  args: {
    ...{ function_name: 'step', inputs: {}, outputs: {}, output_dir: 'W/-.N1/outputs' },
    ...{ done_path: 'W/-.N1/_done', error_path: 'W/-.N1/logs', logs_path: 'W/logs' },
  },
}

function fileOf(spec: unknown, kind: string, target: string): ReturnType<typeof defineTask> {
  const { command, task } = jobSpecToTask(spec, kind)
  const [sight, writing, worker] = ['shared', writingRanksOf(task), { command, directory: '/workers/sim' }] as const
  return defineTask(compileJobDocument({ calls: [CALL], key: 'k', target, task, worker, sight, writing }))
}

/** Directives of the job script, without the name, which is the attempt's. */
function directives([plan]: readonly PlanView[], mark: string): readonly string[] {
  const script = plan?.places[0]?.files.find(({ content }) => content.includes(`\n${mark} `))?.content ?? ''
  return script.split('\n').filter((line) => line.startsWith(`${mark} `) && !/ (--job-name=|-N |--output=|--error=|-o |-e )/.test(line))
}

describe.each([
  {
    kind: 'slurm',
    mark: '#SBATCH',
    target: 'hpc',
    open: async () => await new FakeSlurmHome().start(),
    extra: { '--exclusive': null, '-C': 'ib', '--mcs-label': 'x', '--output': 'mine' },
    expected: [
      ...['--no-requeue', '--open-mode=append', '--nodes=2', '--ntasks=2', '--ntasks-per-node=1', '--cpus-per-task=2', '--mem=1024M'],
      ...['--account=team', '--constraint=ib', '--exclusive', '--mail-type=END', '--mail-user=ada@example.org', '--mcs-label=x'],
      ...['--partition=main', '--time=00:15:00'],
    ],
    notes: ['extra_scheduler_args: --output is left out, Drover writes it itself.'],
  },
  {
    kind: 'pbs',
    mark: '#PBS',
    target: 'hpc',
    open: () => PbsHome.open(),
    extra: {},
    expected: [
      '-r n',
      '-q main',
      '-A team',
      '-m e',
      '-M ada@example.org',
      '-l select=2:ncpus=2:mpiprocs=2:mem=1024mb',
      '-l walltime=00:15:00',
    ],
    notes: ['mpi: the command itself starts its processes, as there (mpirun, mpiexec).'],
  },
  {
    kind: 'pjm',
    mark: '#PJM',
    target: 'fugaku',
    open: () => PjmHome.open(),
    // From upstream's own pjsub_large_spec.
    extra: { '-z': 'jid', '--llio': 'sharedtmp-size=64Gi' },
    expected: [
      '-L node=2',
      '-L rscgrp=main',
      '-L elapse=00:15:00',
      '-g team',
      '-m e',
      '--mail-list ada@example.org',
      '--llio sharedtmp-size=64Gi',
    ],
    notes: [
      'mpi: the command itself starts its processes, as there (mpirun, mpiexec).',
      'extra_scheduler_args: -z is left out, Drover writes it itself.',
    ],
  },
])('a JobSpec on $kind', ({ kind, mark, target, open, extra, expected, notes }) => {
  let home: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    home = await open()
  })
  afterAll(async () => {
    await home?.close()
  })

  test('becomes the directives it asks for', async () => {
    const spec = { ...SPEC, extra_scheduler_args: extra }
    const lines = directives(await home.drover.plan(fileOf(spec, kind, target)), mark)
    for (const each of expected) expect(lines).toContain(`${mark} ${each}`)
    expect(jobSpecToTask(spec, kind).notes.toSorted()).toEqual(notes.toSorted())
    expect(lines.toSorted()).toMatchSnapshot()
  })
})
