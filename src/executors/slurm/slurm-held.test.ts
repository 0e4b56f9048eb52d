import { expect, test } from 'vitest'
import type { SiteFacts } from '../../targets/site-facts.ts'
import { expandCounts, slurmHeld } from './slurm-held.ts'

const probe = (cpus: number): readonly string[] => [
  'drover-probe begin',
  'host whatever',
  'boot 4d5e',
  'user u',
  'root /wrong',
  `cpus ${cpus}`,
  'memory 1000000',
  'tool bash /bin/bash',
  'gpu 1, NVIDIA H100, 81559',
  '',
  'drover-probe end',
]

/** What srun --label of 22.05 makes of two nodes whose lines are mixed; numbers are padded to one width. */
const labelled = (texts: readonly (readonly string[])[], width: number): readonly string[] =>
  texts[0]?.flatMap((_, line) => texts.map((text, task) => `${String(task).padStart(width)}: ${text[line] ?? ''}`)) ?? []

const site = { root: '/home/u/.drover' } as SiteFacts
const said = (more: readonly string[], width = 1): string =>
  [
    'slurm cpus 4,2',
    ...more,
    'slurm end 2026-11-21T12:30:00',
    'slurm now 2026-11-21T12:00:00 1795000000',
    'node n1 10.0.0.1',
    'node n2 10.0.0.2',
    ...labelled(
      [
        [...probe(64), 'devices 1,3'],
        [...probe(64), 'devices '],
      ],
      width,
    ),
    'drover-end',
    '',
  ].join('\n')

test.each([1, 3])('nodes in the order of the allocation, with what the job has of each, numbers %s wide', (width) => {
  const { nodes, endsAt } = slurmHeld.parse(said(['slurm memory_node 2048', 'slurm memory_cpu '], width), site, 5)
  expect(nodes.map(({ node, ip, cpus, root }) => ({ node, ip, cpus, root }))).toEqual([
    { node: 'n1', ip: '10.0.0.1', cpus: 4, root: '/home/u/.drover' },
    { node: 'n2', ip: '10.0.0.2', cpus: 2, root: '/home/u/.drover' },
  ])
  expect(nodes[0]?.memoryBytes).toBe(2048 * 1024 ** 2)
  expect(nodes[0]?.gpus).toEqual([
    { index: 1, name: 'NVIDIA H100', memoryBytes: 81559 * 1024 ** 2 },
    { index: 3, name: 'GPU', memoryBytes: 0 },
  ])
  expect(nodes[1]?.gpus).toEqual([])
  expect(endsAt).toBe(1_795_000_000_000 + 30 * 60_000)
})

test('memory per CPU, and where Slurm says none: what the node itself finds', () => {
  const perCpu = slurmHeld.parse(said(['slurm memory_node ', 'slurm memory_cpu 100']), site, 5)
  expect(perCpu.nodes.map(({ memoryBytes }) => memoryBytes / 1024 ** 2)).toEqual([400, 200])
  const none = slurmHeld.parse(said(['slurm memory_node 0', 'slurm memory_cpu ']), site, 5)
  expect(none.nodes.map(({ memoryBytes }) => memoryBytes)).toEqual([1_000_000, 1_000_000])
})

test('a text that names no node is refused', () => {
  expect(() => slurmHeld.parse('srun: error: no\ndrover-end\n', site, 5)).toThrow('cannot be read')
})

test.each([
  ['4(x3),2', [4, 4, 4, 2]],
  ['8', [8]],
  ['', []],
  ['x', []],
])('%s', (text, counts) => {
  expect(expandCounts(text)).toEqual(counts)
})

test('a step takes no shape from the holder, and all nodes by name', () => {
  expect(slurmHeld.launch({ nodes: ['n2', 'n4'], name: 'd-x-1', memoryBytes: 1024 ** 2 + 1 })).toEqual([
    'srun',
    '--overlap',
    '--cpu-bind=none',
    '--export=ALL',
    '--kill-on-bad-exit=0',
    '--wait=0',
    '--input=none',
    '--quiet',
    '--job-name=d-x-1',
    '--nodes=2',
    '--ntasks=2',
    '--ntasks-per-node=1',
    '--nodelist=n2,n4',
    '--mem=2M',
  ])
  expect(slurmHeld.prelude).toContain('SLURM_CPUS_PER_TASK')
})
