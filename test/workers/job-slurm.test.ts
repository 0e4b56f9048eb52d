import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { JobExecutorOptions } from '../../src/workers/job/job-executor.ts'
import { readJobRecord } from '../../src/workers/job/job-record.ts'
import type { WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { FakeSlurmHome } from '../conformance/fake-slurm-home.ts'
import { makeCheckpoints, UNDISTURBED } from './call-fixture.ts'
import { jobExecutor, jobsOf, makeRegistry, outputOf } from './job-fixture.ts'

const home = new FakeSlurmHome({}, {}, { graceSeconds: 3 })
const checkpoints = makeCheckpoints()
const opened: { close(): Promise<void> }[] = []

beforeAll(async () => {
  await home.start()
  makeRegistry(home.directory)
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})
afterAll(async () => {
  checkpoints[Symbol.dispose]()
  await home.close()
})

function executor(options: Partial<JobExecutorOptions> = {}): ReturnType<typeof jobExecutor> {
  const made = jobExecutor(home, { target: 'hpc', ...options })
  opened.push(made)
  return made
}

test('a map is one native array; the nodes see the run directory, so nothing is staged', async () => {
  const calls = Array.from({ length: 12 }, (_, index): WorkerCall => {
    const call = checkpoints.call({ loc: `-.N2.M${index}.N1` })
    writeFileSync(join(checkpoints.root, 'run-1', `in-${index}`), index === 5 ? 'fail' : `v${index}`)
    const args = { ...call.args, inputs: { a: `run-1/in-${index}` } }
    writeFileSync(join(call.directory, 'definition'), JSON.stringify(args))
    return { ...call, args }
  })
  const made = executor({ task: { timeout: '5m', options: { partition: 'main' } } })
  const ends = await Promise.all(calls.map((call) => made.run(call, UNDISTURBED)))
  expect(await jobsOf(home.drover)).toMatchObject([{ target: 'hpc', elements: { total: 12, succeeded: 11, failed: 1 } }])
  for (const [index, call] of calls.entries()) {
    expect(await readJobRecord(call.directory)).toMatchObject({ element: index, files: 'shared' })
    if (index === 5) expect(ends[index]).toMatchObject({ outcome: 'failed', cause: 'exit', exitCode: 3 })
    else expect([ends[index], outputOf(call)]).toEqual([{ outcome: 'succeeded' }, `v${index}!`])
  }
})

/** A call that runs until somebody ends it, and its job's id in Slurm. */
async function started(runId: string): Promise<{ readonly end: Promise<unknown>; readonly native: string; readonly job: string }> {
  const call = checkpoints.call({ runId, inputs: { a: 'sleep' } })
  const end = executor().run(call, UNDISTURBED)
  await expect.poll(() => existsSync(join(call.directory, 'pid')), { timeout: 30_000 }).toBe(true)
  const job = await home.drover.get((await readJobRecord(call.directory))?.job ?? '')
  return { end, native: job.native_id ?? '', job: job.id }
}

test('a job whose node died is a failure that another try may mend', async () => {
  const { end, native, job } = await started('run-2')
  home.slurm.nodeFail(native)
  const message = expect.stringContaining(`job ${job}: node_failure`)
  expect(await end).toEqual(expect.objectContaining({ outcome: 'failed', cause: 'job', transient: true, message }))
})

test('a job that is lost is never a success: the end says so', async () => {
  const { end, native, job } = await started('run-3')
  home.slurm.accountingLag(1000 * 3_600_000)
  home.slurm.nodeFail(native)
  home.slurm.forget(native)
  home.slurm.purgeHistory()
  expect(await end).toEqual({
    outcome: 'failed',
    cause: 'lost',
    message: expect.stringContaining(`job ${job} is lost: all that could know was asked and knows nothing`),
  })
})
