import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { FileSight } from '../../src/workers/job/file-sight.ts'
import { readJobRecord } from '../../src/workers/job/job-record.ts'
import type { LocalHome } from '../conformance/local-home.ts'
import { UNDISTURBED } from '../workers/call-fixture.ts'
import { jobExecutor, jobsOf, makeRegistry, openMap, outputOf } from '../workers/job-fixture.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

/** Twenty elements, one of which fails. */
const TEXTS = Array.from({ length: 20 }, (_, index) => (index === 7 ? 'fail' : `v${index}`))

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

async function mapOfTwenty(home: LocalHome, target: string, files: FileSight | 'auto', seen: FileSight): Promise<void> {
  opened.push(home)
  await home.start()
  makeRegistry(home.directory)
  const root = join(home.directory, 'checkpoints')
  mkdirSync(root)
  chmodSync(root, 0o777)
  const calls = openMap(root, 'run-1', TEXTS)
  const executor = jobExecutor(home, { target, files, task: { timeout: '5m', resources: { cpus: 1 } } })
  opened.push(executor)
  const ends = await Promise.all(calls.map((call) => executor.run(call, UNDISTURBED)))
  const jobs = await jobsOf(home.drover)
  expect(jobs).toMatchObject([{ target, elements: { total: 20, succeeded: 19, failed: 1 } }])
  for (const [index, call] of calls.entries()) {
    expect(await readJobRecord(call.directory)).toMatchObject({ job: jobs[0]?.id, element: index, files: seen })
    if (index === 7)
      expect(ends[index]).toMatchObject({
        outcome: 'failed',
        cause: 'exit',
        exitCode: 3,
        message: expect.stringMatching(/^cannot do fail\n/),
      })
    else expect([ends[index], outputOf(call)]).toEqual([{ outcome: 'succeeded' }, `v${index}!`])
  }
}

describe('a map of twenty shell calls is one array job', () => {
  test('on a real Slurm whose nodes see the run directory', async () => {
    await mapOfTwenty(new SlurmHome(new SshRig('slurm'), 'ssh'), 'hpc', 'shared', 'shared')
  }, 300_000)

  test('on a real Slurm that is reached by SSH: files travel with the job, and back', async () => {
    await mapOfTwenty(new SlurmHome(new SshRig('slurm'), 'ssh'), 'hpc', 'auto', 'staged')
  }, 300_000)

  test('on four machines with disks of their own', async () => {
    await mapOfTwenty(new SshHome(new SshRig('private'), 'private'), 'lab', 'auto', 'staged')
  }, 300_000)
})
