import { describe, expect, test } from 'vitest'
import type { NodeFacts } from '../../targets/site-facts.ts'
import { createTaskFile } from '../../testing/index.ts'
import type { NodeShare, ResolvedTask, SiteFacts } from '../executor.ts'
import { slurmHeld } from '../slurm/slurm-held.ts'
import { compileCluster } from './cluster-compiler.ts'

const node = (name: string, ip: string): NodeFacts => ({
  readAt: 0,
  hostname: name,
  bootId: 'b',
  cpus: 8,
  memoryBytes: 16e9,
  gpus: [0, 1, 2, 3].map((index) => ({ index, name: 'GPU', memoryBytes: 0 })),
  tools: { sh: '/bin/sh', bash: '/bin/bash', setsid: '/usr/bin/setsid' },
  processGroups: 'setsid',
  root: '/home/u/.drover',
  user: 'u',
  node: name,
  ip,
})
const nodes = [node('n1', '10.0.0.1'), node('n2', '10.0.0.2'), node('n3', '10.0.0.3')]
const site: SiteFacts = { ...node('n1', '10.0.0.1'), nodes, sharedHome: true }

function task(more: Partial<ResolvedTask> = {}): ResolvedTask {
  const spec = createTaskFile('c', { run: 'echo hi' }).tasks[0]
  if (spec === undefined) throw new Error('no task')
  return {
    name: 't',
    target: 'c',
    numNodes: 1,
    perNode: { cpus: 1, gpus: 1 },
    priority: 0,
    envs: {},
    secretNames: [],
    run: { kind: 'script', text: 'echo hi' },
    mounts: [],
    graceMs: 1_000,
    processesPerNode: 1,
    retries: { max: 0, when: [], backoffMs: 0 },
    collect: [],
    notify: {},
    upstreams: {},
    spec,
    ...more,
  }
}

const share = (name: string, ...gpus: readonly number[]): NodeShare => ({ node: name, gpus, width: 1 })
const compile = (of: ResolvedTask, ...shares: readonly NodeShare[]) =>
  compileCluster(slurmHeld, of, site, { jobId: 'j', attempt: 2, shares })
const text = (plan: ReturnType<typeof compile>, path: string, place = 0): string =>
  plan.places[place]?.files.find((file) => file.path === path)?.content ?? ''
const unquoted = (script: string): string => script.replaceAll("'", '')
const STEP = 'srun --overlap --cpu-bind=none --export=ALL --kill-on-bad-exit=0 --wait=0 --input=none --quiet --job-name=d-j-2'

describe('one node', () => {
  const plan = compile(task({ perNode: { cpus: 1, gpus: 2, memoryBytes: 512 * 1024 ** 2 } }), share('n2', 1, 3))

  test('its driver is launched there, and nowhere else', () => {
    expect(unquoted(text(plan, 'held.sh'))).toBe(
      `#!/bin/sh\n${slurmHeld.prelude}\nexec ${STEP} --nodes=1 --ntasks=1 --ntasks-per-node=1 --nodelist=n2 --mem=512M sh /home/u/.drover/jobs/j/2/held-step.sh\n`,
    )
    expect(plan.places[0]?.command).toEqual(['sh', '/home/u/.drover/jobs/j/2/held.sh'])
  })

  test('it sees the devices it was given; the user’s own word stands above that', () => {
    expect(plan.places[0]?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '1,3', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' })
    const own = compile(task({ envs: { CUDA_VISIBLE_DEVICES: '7' } }), share('n2', 1))
    expect(own.places[0]?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '7' })
  })
})

describe('several nodes', () => {
  const plan = compile(task({ numNodes: 2 }), share('n3', 2), share('n1', 0))

  test('one driver, on the head node; ranks in the order of the allocation, whatever order they were given in', () => {
    expect(plan.places).toHaveLength(1)
    expect(plan.ranks).toEqual([
      { rank: 0, node: 'n1' },
      { rank: 1, node: 'n3' },
    ])
    expect(text(plan, 'held.sh')).toBe(`#!/bin/sh\n${slurmHeld.prelude}\nexec sh /home/u/.drover/jobs/j/2/held-step.sh\n`)
    expect(text(plan, 'driver.sh')).toContain('--nodelist=n1,n3')
    expect(text(plan, 'driver.sh')).toContain("echo '\\''n3 10.0.0.3'\\''")
  })

  test('each rank has devices of its own', () => {
    expect(text(plan, 'held-rank.sh')).toBe(`#!/bin/sh
case $SLURM_PROCID in
  0) export CUDA_VISIBLE_DEVICES=0; export CUDA_DEVICE_ORDER=PCI_BUS_ID ;;
  1) export CUDA_VISIBLE_DEVICES=2; export CUDA_DEVICE_ORDER=PCI_BUS_ID ;;
esac
exec "$@"
`)
    expect(plan.places[0]?.env).not.toHaveProperty('CUDA_VISIBLE_DEVICES')
  })
})

test('an array: a place on each node, with its part', () => {
  const array = { size: 5, width: 3, elements: { kind: 'count', count: 5 } } as const
  const plan = compile(task({ array, perNode: { cpus: 1, gpus: 0, memoryBytes: 1024 ** 2 } }), { ...share('n1'), width: 2 }, share('n2'))
  expect(plan.places.map(({ node: name, attemptDir, slots, ranks }) => ({ name, attemptDir, slots, ranks }))).toEqual([
    { name: 'n1', attemptDir: '/home/u/.drover/jobs/j/2-0', slots: 2, ranks: [0] },
    { name: 'n2', attemptDir: '/home/u/.drover/jobs/j/2-1', slots: 1, ranks: [1] },
  ])
  // The step's memory is that of all its slots.
  expect(unquoted(text(plan, 'held.sh', 0))).toContain('--nodelist=n1 --mem=2M ')
  expect(plan.width).toBe(3)
})

test('more nodes than there are', () => {
  expect(() => compile(task({ numNodes: 4 }))).toThrow('it asks for 4 nodes, and cluster "c" has 3')
})

test('secrets are in no file of a plan', () => {
  const plan = compile(task({ numNodes: 2, secretNames: ['TOKEN'] }), share('n1'), share('n2'))
  expect(plan.secretNames).toEqual(['TOKEN'])
  expect(JSON.stringify(plan.places)).not.toContain('TOKEN=')
})
