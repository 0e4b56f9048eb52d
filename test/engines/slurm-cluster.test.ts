import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import type { TaskSpec } from '../../src/task/task-spec.ts'
import { createTaskFile, readLog, settled, until } from '../../src/testing/index.ts'
import { DROVER_BIN } from '../conformance/local-home.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')
const LIMIT_MS = 100_000
let home: SlurmHome

beforeAll(async () => {
  home = await new SlurmHome(rig, 'ssh').start()
})
afterAll(() => home.close())

/** What a task asks per node. */
const asks = (cpus: number, gpus = 0, memoryBytes?: number): Pick<TaskSpec, 'resources'> => ({
  resources: {
    ordered: false,
    candidates: [
      {
        cpus: { value: cpus, atLeast: false },
        ...(memoryBytes === undefined ? {} : { memoryBytes: { value: memoryBytes, atLeast: false } }),
        accelerators: gpus === 0 ? [] : [{ type: '*', count: gpus }],
        acceleratorsOrdered: false,
        raw: {},
      },
    ],
  },
})

/** Brings up a cluster and waits until its nodes are known. */
async function up(name: string, numNodes: number, task: Omit<Partial<TaskSpec>, 'run'> = {}): Promise<Job> {
  const [holder] = await home.drover.submit(
    createTaskFile('hpc', { name, numNodes, run: ':', holder: {}, graceMs: 20_000, ...asks(2), ...task }),
  )
  if (holder === undefined) throw new Error('no holder')
  await until(`cluster ${name} to be up`, LIMIT_MS, async () => {
    const view = (await home.drover.clusters()).find((each) => each.name === name)
    if (view?.state === 'failed') throw new Error(`${name}: ${view.reason}`)
    return view?.nodes.length === numNodes
  })
  return holder
}

async function down(holder: Job): Promise<void> {
  await home.drover.cancel(holder.id).catch(() => undefined)
  await settled(home.drover, holder.id, LIMIT_MS)
}

async function run(cluster: string, task: Parameters<typeof createTaskFile>[1]): Promise<Job> {
  const [job] = await home.drover.submit(createTaskFile(cluster, { graceMs: 1_000, ...asks(1), ...task }))
  if (job === undefined) throw new Error('no job')
  return job
}

const runs = ({ id }: Job) => until('the job to run', LIMIT_MS, async () => (await home.drover.get(id)).state === 'running')
const output = async ({ id }: Job, rank?: number) =>
  (await readLog(home.drover, id, { streams: ['stdout'], ...(rank === undefined ? {} : { ranks: [rank] }) })).toString()
const ended = ({ id }: Job) => settled(home.drover, id, LIMIT_MS)

