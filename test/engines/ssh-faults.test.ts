import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { createTaskFile, until } from '../../src/testing/index.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')
let home: SshHome
beforeAll(async () => {
  home = new SshHome(rig, 'private')
  const config = join(home.base, '.config/drover/config.yaml')
  const lab = readFileSync(config, 'utf8').replace('targets:\n  lab:', '  patient:')
  appendFileSync(config, `${lab}    wait_for_nodes: 5m\n`)
  await home.start()
})
afterAll(() => home.close())
afterEach(() => {
  rig.fault('heal-all')
})

async function submit(spec: Parameters<typeof createTaskFile>[1], target = 'lab'): Promise<Job> {
  const [job] = await home.drover.submit(createTaskFile(target, spec))
  if (!job) throw new Error('no job')
  return job
}

const fourCores = {
  ordered: false,
  candidates: [{ cpus: { value: 4, atLeast: false }, accelerators: [], acceleratorsOrdered: false, raw: {} }],
}

/** Ends the sshd of a machine and what sessions there are. */
function takeAway(machine: string): void {
  rig.fault('stop-sshd', machine)
  rig.on(`node${machine}`, 'sh', '-c', "pkill -KILL -f '^sshd: drover' || true")
}

const started = (job: Job) => until('the script to run', 30_000, async () => (await home.drover.get(job.id)).state === 'running')

async function output(job: Job): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const chunk of home.drover.logs(job.id)) pieces.push(chunk.bytes)
  return Buffer.concat(pieces).toString()
}

/** Processes of jobs that are left on the machines. */
const left = () =>
  ['node1', 'node2', 'node3', 'node4'].flatMap((node) => rig.processes(node).filter((line) => line.includes(`${home.root}/jobs`)))

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000))

/** Cuts in each phase: ssh-cuts.test.ts. */
describe('a network that is cut and healed', () => {
  test('while it was submitted: it runs once', async () => {
    rig.fault('cut-network', '1')
    const job = await submit({ run: 'echo ran >>ran; cat ran', retries: { max: 0, when: [], backoffMs: 0 } })
    await seconds(2)
    rig.fault('heal-network', '1')
    const ended = await home.drover.wait(job.id)
    // Nothing was started, or it was started once: never twice, never a success without a run.
    if (ended.state === 'succeeded') expect(await output(job)).toBe('ran\n')
    else expect(ended).toMatchObject({ state: 'failed', cause: { kind: 'staging' } })
  })

  test('sessions that are cut are made anew', async () => {
    const job = await submit({ run: 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done' })
    await started(job)
    rig.fault('drop-ssh', '1')
    expect(await home.drover.wait(job.id)).toMatchObject({ state: 'succeeded' })
    expect(await output(job)).toBe('1\n2\n3\n4\n5\n6\n7\n8\n')
  })
})

test('a node of four cannot be reached at the start: refused before anything starts, with its name', async () => {
  takeAway('3')
  const job = await submit({ numNodes: 4, run: 'echo no' })
  expect(await home.drover.wait(job.id)).toMatchObject({
    state: 'failed',
    cause: { kind: 'staging', message: expect.stringContaining('node3') },
  })
  expect(await output(job)).toBe('')
  expect(left()).toEqual([])
})

test('a target that waits for nodes: queued with the reason, nobody is kept waiting, and it starts when the node is back', async () => {
  takeAway('3')
  const job = await submit({ numNodes: 4, run: 'echo "$TOKEN"', secrets: { TOKEN: 'secret' } }, 'patient')
  const waits = async () => {
    const { state, reason } = await home.drover.get(job.id)
    return state === 'queued' && reason?.startsWith('node3 does not answer: ') === true
  }
  await until('the job to wait', 60_000, waits)
  expect((await home.drover.explain(job.id)).summary).toContain('waits: node3 does not answer')
  for (const node of ['node1', 'node2', 'node4']) expect(rig.on(node, 'find', `${home.root}/jobs/${job.id}`, '-name', 'env')).toBe('')
  const others = await Promise.all([1, 2, 3].map(() => submit({ run: 'echo other', resources: fourCores }, 'patient')))
  for (const other of others) expect(await home.drover.wait(other.id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect((await home.drover.get(job.id)).started_at).toBeNull()
  rig.fault('start-sshd', '3')
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'succeeded', attempt: 1, reason: null })
  expect(await output(job)).toBe('secret\n'.repeat(4))
})

test('a target that waits for nodes: a cancel ends the waiting', async () => {
  takeAway('3')
  const job = await submit({ numNodes: 4, run: 'echo no' }, 'patient')
  await until('the job to wait', 60_000, async () => (await home.drover.get(job.id)).reason !== null)
  await home.drover.cancel(job.id)
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'cancelled' })
})

test('a node loses its power: node_failure with its name once it is back, and the others are ended', async () => {
  const job = await submit({ numNodes: 3, run: 'echo up; exec sleep 1000' })
  await until('all ranks to run', 30_000, async () => (await output(job)) === 'up\nup\nup\n')
  await started(job)
  rig.fault('kill-node', '2')
  await seconds(8)
  expect((await home.drover.get(job.id)).state).toBe('running')
  rig.fault('revive-node', '2')
  const ended = await home.drover.wait(job.id)
  expect(ended).toMatchObject({ state: 'failed', cause: { kind: 'node_failure', message: expect.stringContaining('node2') } })
  expect(left()).toEqual([])
})

test('one of four ranks fails: the others are ended, and no process is left', async () => {
  const job = await submit({ numNodes: 4, run: '[ "$DROVER_NODE_RANK" != 3 ] || exit 9; sleep 1000' })
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 9, rank: 3 } })
  expect((await home.drover.get(job.id)).ranks.map((rank) => rank.killed_by_peer)).toEqual([true, true, true, false])
  expect(left()).toEqual([])
})

test('setup fails on one node: run starts nowhere', async () => {
  const job = await submit({ numNodes: 4, setup: '[ "$DROVER_NODE_RANK" != 2 ] || exit 5', run: 'echo no' })
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'failed', cause: { kind: 'setup', code: 5, rank: 2 } })
  expect(await output(job)).toBe('')
})

test('a cancel ends every node', async () => {
  const job = await submit({ numNodes: 4, run: 'trap "" TERM; sleep 1000 & wait', graceMs: 500 })
  await started(job)
  await home.drover.cancel(job.id)
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'cancelled' })
  expect(left()).toEqual([])
})

test('a full disk of a node fails the job at staging, with the reason', async () => {
  rig.fault('fill-disk', '2')
  const job = await submit({ numNodes: 2, run: 'echo no' })
  expect(await home.drover.wait(job.id)).toMatchObject({
    state: 'failed',
    cause: { kind: 'staging', message: expect.stringMatching(/node2.*(full|space)/) },
  })
  expect(left()).toEqual([])
})

test('the supervisor is gone while the job ends: the next one finds the end', async () => {
  const job = await submit({ numNodes: 2, run: 'sleep 2; exit 6' })
  await started(job)
  await home.supervisorKill9()
  await seconds(4)
  await home.start()
  expect(await home.drover.wait(job.id)).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 6 } })
})
