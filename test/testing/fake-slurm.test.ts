import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakeSlurm, type FakeSlurm } from '../../src/testing/fake-slurm/fake-slurm.ts'
import { until } from '../../src/testing/waiting.ts'

let directory: string
let slurm: FakeSlurm

beforeEach(async () => {
  directory = await mkdtemp(`${tmpdir()}/fslurm-`)
  slurm = await createFakeSlurm({ directory })
})
afterEach(async () => {
  await slurm.close()
  await rm(directory, { recursive: true, force: true })
})

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(command: string, ...argv: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(command, [...argv], { env: slurm.env, cwd: directory }, (error, stdout, stderr) => {
      const code = error && typeof error.code === 'number' ? error.code : error ? -1 : 0
      resolve({ code, stdout, stderr })
    })
  })
}

/** Submits a script of these lines; resolves to its id. */
async function submit(lines: readonly string[], ...options: readonly string[]): Promise<string> {
  const path = `${directory}/job-${lines.join('').length}.sh`
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'))
  const { code, stdout, stderr } = await run('sbatch', '--parsable', ...options, path)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.trim()
}

const reaches = (id: string, state: string): Promise<unknown> =>
  until(`job ${id} is ${state}`, 20_000, () => slurm.job(id)?.state === state)

describe('a job', () => {
  test('runs its script and ends with the states of sacct and squeue', async () => {
    const good = await submit(['echo hello $SLURM_JOB_ID $SLURM_JOB_NODELIST'])
    const bad = await submit(['exit 3'])
    const killed = await submit(['kill -9 $$'])
    await reaches(good, 'COMPLETED')
    await reaches(bad, 'FAILED')
    await reaches(killed, 'FAILED')
    expect(await readFile(`${directory}/slurm-${good}.out`, 'utf8')).toBe(`hello ${good} node1\n`)
    const rows = await run('sacct', '-X', '-P', '-n', '-o', 'JobID,State,ExitCode')
    expect(rows.stdout).toBe('1|COMPLETED|0:0\n2|FAILED|3:0\n3|FAILED|0:9\n')
    const queue = await run('squeue', '-h', '-t', 'all', '-o', '%i|%T|%r|%R')
    expect(queue.stdout).toBe(
      '1|COMPLETED|None|node1\n2|FAILED|NonZeroExitCode|(NonZeroExitCode)\n3|FAILED|JobLaunchFailure|(JobLaunchFailure)\n',
    )
  })
})
