import { expect } from 'vitest'
import { attemptPaths } from '../../driver/protocol.ts'
import { textOf, until } from '../waiting.ts'
import { type SchedulerCase, waitsForGo } from './case-context.ts'

const MINUTE_MS = 60_000

/** Jobs that the queue does not know any more, and what else is known of them. */
export const vanishedCases: readonly SchedulerCase[] = [
  ...[0, 4].map(
    (code): SchedulerCase => ({
      name: `a job that vanished, its exit record saying ${code}`,
      needs: ['forget', 'purgeHistory'],
      run: async (context) => {
        const job = await context.start({ run: waitsForGo(code) })
        const directory = context.fixture.attemptDir(await context.drover.get(job.id))
        await context.fixture.supervisorKill9()
        await context.letGo(job)
        await until('the exit record', context.deadlineMs, async () =>
          (await textOf(`${directory}/${attemptPaths.exit('job')}`))?.endsWith('\n'),
        )
        await until('its end in the queue', context.deadlineMs, () => !context.controls.lives(job.native))
        context.controls.forget(job.native)
        context.controls.purgeHistory()
        await context.fixture.restart()
        await context.ends(
          job,
          code === 0
            ? { state: 'succeeded', cause: null, exitCode: 0, rule: 'all records' }
            : { state: 'failed', cause: 'exit', exitCode: code },
        )
      },
    }),
  ),
  {
    name: 'a job that vanished, known to the history alone',
    needs: ['nodeFail', 'forget'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.nodeFail(job.native)
      context.controls.forget(job.native)
      await context.ends(job, { state: 'failed', cause: 'node_failure', word: context.scheduler.words.node_failure, rule: 'end word' })
    },
  },
  {
    name: 'a job that vanished without a trace: finishing, then lost, until a person says',
    needs: ['nodeFail', 'forget', 'historyLag'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      const before = Date.now()
      context.vanish(job.native)
      await context.reaches(job, 'the wait for proof', ({ state }) => state === 'finishing')
      const lost = await context.ends(job, { state: 'lost', cause: 'unknown', rule: 'missing, grace over' })
      expect(Date.now() - before).toBeGreaterThan(context.graceMs)
      expect(lost.exit_code).not.toBe(0)
      await context.drover.settle(job.id, { as: 'failed', reason: 'the node is gone' })
      await context.ends(job, { state: 'failed', through: ['lost'] })
    },
  },
  {
    name: 'a lost job of which the history tells later',
    needs: ['nodeFail', 'forget', 'historyLag'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.historyLag(10 * MINUTE_MS)
      context.controls.nodeFail(job.native)
      context.controls.forget(job.native)
      await context.ends(job, { state: 'lost', cause: 'unknown' })
      context.controls.advance(11 * MINUTE_MS)
      context.controls.historyLag(0)
      // A lost job is asked for every ten minutes, and by a supervisor that begins.
      await context.fixture.restart()
      await context.ends(job, { state: 'failed', cause: 'node_failure', through: ['lost'] })
    },
  },
  {
    name: 'a lost job whose driver wrote its record after all',
    needs: ['forget', 'purgeHistory', 'vanish'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo(3) })
      // The scheduler has lost it; its processes are still at work.
      context.controls.vanish(job.native)
      context.controls.purgeHistory()
      await context.ends(job, { state: 'lost', cause: 'unknown' })
      await context.letGo(job)
      await context.ends(job, { state: 'failed', cause: 'exit', exitCode: 3, through: ['lost'], rule: 'all records' })
    },
  },
  {
    name: 'the history is late by a minute',
    needs: ['nodeFail', 'forget', 'historyLag'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.historyLag(MINUTE_MS)
      context.controls.nodeFail(job.native)
      context.controls.forget(job.native)
      await context.reaches(job, 'the wait for proof', ({ state }) => state === 'finishing')
      context.controls.advance(MINUTE_MS)
      context.controls.historyLag(0)
      await context.ends(job, { state: 'failed', cause: 'node_failure' })
    },
  },
  {
    name: 'the history is late by a minute and the record is there: nobody waits for the history',
    needs: ['forget', 'historyLag'],
    run: async (context) => {
      context.controls.historyLag(MINUTE_MS)
      const job = await context.start({ run: waitsForGo(5) })
      await context.letGo(job)
      await context.ends(job, { state: 'failed', cause: 'exit', exitCode: 5, rule: 'all records' })
      context.controls.historyLag(0)
    },
  },
  {
    name: 'the history was purged while a job runs',
    needs: ['purgeHistory'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.purgeHistory()
      await context.stands(job, 'running')
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  {
    name: 'ids are given out again: the job that has ours now is never taken for it, and never ended',
    needs: ['reuseIds'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.reuseIds(job.native)
      expect(await context.controls.submitForeign()).toBe(job.native)
      await context.drover.cancel(job.id)
      // Its processes are gone, the queue's answer speaks of another job: what has ended it nobody knows.
      const ended = await context.reaches(job, 'an end', ({ state }) => state === 'lost' || state === 'cancelled')
      await context.ends(job, { state: ended.state })
      expect(context.controls.lives(job.native)).toBe(true)
    },
  },
  {
    name: 'ids are given out again while the job waits',
    needs: ['reuseIds'],
    tasks: ['held'],
    run: async (context) => {
      const job = await context.submit({ ...context.scheduler.tasks.held, run: waitsForGo() })
      const native = await context.native(job)
      await context.reaches(job, 'queued', ({ state }) => state === 'queued')
      context.controls.reuseIds(native)
      expect(await context.controls.submitForeign()).toBe(native)
      await context.ends(job, { state: 'lost', cause: 'unknown', runs: 0 })
      expect(context.controls.lives(native)).toBe(true)
    },
  },
]
