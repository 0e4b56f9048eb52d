import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import type { TaskInput } from '../../task/task-input.ts'
import { clusterFacts, clusterSite, planned } from './slurm.fixture.ts'

const HOSTILE = `q"q's \\ # % $HOME \`id\` ünï日 --x=1 ;|&<>`

/** What is submitted, and how it starts what it runs: one file of test/golden/slurm each. */
const cases: readonly [string, Partial<TaskInput>, Record<string, unknown>?][] = [
  ['one-node', {}],
  ['resources', { resources: { cpus: 2.5, memory: '10GB' }, timeout: '90m', grace: '30s', options: { account: 'team', qos: 'long' } }],
  ['several-nodes', { num_nodes: 4, setup: 'true', resources: { cpus: 8, accelerators: 'H100:8' }, options: { partition: 'gpu' } }],
  ['gpus-untyped', { resources: { accelerators: '2' }, options: { partition: 'gpu', gres: 'nvme:1' } }],
  ['gpus-per-node', { resources: { accelerators: 'A100:4' }, options: { partition: 'mixed', gpu_request: 'gpus_per_node' } }],
  ['exclusive', { num_nodes: 2, options: { exclusive: true, mem: 0, srun_options: ['--mpi=pmix'] } }],
  ['array', { array: { range: '0-99', max_parallel: 10 }, run: 'echo "$DROVER_ARRAY_INDEX"' }],
  ['signal', { options: { signal: 'SIGUSR1@2m', scheduler_requeue: true } }],
  ['signal-and-timeout', { timeout: '200s', grace: '10s', options: { signal: 'USR1@30s', requeue: { exit_code: 75 } } }],
  [
    'heterogeneous',
    {
      num_nodes: 3,
      run: 'python train.py "$DROVER_NODE_RANK"',
      options: {
        account: 'team',
        het: [
          { nodes: 1, cpus: 4, memory: '8GB' },
          { nodes: 2, cpus: 32, memory: '64GB', accelerators: 'H100:8', partition: 'gpu', constraint: 'nvlink' },
        ],
      },
    },
  ],
  [
    'pyxis',
    {
      num_nodes: 2,
      resources: { accelerators: 'H100:8' },
      container: { image: 'nvcr.io/nvidia/pytorch:24.05-py3', runtime: 'pyxis', mounts: ['/data:/data:ro'] } as never,
      options: { partition: 'gpu' },
    },
  ],
  [
    'pyxis-file',
    { container: { image: '/images/torch.sqsh', runtime: 'pyxis', user: 'root', options: ['--container-entrypoint'] } as never },
  ],
  [
    'every-option',
    {
      options: {
        slurm: {
          partition: 'main,gpu',
          account: 'a',
          qos: 'q',
          constraint: 'x&y|z',
          prefer: 'fast',
          reservation: 'r',
          nodelist: 'n[1-4]',
          exclude: 'n9',
          licenses: 'matlab:1',
          comment: 'why',
          begin: 'now+1hour',
          deadline: '2027-01-01T00:00:00',
          time: '1-00:00:00',
          time_min: '1:00:00',
          mail_type: 'END,FAIL',
          mail_user: 'a@b.c',
          network: 'sn_all',
          switches: '1@10',
          wckey: 'k',
          tmp: '10G',
          gpu_bind: 'closest',
          gpu_freq: 'high',
          hint: 'nomultithread',
          distribution: 'block:cyclic',
          dependency: 'singleton',
          gres: 'shard:2',
          burst_buffer: 'capacity=1G',
          mem_per_cpu: '2G',
          threads_per_core: 1,
          ntasks_per_socket: 1,
          core_spec: 0,
          segment: 2,
          priority: 5,
          nice: -3,
          hold: true,
          contiguous: true,
          overcommit: true,
          oversubscribe: true,
          spread_job: true,
          use_min_nodes: true,
          reboot: false,
          exclusive: 'user',
          native: { 'delay-boot': 5, 'get-user-env': true, x11: false, acctg_freq: ['task=30', 'energy=60'], power: null },
        },
      },
    },
  ],
  [
    'hostile',
    { options: { comment: HOSTILE, native: { 'mcs-label': `a "b" \\c`, wckey: '#no comment', 'extra-node-info': '2:4:1' } } },
    { account: 'a b' },
  ],
  ['native-over-typed', { options: { partition: 'main', native: { partition: 'gpu' } } }],
  [
    'remote-script',
    {
      run: undefined,
      remote_script: '~/it is/job.sh',
      args: ['a b', '$x'],
      timeout: '10m',
      options: { partition: 'gpu', comment: HOSTILE },
    } as never,
  ],
]

