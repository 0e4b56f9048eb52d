import { expect } from 'vitest'
import { until } from '../waiting.ts'
import { CANCEL_OUTAGES } from './broken.ts'
import { type SchedulerCase, waitsForGo } from './case-context.ts'

/** Cancels that the scheduler does not hear at once. */
export const cancelCases: readonly SchedulerCase[] = [
  ...CANCEL_OUTAGES.map(
    (kind): SchedulerCase => ({
      name: `a cancel while the controller is ${kind}: asked again until it is done`,
      run: async (context) => {
        const job = await context.start({ graceMs: 1_000, run: 'exec sleep 300' })
        context.controls.outage(kind)
        await context.drover.cancel(job.id, { by: 'user' }).catch(() => undefined)
        await context.asked(2)
        context.controls.recover(kind === 'hung' ? { lost: true } : {})
        const ended = await context.ends(job, { state: 'cancelled', cause: 'cancelled' })
        expect(ended.cause?.by).toBe('user')
        await until('no job in the queue', context.deadlineMs, () => !context.controls.lives(job.native))
      },
    }),
  ),
  {
    name: 'a cancel of a job that waits, while the controller is down: it never runs',
    needs: ['release'],
    tasks: ['held'],
    run: async (context) => {
      const job = await context.submit({ ...context.scheduler.tasks.held, graceMs: 1_000, run: waitsForGo() })
      const native = await context.native(job)
      await context.reaches(job, 'queued', ({ state }) => state === 'queued')
      context.controls.outage('down')
      await context.drover.cancel(job.id, { by: 'user' }).catch(() => undefined)
      await context.asked(2)
      context.controls.release(native)
      context.controls.recover()
      await context.ends(job, { state: 'cancelled', cause: 'cancelled', runs: 0 })
      await until('no job in the queue', context.deadlineMs, () => !context.controls.lives(native))
    },
  },
  {
    name: 'a cancel whose answer is lost: cancelled once its end is proved, and not before',
    run: async (context) => {
      const job = await context.start({ run: 'exec sleep 300' })
      context.controls.outage('hung')
      await context.drover.cancel(job.id, { by: 'user' }).catch(() => undefined)
      await context.asked(2)
      expect((await context.drover.get(job.id)).state).toBe('running')
      context.controls.recover()
      await context.ends(job, { state: 'cancelled', cause: 'cancelled' })
    },
  },
  {
    name: 'a supervisor that is killed after a cancel: the next one goes on with it',
    run: async (context) => {
      const job = await context.start({ graceMs: 1_000, run: 'exec sleep 300' })
      context.controls.outage('down')
      await context.drover.cancel(job.id, { by: 'user' }).catch(() => undefined)
      await context.fixture.supervisorKill9()
      context.controls.recover()
      await context.fixture.restart()
      await context.ends(job, { state: 'cancelled', cause: 'cancelled' })
    },
  },
]
