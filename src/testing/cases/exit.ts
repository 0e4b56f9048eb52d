import { expect } from 'vitest'
import type { Job } from '../../jobs/drover.ts'
import type { CaseContext, ExecutorCase } from '../executor-fixture.ts'
import type { CaseTask } from '../task-values.ts'
import { createTaskFile } from '../task-values.ts'
import { settled } from '../waiting.ts'

/** Submits one task. */
export async function submitOne(context: CaseContext, task: CaseTask): Promise<Job> {
  return onlyJob(await context.drover.submit(createTaskFile(context.target, task)))
}

/** The job of a file with one task. */
export function onlyJob(jobs: readonly Job[]): Job {
  const [job] = jobs
  if (!job || jobs.length > 1) throw new Error(`submit gave ${jobs.length} jobs`)
  return job
}

/** Submits one task and waits for its end. */
export async function runToEnd(context: CaseContext, task: CaseTask): Promise<Job> {
  const job = await submitOne(context, task)
  return settled(context.drover, job.id, context.deadlineMs)
}

/** How scripts end. */
export const exitCases: readonly ExecutorCase[] = [
  {
    name: 'exit 0 succeeds',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'exit 0' })
      expect(job).toMatchObject({ state: 'succeeded', cause: null, exit_code: 0, target: context.target, attempt: 1 })
      expect(job.ranks).toMatchObject([{ rank: 0, state: 'succeeded', exit_code: 0 }])
      expect(job.started_at).not.toBeNull()
      expect(job.ended_at).not.toBeNull()
      expect(job.native_id).not.toBeNull()
    },
  },
  {
    name: 'exit 3 fails with code 3',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'exit 3' })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 3, rank: 0 }, exit_code: 3 })
    },
  },
  {
    name: 'a script that kills itself fails with the signal',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'kill -KILL $$' })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'signal', signal: 9, rank: 0 }, exit_code: 137 })
    },
  },
  {
    name: 'a missing executable fails with 127',
    run: async (context) => {
      const job = await runToEnd(context, { run: ['no-such-program-of-anyone', '--flag'] })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 127 }, exit_code: 127 })
    },
  },
  {
    name: 'a command is never split again',
    run: async (context) => {
      const job = await runToEnd(context, { run: ['sh', '-c', 'test $# -eq 2 && test "$1" = "a  b"', 'sh', 'a  b', ''] })
      expect(job.state).toBe('succeeded')
    },
  },
  {
    name: 'setup runs before run, in the same directory and with its files',
    run: async (context) => {
      const job = await runToEnd(context, { setup: 'echo made > by-setup', run: 'test "$(cat by-setup)" = made' })
      expect(job.state).toBe('succeeded')
    },
  },
]
