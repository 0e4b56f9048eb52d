import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Drover, Job } from '../../src/jobs/drover.ts'
import { createTaskFile, until } from '../../src/testing/index.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

/** Two clients, each with a store and a supervisor of its own, and one lab: four machines of 4 CPUs with two GPUs each. */
const rig = new SshRig('private')
let ours: SshHome
let theirs: SshHome
const GPUS = ', gpus: 2'

beforeAll(async () => {
  ours = await new SshHome(rig, 'private', {}, GPUS).start()
  theirs = await new SshHome(rig, 'private', {}, GPUS, ours.root).start()
})
afterAll(async () => {
  await theirs.close()
  await ours.close()
})

const live: { readonly drover: Drover; readonly id: string }[] = []
afterEach(async () => {
  for (const { drover, id } of live.splice(0)) {
    await drover.cancel(id).catch(() => undefined)
    await drover.wait(id)
  }
})

async function submit({ drover }: SshHome, cpus: number, task: Parameters<typeof createTaskFile>[1], gpus = 0): Promise<Job> {
  const accelerators = gpus === 0 ? [] : [{ type: '*', count: gpus }]
  const candidate = { cpus: { value: cpus, atLeast: false }, accelerators, acceleratorsOrdered: false, raw: {} }
  const [job] = await drover.submit(
    createTaskFile('lab', { resources: { ordered: false, candidates: [candidate] }, graceMs: 500, ...task }),
  )
  if (!job) throw new Error('no job')
  live.push({ drover, id: job.id })
  return job
}

const runs = ({ drover }: SshHome, job: Job) => until('the job to run', 60_000, async () => (await drover.get(job.id)).state === 'running')
const isRefused = ({ drover }: SshHome, job: Job) =>
  until('the job to be refused', 60_000, async () => {
    const now = await drover.get(job.id)
    return now.state === 'queued' && now.reason !== null && now.attempt > 1
  })

async function output({ drover }: SshHome, job: Job): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const chunk of drover.logs(job.id)) pieces.push(chunk.bytes)
  return Buffer.concat(pieces).toString()
}

test('a job that finds no room waits, says for whom, and starts by itself once there is room; without any retries', async () => {
  const first = await submit(ours, 4, { numNodes: 4, run: 'exec sleep 1000' })
  await runs(ours, first)
  const second = await submit(theirs, 1, { run: 'echo ran; [ "$TOKEN" = secret ] && exit 5', secrets: { TOKEN: 'secret' } })
  await isRefused(theirs, second)
  const waiting = await theirs.drover.get(second.id)
  expect(waiting.reason).toBe(`no room on node1 (CPUs): held by job ${first.id}`)
  expect(waiting.started_at).toBeNull()
  expect((await theirs.drover.explain(second.id)).summary).toContain(first.id)
  await ours.drover.cancel(first.id)
  expect(await theirs.drover.wait(second.id)).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 5 }, reason: null })
  expect(await output(theirs, second)).toBe('ran\n')
})

test('its own retries are all there after refusals', async () => {
  const first = await submit(ours, 4, { numNodes: 4, run: 'exec sleep 1000' })
  await runs(ours, first)
  const second = await submit(theirs, 1, { run: 'exit 5', retries: { max: 1, when: [], backoffMs: 0 } })
  await isRefused(theirs, second)
  await ours.drover.cancel(first.id)
  const ended = await theirs.drover.wait(second.id)
  expect(ended).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 5 } })
  expect(ended.attempts.filter((attempt) => attempt.cause?.kind === 'exit')).toHaveLength(2)
})

test('a cancel while it waits is its end', async () => {
  const first = await submit(ours, 4, { numNodes: 4, run: 'exec sleep 1000' })
  await runs(ours, first)
  const second = await submit(theirs, 1, { run: 'echo no' })
  await isRefused(theirs, second)
  await theirs.drover.cancel(second.id)
  expect(await theirs.drover.wait(second.id)).toMatchObject({ state: 'cancelled' })
  expect(await output(theirs, second)).toBe('')
})

test('several nodes: where one has no room, none begins, and the others are given back', async () => {
  // In the order of the inventory: the first machine.
  const first = await submit(ours, 3, { run: 'exec sleep 1000' })
  await runs(ours, first)
  const second = await submit(theirs, 2, { numNodes: 4, run: 'echo ran' })
  await isRefused(theirs, second)
  expect((await theirs.drover.get(second.id)).reason).toContain('no room on node1')
  // All four of each machine but the first.
  const third = await submit(ours, 4, { numNodes: 3, run: 'echo whole' })
  expect(await ours.drover.wait(third.id)).toMatchObject({ state: 'succeeded' })
  await ours.drover.cancel(first.id)
  expect(await theirs.drover.wait(second.id)).toMatchObject({ state: 'succeeded' })
  expect(await output(theirs, second)).toBe('ran\nran\nran\nran\n')
})

test('an array over several nodes: refused as a whole, each element runs once', async () => {
  const first = await submit(ours, 3, { run: 'exec sleep 1000' })
  await runs(ours, first)
  const array = { elements: { kind: 'count', count: 8 }, size: 8, maxParallel: 8 } as const
  const second = await submit(theirs, 2, { array, run: 'echo ran' })
  await isRefused(theirs, second)
  await ours.drover.cancel(first.id)
  expect(await theirs.drover.wait(second.id)).toMatchObject({ state: 'succeeded', elements: { succeeded: 8 } })
  expect(await output(theirs, second)).toBe('ran\n'.repeat(8))
})

test('a GPU is not given out twice', async () => {
  const first = await submit(ours, 1, { numNodes: 4, run: 'exec sleep 1000' }, 2)
  await runs(ours, first)
  const second = await submit(theirs, 1, { run: 'echo "$CUDA_VISIBLE_DEVICES"' }, 1)
  await isRefused(theirs, second)
  expect((await theirs.drover.get(second.id)).reason).toBe(`no room on node1 (GPUs): held by job ${first.id}`)
  await ours.drover.cancel(first.id)
  expect(await theirs.drover.wait(second.id)).toMatchObject({ state: 'succeeded' })
})

test('an element that fails says nothing of the elements on other nodes', async () => {
  const array = { elements: { kind: 'count', count: 4 }, size: 4, maxParallel: 4 } as const
  const run = '[ "$DROVER_ARRAY_INDEX" = 0 ] && exit 3; sleep 3; echo ran'
  const job = await submit(ours, 2, { array, run })
  expect(await ours.drover.wait(job.id)).toMatchObject({ state: 'failed', elements: { succeeded: 3, failed: 1 } })
  expect(await output(ours, job)).toBe('ran\n'.repeat(3))
})

test('forty jobs of two clients: never more than fit on a machine at a time, and all run', async () => {
  const run = 'mkdir -p ~/up && : >~/up/$DROVER_JOB_ID && ls ~/up | wc -l; sleep 0.3; rm ~/up/$DROVER_JOB_ID'
  const jobs = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const home = at % 2 === 0 ? ours : theirs
      return { home, job: await submit(home, 2, { run }) }
    }),
  )
  for (const { home, job } of jobs) {
    expect(await home.drover.wait(job.id)).toMatchObject({ state: 'succeeded' })
    expect(Number(await output(home, job))).toBeLessThanOrEqual(2)
  }
})
