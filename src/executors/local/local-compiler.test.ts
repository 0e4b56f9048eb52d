import { describe, expect, test } from 'vitest'
import { attemptPaths } from '../../driver/protocol.ts'
import type { TaskSpec } from '../../task/task-spec.ts'
import type { ResolvedTask, SiteFacts } from '../executor.ts'
import { compileLocal } from './local-compiler.ts'

const spec: TaskSpec = {
  written: {},
  targets: [],
  numNodes: 1,
  resources: [],
  envs: {},
  secretNames: [],
  fileMounts: [],
  retries: { max: 0, on: [], backoff: { baseMs: 0, factor: 1, maxMs: 0 } },
  graceMs: 10_000,
  after: [],
  collect: [],
  notify: { commands: [], on: [] },
  foreign: {},
} as unknown as TaskSpec

const base: ResolvedTask = {
  name: 'train',
  target: 'local',
  numNodes: 1,
  perNode: { cpus: 1, gpus: 0 },
  priority: 0,
  envs: {},
  secretNames: [],
  run: { kind: 'script', text: 'true' },
  mounts: [],
  graceMs: 10_000,
  processesPerNode: 1,
  retries: spec.retries,
  collect: [],
  notify: spec.notify,
  upstreams: {},
  spec,
}

const site: SiteFacts = {
  readAt: 0,
  hostname: 'here',
  bootId: 'b',
  cpus: 8,
  memoryBytes: 16e9,
  gpus: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({ index, name: 'H100', memoryBytes: 80e9 })),
  tools: { bash: '/bin/bash', 'nvidia-smi': '/usr/bin/nvidia-smi' },
  processGroups: 'setsid',
  root: '/home/me/.drover',
  user: 'me',
}

const array = (size: number, width: number, positions?: readonly number[]) =>
  ({ elements: { kind: 'count', count: size }, size, width, ...(positions ? { positions } : {}) }) as const

function compile(task: Partial<ResolvedTask>, assignedGpus: readonly number[], at: SiteFacts = site) {
  return compileLocal({ ...base, ...task }, at, { jobId: 'j1', attempt: 1, assignedGpus })
}

/** What node.sh exports as CUDA_VISIBLE_DEVICES, by its case label. */
function devices(plan: ReturnType<typeof compile>): Readonly<Record<string, string>> {
  const text = plan.places[0]?.files.find(({ path }) => path === attemptPaths.node)?.content ?? ''
  const found = text.matchAll(/^ +(\d+(?::\w+)?)\) (?:export .*\n)*?export CUDA_VISIBLE_DEVICES=(\S*)/gm)
  return Object.fromEntries([...found].map(([, label, value]) => [label, value]))
}

describe('devices', () => {
  test.each<[string, number, number, readonly number[], Readonly<Record<string, string>>]>([
    ['each rank has its own', 2, 2, [4, 5, 6, 7], { '0:setup': '4,5', '0:run': '4,5', '1:setup': '6,7', '1:run': '6,7' }],
    [
      'too few are dealt in turn',
      3,
      1,
      [4, 5],
      { '0:setup': '4', '0:run': '4', '1:setup': '5', '1:run': '5', '2:setup': '4', '2:run': '4' },
    ],
    ['never one twice', 1, 4, [1, 3], { '0:setup': '1,3', '0:run': '1,3' }],
    ['none asked for: all are hidden', 1, 0, [], { '0:setup': "''", '0:run': "''" }],
  ])('%s', (_, numNodes, gpus, assigned, expected) => {
    expect(devices(compile({ numNodes, perNode: { cpus: 1, gpus } }, assigned))).toEqual(expected)
  })

  test('each slot has its own, also where fewer positions than slots are left', () => {
    const perNode = { cpus: 1, gpus: 2 }
    const setup = { '0:setup': '1,2', '0:run': '1,2' }
    expect(devices(compile({ perNode, array: array(9, 3) }, [1, 2, 3, 4, 5, 6]))).toEqual({ ...setup, 0: '1,2', 1: '3,4', 2: '5,6' })
    const retried = compile({ perNode, array: array(9, 3, [8, 4]) }, [1, 2, 3, 4])
    expect(devices(retried)).toEqual({ ...setup, 0: '1,2', 1: '3,4' })
    expect(retried.refs.gpus).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  test('are counted as nvidia-smi counts; the count per node is what was asked for', () => {
    const plan = compile({ numNodes: 2, perNode: { cpus: 1, gpus: 2 } }, [4, 5, 6, 7])
    expect(plan.places[0]?.env).toMatchObject({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID', DROVER_NUM_GPUS_PER_NODE: '2' })
    const node = plan.places[0]?.files.find(({ path }) => path === attemptPaths.node)?.content
    expect(node).toContain('export SKYPILOT_NUM_GPUS_PER_NODE=2 ;;')
    expect(node).toContain('export SKYPILOT_SETUP_NUM_GPUS_PER_NODE=2 ;;')
  })

  test("the user's own value holds, from envs and from secrets", () => {
    const perNode = { cpus: 1, gpus: 1 }
    const own = compile({ perNode, envs: { CUDA_VISIBLE_DEVICES: '7', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' } }, [0])
    expect(own.places[0]?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '7', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' })
    expect(devices(own)).toEqual({})
    expect(devices(compile({ perNode, secretNames: ['CUDA_VISIBLE_DEVICES'], array: array(2, 2) }, [0, 1]))).toEqual({})
  })

  test('those that the options keep from jobs are hidden; nothing is said where there are none', () => {
    expect(devices(compile({}, [], { ...site, gpus: [] }))).toEqual({ '0:setup': "''", '0:run': "''" })
    const bare = compile({}, [], { ...site, gpus: [], tools: {} })
    expect(devices(bare)).toEqual({})
    expect(bare.places[0]?.env).not.toHaveProperty('CUDA_DEVICE_ORDER')
  })
})