describe('jobs on a cluster of four nodes', () => {
  let holder: Job
  const live: Job[] = []
  const started = async (...args: Parameters<typeof run>): Promise<Job> => {
    const job = await run(...args)
    live.push(job)
    return job
  }
  beforeAll(async () => {
    holder = await up('four', 4)
  })
  afterEach(async () => {
    for (const { id } of live.splice(0)) {
      await home.drover.cancel(id).catch(() => undefined)
      await settled(home.drover, id, LIMIT_MS)
    }
  })
  afterAll(() => down(holder))

  test('fewer nodes than the cluster has: ranks, addresses and logs are those of the nodes that are used', async () => {
    const first = await started('four', { ...asks(2), run: 'exec sleep 1000' })
    await runs(first)
    const job = await started('four', {
      ...asks(2),
      numNodes: 2,
      setup: 'echo set up >ready',
      run: 'cat ready; echo $DROVER_NODE_RANK of $DROVER_NUM_NODES on $(hostname); echo "$SKYPILOT_NODE_IPS"; getent hosts $(hostname) | cut -d" " -f1',
    })
    expect(await ended(job)).toMatchObject({ state: 'succeeded' })
    const own = await Promise.all([0, 1].map(async (rank) => (await output(job, rank)).trimEnd().split('\n')))
    const used = (await home.drover.get(job.id)).ranks.map(({ node }) => node)
    expect(used).toHaveLength(2)
    const [busy] = (await home.drover.get(first.id)).ranks
    expect(used).not.toContain(busy?.node)
    for (const [rank, lines] of own.entries()) {
      expect(lines.slice(0, 2)).toEqual(['set up', `${rank} of 2 on ${used[rank]}`])
      expect(lines).toHaveLength(5)
      // Its own address, as the machine itself knows it, stands at its rank.
      expect(lines[2 + rank]).toBe(lines[4])
    }
  })

  test('a rank that fails ends the others, and each rank has its own code', async () => {
    const job = await started('four', { numNodes: 3, run: 'if [ $DROVER_NODE_RANK = 1 ]; then exit 5; fi; exec sleep 1000' })
    const failed = await ended(job)
    expect(failed).toMatchObject({ state: 'failed', exit_code: 5, cause: { kind: 'exit', rank: 1, code: 5 } })
    expect(failed.ranks.map(({ exit_code, killed_by_peer }) => ({ exit_code, killed_by_peer }))).toEqual([
      { exit_code: 143, killed_by_peer: true },
      { exit_code: 5, killed_by_peer: false },
      { exit_code: 143, killed_by_peer: true },
    ])
  })

  test('setup that fails on one node: run begins on none', async () => {
    const job = await started('four', { numNodes: 2, setup: '[ $SKYPILOT_SETUP_NODE_RANK = 0 ] || exit 7', run: 'echo ran' })
    expect(await ended(job)).toMatchObject({ state: 'failed', cause: { kind: 'setup', rank: 1, code: 7 } })
    expect(await output(job)).toBe('')
  })

  test('a secret is in the environment and on no command line of any machine', async () => {
    const job = await started('four', { numNodes: 2, secrets: { TOKEN: 'zq81secret' }, run: 'echo $TOKEN; exec sleep 1000' })
    await until('its output', LIMIT_MS, async () => (await output(job, 1)) === 'zq81secret\n')
    expect(await home.commandLines()).not.toContain('zq81secret')
  })

  test('a small job passes a large one that waits, where that does not make it wait longer; the large one comes', async () => {
    const long = await started('four', { ...asks(2), numNodes: 2, run: 'exec sleep 1000' })
    await runs(long)
    const large = await started('four', { ...asks(2), numNodes: 4, run: 'echo large' })
    const small = await started('four', { ...asks(0.5), run: 'echo small' })
    expect((await home.drover.get(large.id)).state).toBe('queued')
    await home.drover.cancel(long.id)
    expect(await ended(large)).toMatchObject({ state: 'succeeded' })
    expect(await ended(small)).toMatchObject({ state: 'succeeded' })
  })

  test('a thousand elements', async () => {
    const elements = { size: 1_000, elements: { kind: 'count', count: 1_000 } } as const
    const job = await started('four', { ...asks(0.5), array: elements, run: 'exec sleep 0.01' })
    expect(await ended(job)).toMatchObject({ state: 'succeeded', elements: { total: 1_000, succeeded: 1_000 } })
  })

  test('one element is cancelled while it runs; the others go on', async () => {
    const elements = { size: 4, elements: { kind: 'count', count: 4 } } as const
    const job = await started('four', { ...asks(1), array: elements, run: '[ $DROVER_ARRAY_INDEX = 2 ] && exec sleep 1000; echo done' })
    await until('three elements', LIMIT_MS, async () => (await home.drover.get(job.id)).elements?.succeeded === 3)
    await home.drover.cancel(job.id, { elements: [2] })
    expect((await ended(job)).elements).toMatchObject({ succeeded: 3, cancelled: 1 })
  })

  test('a cancel ends the scripts on all nodes', async () => {
    const job = await started('four', { numNodes: 4, run: 'trap "echo told; exit 0" TERM; echo up; while :; do sleep 0.1; done' })
    await until('all ranks', LIMIT_MS, async () => (await output(job)).split('up').length === 5)
    await home.drover.cancel(job.id)
    expect(await ended(job)).toMatchObject({ state: 'cancelled' })
    expect((await output(job)).split('told')).toHaveLength(5)
    await until('no process of it', LIMIT_MS, () => home.processesOfJob(job).length === 0)
  })

  test('a supervisor that is killed: what ran meanwhile is known, what waited starts', async () => {
    const job = await started('four', { ...asks(2), numNodes: 4, run: 'sleep 2; echo through' })
    await runs(job)
    const next = await started('four', { ...asks(2), numNodes: 4, run: 'echo next' })
    await home.supervisorKill9()
    await home.start()
    expect(await ended(job)).toMatchObject({ state: 'succeeded', attempt: 1 })
    expect(await ended(next)).toMatchObject({ state: 'succeeded' })
    expect(await output(job, 3)).toBe('through\n')
  })

  test('more than the cluster has is refused at once; so is a cluster on machines that need not be held', async () => {
    await expect(run('four', { numNodes: 5, run: 'true' })).rejects.toThrow('the target has 4 nodes')
    await expect(run('four', { ...asks(3), run: 'true' })).rejects.toThrow('3 cores per node')
    await expect(home.drover.submit(createTaskFile('local', { name: 'x', run: ':', holder: {} }))).rejects.toThrow('kind local')
    await expect(home.drover.submit(createTaskFile('hpc', { name: 'hpc', run: ':', holder: {} }))).rejects.toThrow('name of its own')
  })

  test('bringing it up again changes nothing', async () => {
    const [again] = await home.drover.submit(createTaskFile('hpc', { name: 'four', numNodes: 2, run: ':', holder: {} }))
    expect(again?.id).toBe(holder.id)
  })
})

