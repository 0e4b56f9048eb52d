import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'vitest'
import { isSettled } from '../../task/states.ts'
import { createTaskFile } from '../task-values.ts'
import { until, written } from '../waiting.ts'
import { type CaseContext, type CountedJob, type SchedulerCase, waitsForGo } from './case-context.ts'

/** Two jobs, the second of which waits for the first to succeed; resolves when the first one runs and both are submitted. */
async function chain(context: CaseContext, code: number): Promise<readonly [CountedJob, CountedJob]> {
  const [up, down] = [0, 1].map(() => join(context.fixture.directory, `runs-${randomUUID()}`)) as [string, string]
  const [first, second] = await context.drover.submit(
    createTaskFile(
      context.scheduler.target,
      context.counted({ name: 'up', run: waitsForGo(code) }, up),
      context.counted({ name: 'down', after: [{ task: 'up', condition: 'ok' }], run: 'exit 0' }, down),
    ),
  )
  if (first === undefined || second === undefined) throw new Error('submit gave no jobs')
  const jobs = [
    { id: first.id, runs: up, go: `${up}.go` },
    { id: second.id, runs: down, go: `${down}.go` },
  ] as const
  context.submitted.push(...jobs)
  await written(up, context.deadlineMs)
  await Promise.all(jobs.map((job) => context.native(job)))
  return jobs
}

/** Jobs that wait for others. */
export const dependencyCases: readonly SchedulerCase[] = [
  {
    name: 'an upstream fails: the dependent never runs',
    run: async (context) => {
      const [up, down] = await chain(context, 2)
      await context.letGo(up)
      await context.ends(up, { state: 'failed', cause: 'exit', exitCode: 2 })
      await context.ends(down, { state: 'failed', cause: 'dependency', runs: 0 })
    },
  },
  {
    name: 'an upstream fails while no supervisor lives',
    run: async (context) => {
      const [up, down] = await chain(context, 2)
      const native = await context.native(up)
      await context.fixture.supervisorKill9()
      await context.letGo(up)
      await until('its end in the queue', context.deadlineMs, () => !context.controls.lives(native))
      await context.fixture.restart()
      await context.ends(up, { state: 'failed', cause: 'exit', exitCode: 2 })
      await context.ends(down, { state: 'failed', cause: 'dependency', runs: 0 })
    },
  },
  {
    name: 'an upstream succeeds while no supervisor lives: the chain goes on',
    run: async (context) => {
      const [up, down] = await chain(context, 0)
      await context.fixture.supervisorKill9()
      await context.letGo(up)
      await written(down.runs, context.deadlineMs)
      await context.fixture.restart()
      await context.ends(up, { state: 'succeeded', cause: null, exitCode: 0 })
      await context.ends(down, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  {
    name: 'a dependency of the scheduler that is never satisfied',
    tasks: ['afterSuccess'],
    run: async (context) => {
      const upstream = await context.submit({ run: 'exit 1' })
      const { native_id } = await context.ends(upstream, { state: 'failed', cause: 'exit', exitCode: 1 })
      const job = await context.submit({ ...context.scheduler.tasks.afterSuccess?.(native_id ?? ''), run: 'exit 0' })
      const seen = await context.reaches(job, 'an end', ({ state }) => isSettled(state))
      expect(['failed', 'cancelled']).toContain(seen.state)
      await context.ends(job, { state: seen.state, runs: 0 })
    },
  },
]