function shown(input: Partial<TaskInput>, targetOptions?: Record<string, unknown>): string {
  const plan = planned(input, clusterSite(), targetOptions)
  const [place] = plan.places
  const script =
    place?.files.find(({ path }) => path === 'job.sh')?.content ??
    `${plan.refs.scripts.map((each) => JSON.stringify(each, undefined, 2)).join('\n')}\n`
  const driver = place?.files.find(({ path }) => path === 'driver.sh')?.content ?? ''
  const launch = driver
    .split('\n')
    .filter((line) => /^\s*_d_in_group srun /.test(line))
    .map((line) => `# starts each phase: ${line.trim()}`)
  const keys = plan.keys.map(({ key, became }) => `# ${key}: ${became}`)
  return [script.trimEnd(), ...launch, ...keys, ...plan.warnings.map((warning) => `# warning: ${warning}`), ''].join('\n')
}

describe('scripts for sbatch', () => {
  test.each(cases)('%s', async (name, input, targetOptions) => {
    await expect(shown(input, targetOptions)).toMatchFileSnapshot(`../../../test/golden/slurm/${name}.sh`)
  })

  test.each(cases)('%s is text that a shell can read', (_, input, targetOptions) => {
    for (const { path, content } of planned(input, clusterSite(), targetOptions).places[0]?.files ?? []) {
      if (!path.endsWith('.sh')) continue
      const { status, stderr } = spawnSync('sh', ['-n'], { input: content, encoding: 'utf8' })
      expect(status, `${path}: ${stderr}`).toBe(0)
    }
  })

  test('directives come before the first command, for sbatch reads no further', () => {
    const [script = ''] = planned({ array: { range: '0-3' } as never }).places[0]?.files.map(({ content }) => content) ?? []
    const lines = script.split('\n')
    expect(lines.findLastIndex((line) => line.startsWith('#SBATCH'))).toBeLessThan(
      lines.findIndex((line, at) => at > 0 && line !== '' && !line.startsWith('#')),
    )
  })
})

describe('what one job cannot ask for', () => {
  test.each<[string, Partial<TaskInput>, RegExp]>([
    [
      'memory twice',
      { resources: { memory: '4GB' }, options: { mem_per_cpu: '1G' } },
      /resources\.memory and mem_per_cpu exclude each other/,
    ],
    ['cores twice', { resources: { cpus: 4 }, options: { cpus_per_gpu: 4 } }, /cpus_per_gpu and resources\.cpus exclude/],
    ['components without their nodes', { options: { het: [{ nodes: 1 }, { nodes: 2 }] } }, /have 3 nodes, and num_nodes is 1/],
    [
      'memory of some components',
      { num_nodes: 2, options: { het: [{ nodes: 1, memory: '1GB' }, { nodes: 1 }] } },
      /all say how much memory/,
    ],
    ['a GPU that the site has not', { resources: { accelerators: 'MI300:1' } }, /has no GPU of type MI300/],
    ['A10 where only A100 is', { resources: { accelerators: 'A10:1' }, options: { partition: 'mixed' } }, /no GPU of type A10\b/],
    [
      'GPUs of a partition without',
      { resources: { accelerators: 'H100:1' }, options: { partition: 'main' } },
      /partition main\) has no GPUs/,
    ],
    ['a warning as soon as it begins', { timeout: '80s', options: { signal: 'USR1@20s' } }, /as soon as the job begins/],
    ['an array in pyxis', { array: { range: '0-3' }, container: { image: 'x', runtime: 'pyxis' } } as never, /pyxis cannot put them/],
    ['a network in pyxis', { container: { image: 'x', runtime: 'pyxis', network: 'bridge' } } as never, /no network bridge/],
  ])('%s', (_, input, message) => {
    expect(() => planned(input)).toThrow(InputError)
    expect(() => planned(input)).toThrow(message)
  })

  test('a root with a backslash: Slurm would write elsewhere', () => {
    expect(() => planned({}, clusterSite(clusterFacts, '/home/a\\b'))).toThrow(/backslash/)
  })

  test('what a partition has not is told before the job waits for ever', () => {
    const { warnings } = planned({ num_nodes: 17, resources: { cpus: 65, memory: '600GB' }, timeout: '2d' })
    expect(warnings.map((each) => each.replace(/:.*/, ''))).toEqual([
      'partition main has fewer than the 17 nodes asked for (16)',
      'partition main has no node with 65 cores (64)',
      'partition main has no node with 614400M of memory (524288M)',
      'partition main runs jobs for less than the 2881 min asked for (1440 min)',
    ])
  })
})

test('a percent sign in the path of the logs is no pattern', () => {
  const plan = planned({}, clusterSite(clusterFacts, '/home/a%jb c'))
  const [script = ''] = plan.places[0]?.files.map(({ content }) => content) ?? []
  expect(script).toContain('#SBATCH --output="/home/a%%jb c/jobs/k3v9x2m7qd/1/logs/driver.log"\n')
})