test('devices are given by index: two jobs on one node see one each; memory is that of the job alone', async () => {
  const holder = await up('devices', 2, asks(2, 2, 600_000_000))
  const jobs = await Promise.all(
    ['a', 'b', 'c', 'd'].map((name) => run('devices', { ...asks(0.5, 1), name, run: 'echo $(hostname) $CUDA_VISIBLE_DEVICES; sleep 2' })),
  )
  for (const job of jobs) expect(await ended(job)).toMatchObject({ state: 'succeeded' })
  expect((await Promise.all(jobs.map((job) => output(job)))).sort()).toEqual(['node1 0\n', 'node1 1\n', 'node2 0\n', 'node2 1\n'])
  const both = await run('devices', { ...asks(1, 2), numNodes: 2, run: 'echo $CUDA_VISIBLE_DEVICES' })
  expect(await ended(both)).toMatchObject({ state: 'succeeded' })
  expect([await output(both, 0), await output(both, 1)]).toEqual(['0,1\n', '0,1\n'])
  const calm = await run('devices', { ...asks(0.5, 0, 100_000_000), run: 'exec sleep 1000' })
  await runs(calm)
  const greedy = await run('devices', { ...asks(0.5, 0, 100_000_000), run: `exec python3 -c 'x = bytearray(400 * 1024 * 1024)'` })
  expect(await ended(greedy)).toMatchObject({ state: 'failed', cause: { kind: 'out_of_memory' } })
  expect((await home.drover.get(calm.id)).state).toBe('running')
  await home.drover.cancel(calm.id)
  await ended(calm)
  await down(holder)
})

