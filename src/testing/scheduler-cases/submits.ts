import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { until } from '../waiting.ts'
import { type CaseContext, type SchedulerCase, waitsForGo } from './case-context.ts'

const ENDS_WELL = { state: 'succeeded', cause: null, exitCode: 0 } as const

/** Counts submits from now on. */
function countSubmits(context: CaseContext): { readonly made: () => number; readonly reach: (count: number) => Promise<boolean> } {
  const before = context.controls.calls('submit')
  const made = (): number => context.controls.calls('submit') - before
  return { made, reach: (count) => until(`${count} submits`, context.deadlineMs, () => made() >= count) }
}

/** Submits whose answer is late, lost or no. */
export const submitCases: readonly SchedulerCase[] = [
  {
    name: 'the controller hangs during a submit, and the job exists',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitThenHang()
      const job = await context.submit({ run: 'exit 0' })
      await context.ends(job, ENDS_WELL)
      expect(submits.made()).toBe(1)
    },
  },
  {
    name: 'the controller hangs during a submit, and there is no job: it is submitted again, once that is certain',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: 'exit 0' })
      await context.ends(job, ENDS_WELL)
      expect(submits.made()).toBe(2)
    },
  },
  {
    name: 'the job appears seconds after the queue has said that there is none',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: waitsForGo() })
      await submits.reach(1)
      await context.asked(1)
      // Less than the time between the two looks that come before another submit.
      await delay(3_000)
      const native = await context.controls.submitLate(context.fixture.attemptDir(await context.drover.get(job.id)))
      expect(await context.native(job)).toBe(native)
      await context.letGo(job)
      await context.ends(job, ENDS_WELL)
      expect(submits.made()).toBe(2)
    },
  },
  {
    name: 'the delayed request is carried out after it was submitted again: one of them runs',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: waitsForGo() })
      await submits.reach(2)
      await context.native(job)
      await context.controls.submitLate(context.fixture.attemptDir(await context.drover.get(job.id)))
      await context.reaches(job, 'running', ({ state }) => state === 'running')
      await context.asked(4)
      await context.letGo(job)
      await context.ends(job, ENDS_WELL)
    },
  },
  {
    name: 'two submits in a row hang',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: 'exit 0' })
      await submits.reach(1)
      await context.asked(1)
      context.controls.submitHangsUnmade()
      await submits.reach(2)
      await context.ends(job, ENDS_WELL)
      expect(submits.made()).toBe(3)
    },
  },
  {
    name: 'two submits in a row hang, the second one having made its job',
    run: async (context) => {
      const submits = countSubmits(context)
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: 'exit 0' })
      await submits.reach(1)
      await context.asked(1)
      context.controls.submitThenHang()
      await context.ends(job, ENDS_WELL)
      expect(submits.made()).toBe(2)
    },
  },
  ...[false, true].map(
    (lost): SchedulerCase => ({
      name: `the controller hangs while jobs are submitted, and ${lost ? 'loses' : 'carries out'} what it had taken when it wakes`,
      run: async (context) => {
        await context.warm()
        context.controls.outage('hung')
        const submits = countSubmits(context)
        const jobs = await Promise.all([1, 2, 3].map(() => context.submit({ run: 'exit 0' })))
        await submits.reach(3)
        await context.asked(3)
        for (const job of jobs) expect((await context.drover.get(job.id)).state).toBe('submitting')
        context.controls.recover({ lost })
        for (const job of jobs) await context.ends(job, ENDS_WELL)
        expect(submits.made()).toBe(lost ? 6 : 3)
      },
    }),
  ),
  {
    name: 'the controller cannot be reached during a submit, then it can',
    run: async (context) => {
      await context.warm()
      context.controls.outage('down')
      const submits = countSubmits(context)
      const job = await context.submit({ run: 'exit 0' })
      await submits.reach(1)
      await context.asked(2)
      expect((await context.drover.get(job.id)).state).toBe('submitting')
      context.controls.recover()
      await context.ends(job, ENDS_WELL)
    },
  },
  {
    name: 'a job is cancelled while its submit is in doubt: it does not run on',
    run: async (context) => {
      await context.warm()
      context.controls.outage('hung')
      const submits = countSubmits(context)
      const job = await context.submit({ run: 'exec sleep 300' })
      await submits.reach(1)
      await context.drover.cancel(job.id).catch(() => undefined)
      context.controls.recover()
      const ended = await context.reaches(job, 'its end', ({ state }) => state === 'cancelled')
      expect(ended.cause).toMatchObject({ kind: 'cancelled', by: 'user' })
      const native = ended.native_id
      if (native !== null) await until('no job in the queue', context.deadlineMs, () => !context.controls.lives(native))
    },
  },
  ...[false, true].map(
    (lost): SchedulerCase => ({
      name: `the supervisor is killed while a submit is in doubt, and ${lost ? 'there is no job' : 'the job exists'}`,
      run: async (context) => {
        await context.warm()
        context.controls.outage('hung')
        const submits = countSubmits(context)
        const job = await context.submit({ run: 'exit 0' })
        await submits.reach(1)
        await context.fixture.supervisorKill9()
        context.controls.recover({ lost })
        await context.fixture.restart()
        await context.ends(job, ENDS_WELL)
        expect(submits.made()).toBe(lost ? 2 : 1)
      },
    }),
  ),
]
