import { expect } from 'vitest'
import { until } from '../waiting.ts'
import { type SchedulerCase, waitsForGo } from './case-context.ts'

/** What happens to jobs in a queue and on its machines. */
export const lifeCases: readonly SchedulerCase[] = [
  {
    name: 'held, and released',
    needs: ['release'],
    tasks: ['held'],
    run: async (context) => {
      const job = await context.submit({ ...context.scheduler.tasks.held, run: 'exit 0' })
      const held = await context.reaches(job, 'a reason', ({ reason }) => reason !== null)
      expect(held).toMatchObject({ state: 'queued', started_at: null })
      if (context.scheduler.words.waiting) expect(held.native_word).toMatch(context.scheduler.words.waiting)
      expect((await context.drover.explain(job.id)).summary).toMatch(/held/i)
      await context.stands(job, 'queued')
      await context.ranAs(job, 0)
      context.controls.release(await context.native(job))
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  {
    name: 'suspended, and resumed',
    needs: ['suspend', 'resume'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.suspend(job.native)
      const seen = await context.reaches(job, 'suspended', ({ state }) => state === 'suspended')
      if (context.scheduler.words.suspended) expect(seen.native_word).toMatch(context.scheduler.words.suspended)
      await context.letGo(job)
      await context.stands(job, 'suspended')
      context.controls.resume(job.native)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  ...(['node_failure', 'out_of_memory', 'timeout', 'cancelled'] as const).map((kind): SchedulerCase => {
    const control = ({ node_failure: 'nodeFail', out_of_memory: 'oom', timeout: 'timeout', cancelled: 'foreignCancel' } as const)[kind]
    const state = kind === 'cancelled' ? 'cancelled' : 'failed'
    return {
      name: `ended by the scheduler: ${kind}`,
      needs: [control],
      run: async (context) => {
        const job = await context.start({ run: 'exec sleep 300' })
        await context.controls[control](job.native)
        const ended = await context.ends(job, { state, cause: kind, word: context.scheduler.words[kind] })
        if (kind === 'cancelled') expect(ended.cause?.by).not.toBe('user')
      },
    }
  }),
  {
    name: "somebody else's cancel of a job that waits",
    needs: ['foreignCancel'],
    tasks: ['held'],
    run: async (context) => {
      const job = await context.submit({ ...context.scheduler.tasks.held, run: 'exit 0' })
      const native = await context.native(job)
      await context.reaches(job, 'queued', ({ state }) => state === 'queued')
      await context.controls.foreignCancel(native)
      const ended = await context.ends(job, { state: 'cancelled', cause: 'cancelled', runs: 0, word: context.scheduler.words.cancelled })
      expect(ended.cause?.by).not.toBe('user')
    },
  },
  {
    name: 'a script that ends well right when its machine dies: the record is the proof',
    needs: ['nodeFail'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.outage('down')
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
      context.controls.recover()
    },
  },
  {
    name: 'preempted for good',
    needs: ['preempt'],
    tasks: ['preemptedForGood'],
    run: async (context) => {
      const job = await context.start({ ...context.scheduler.tasks.preemptedForGood, run: 'exec sleep 300' })
      context.controls.preempt(job.native)
      await context.ends(job, { state: 'failed', cause: 'preempted', word: context.scheduler.words.preempted })
    },
  },
  {
    name: 'preempted for good, with a retry: a second attempt, each with its log',
    needs: ['preempt'],
    tasks: ['preemptedForGood'],
    run: async (context) => {
      const job = await context.start({
        ...context.scheduler.tasks.preemptedForGood,
        retries: { max: 1, when: [{ kind: 'preempted' }], backoffMs: 0 },
        run: 'echo "attempt $DROVER_ATTEMPT"; [ "$DROVER_ATTEMPT" = 2 ] || exec sleep 300',
      })
      context.controls.preempt(job.native)
      const again = await context.reaches(job, 'a second attempt', ({ attempt }) => attempt === 2)
      expect(again.attempts[0]).toMatchObject({ state: 'failed', cause: { kind: 'preempted' } })
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0, runs: ['0 1', '0 2'] })
    },
  },
  {
    name: 'requeued by an administrator, though it must not be: the first instance is the job',
    needs: ['requeue'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      const native = job.native
      context.controls.requeue(native)
      const ended = await context.reaches(job, 'an end', ({ state }) => state === 'failed' || state === 'cancelled' || state === 'lost')
      expect(ended.state).not.toBe('lost')
      await context.ranAs(job, 1)
      // The instance that the scheduler starts after all runs nothing.
      await until('the end of the second instance', context.deadlineMs, () => {
        context.controls.advance(30_000)
        return !context.controls.lives(native)
      })
      await context.ends(job, { state: ended.state })
    },
  },
  ...(['requeue', 'preempt', 'nodeFail'] as const).map(
    (control): SchedulerCase => ({
      name: `started again by the scheduler after ${control}: an attempt of its own, with its own log`,
      needs: [control],
      tasks: ['requeued', 'preemptedAndRequeued'],
      run: async (context) => {
        const { requeued, preemptedAndRequeued } = context.scheduler.tasks
        const job = await context.start({
          ...(control === 'preempt' ? preemptedAndRequeued : requeued),
          run: 'echo "attempt $DROVER_ATTEMPT"; [ "$DROVER_ATTEMPT" = 2 ] || exec sleep 300',
        })
        context.controls[control](job.native)
        await context.reaches(job, 'the wait for another start', ({ state }) => state === 'queued')
        context.controls.advance(130_000)
        await context.reaches(job, 'the second attempt', ({ attempt }) => attempt === 2)
        const ended = await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0, runs: ['0 1', '0 2'] })
        expect(ended.attempts.map(({ state, native_id }) => [state, native_id])).toEqual([
          ['failed', job.native],
          ['succeeded', job.native],
        ])
        expect(ended.attempts[0]?.cause?.kind).toBe('preempted')
        expect(await context.log(job, 1)).toBe('attempt 1\n')
        expect(await context.log(job, 2)).toBe('attempt 2\n')
      },
    }),
  ),
]