describe('the allocation ends', () => {
  /** A job that runs and one that waits behind it. */
  async function two(cluster: string, cpus = 2): Promise<readonly [Job, Job]> {
    const running = await run(cluster, { ...asks(cpus), numNodes: 2, run: 'echo up; exec sleep 1000' })
    await runs(running)
    const waiting = await run(cluster, { ...asks(cpus), numNodes: 2, run: 'echo never' })
    return [running, waiting]
  }

  test.each([
    {
      how: 'by its time limit',
      task: { timeoutMs: 12_000, ...asks(2) },
      end: async () => undefined,
      state: 'failed',
      kind: 'timeout',
    },
    {
      how: 'by a cancel of the job that holds it',
      task: asks(2),
      end: async (holder: Job) => void (await home.drover.cancel(holder.id)),
      state: 'cancelled',
      kind: 'cancelled',
    },
    {
      how: 'by scancel',
      task: asks(2),
      end: async (holder: Job) => void home.login(`scancel ${(await home.drover.get(holder.id)).native_id}`),
      state: 'cancelled',
      kind: 'cancelled',
    },
    {
      how: 'by a preemption',
      task: { options: { partition: 'lowc', nodelist: 'node[3-4]' }, ...asks(4) },
      end: async () => void home.login('sbatch -p high -w node[3-4] -N2 -c4 --exclusive -t 1 --wrap "srun sleep 5" -o /dev/null'),
      state: 'failed',
      kind: 'preempted',
    },
  ])('$how', async ({ how, task, end, state, kind }) => {
    const name = how.replaceAll(' ', '-')
    const holder = await up(name, 2, task)
    const [running, waiting] = await two(name, task.resources?.candidates[0]?.cpus?.value)
    await end(holder)
    const [first, second] = [await ended(running), await ended(waiting)]
    expect(first).toMatchObject({ state, cause: { kind } })
    // What had not begun is never run, and says why.
    expect(second.state).not.toBe('succeeded')
    expect(second.cause?.message).toContain(name)
    expect(await output(waiting)).toBe('')
    await ended(holder)
    await expect(run(name, { run: 'true' })).rejects.toThrow(`cluster ${name}`)
  })

  test('by the loss of a node', async () => {
    const holder = await up('loses', 2, { options: { nodelist: 'node[3-4]' } })
    const [running, waiting] = await two('loses')
    try {
      rig.fault('kill-node', '4')
      const lost = await ended(running)
      expect(lost).toMatchObject({ state: 'failed', cause: { kind: 'node_failure' } })
      expect((await ended(waiting)).state).toBe('failed')
      expect((await ended(holder)).cause).toMatchObject({ kind: 'node_failure' })
    } finally {
      rig.fault('heal-all')
    }
  })

  test('after its idle time, by itself; not before, and while nobody watches', async () => {
    const holder = await up('idle', 1, { holder: { idleMs: 3_000 } })
    const job = await run('idle', { run: 'sleep 5; echo through' })
    expect(await ended(job)).toMatchObject({ state: 'succeeded' })
    const { native_id } = await home.drover.get(holder.id)
    await home.stop()
    await until(
      'the queue to have it no more',
      LIMIT_MS,
      () => home.login(`squeue -h -j ${native_id} -t R 2>/dev/null || true`).trim() === '',
    )
    await home.start()
    expect(await ended(holder)).toMatchObject({ state: 'succeeded' })
  })
})

test('the example of docs/clusters.md runs', () => {
  const page = readFileSync(new URL('../../docs/clusters.md', import.meta.url), 'utf8')
  const script = /^```sh\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? 'exit 9'
  const bin = join(home.base, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
  chmodSync(join(bin, 'drover'), 0o755)
  const env = { ...home.environment, PATH: `${bin}:${dirname(process.execPath)}:${home.environment['PATH']}` }
  const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', script], {
    cwd: home.directory,
    env,
    encoding: 'utf8',
    timeout: LIMIT_MS,
  })
  expect(status, stderr).toBe(0)
  for (const line of ['lab: up, node', 'rank 1 of 2', 'element 99', 'lab: down']) expect(stdout).toContain(line)
  expect(stdout).toMatch(/^lab +up +hpc +2 +0\/4 /m)
})
