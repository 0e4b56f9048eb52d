import { expect } from 'vitest'
import { isSettled } from '../../task/states.ts'
import { until } from '../waiting.ts'
import { type SchedulerCase, waitsForGo } from './case-context.ts'

const count = (size: number) => ({ elements: { kind: 'count' as const, count: size }, size })
const each = (size: number): readonly string[] => Array.from({ length: size }, (_, at) => `${at} 1`)

/** Native arrays. */
export const arrayCases: readonly SchedulerCase[] = [
  {
    name: 'an array of which some fail',
    run: async (context) => {
      const job = await context.submit({ array: count(6), run: 'case $DROVER_ARRAY_INDEX in 1|4) exit 3;; esac' })
      const ended = await context.ends(job, { state: 'failed', cause: 'exit', exitCode: 3, runs: each(6) })
      expect(ended.elements).toMatchObject({ total: 6, succeeded: 4, failed: 2, lost: 0, cancelled: 0 })
    },
  },
  {
    name: 'an array of which a task vanished: that one is lost, and the others are what they are',
    needs: ['nodeFail', 'forget', 'historyLag'],
    run: async (context) => {
      const job = await context.start({ array: count(3), run: `[ "$DROVER_ARRAY_INDEX" != 1 ] || exec sleep 300; ${waitsForGo()}` })
      await until('all three to run', context.deadlineMs, async () => ((await context.drover.get(job.id)).elements?.running ?? 0) === 3)
      context.vanish(`${job.native}_1`)
      await context.letGo(job)
      const ended = await context.ends(job, { state: 'lost', cause: 'unknown', runs: each(3) })
      expect(ended.elements).toMatchObject({ succeeded: 2, lost: 1, failed: 0 })
    },
  },
  {
    name: 'a machine of an array dies: its task failed, with the cause',
    needs: ['nodeFail'],
    run: async (context) => {
      const job = await context.start({ array: count(2), run: `[ "$DROVER_ARRAY_INDEX" != 1 ] || exec sleep 300; ${waitsForGo()}` })
      await until('both to run', context.deadlineMs, async () => ((await context.drover.get(job.id)).elements?.running ?? 0) === 2)
      context.controls.nodeFail(`${job.native}_1`)
      await context.letGo(job)
      const ended = await context.ends(job, { state: 'failed', cause: 'node_failure', runs: each(2) })
      expect(ended.elements).toMatchObject({ succeeded: 1, failed: 1 })
      expect(ended.elements?.first_failed[0]).toMatchObject({ position: 1 })
    },
  },
  {
    // Slurm 22.05 drops such tasks and keeps neither record nor row of them: how they ended nobody can say.
    name: 'tasks of an array that wait are cancelled one by one by somebody else: never taken for successes or failures',
    needs: ['foreignCancelTask'],
    run: async (context) => {
      const job = await context.start({ array: { ...count(4), maxParallel: 1 }, run: waitsForGo() })
      for (const task of [3, 1]) await context.controls.foreignCancelTask(job.native, task)
      await context.asked(2)
      await context.letGo(job)
      const seen = await context.reaches(job, 'an end', ({ state }) => isSettled(state))
      await context.ends(job, { state: seen.state === 'cancelled' ? 'cancelled' : 'lost', runs: ['0 1', '2 1'] })
      expect(seen.elements).toMatchObject({ succeeded: 2, failed: 0 })
    },
  },
  {
    name: 'elements of an array that wait and run are cancelled by us',
    run: async (context) => {
      const job = await context.start({ array: { ...count(4), maxParallel: 1 }, graceMs: 1_000, run: waitsForGo() })
      await context.drover.cancel(job.id, { elements: [0, 2] })
      await context.letGo(job)
      const ended = await context.reaches(
        job,
        'its end',
        ({ state }) => state !== 'running' && state !== 'queued' && state !== 'finishing' && state !== 'starting',
      )
      expect(ended.elements).toMatchObject({ succeeded: 2, cancelled: 2, lost: 0, failed: 0 })
    },
  },
  {
    name: 'an array longer than the site takes is handed over in parts',
    site: { maxArraySize: 4 },
    run: async (context) => {
      const job = await context.submit({ array: count(10), run: '[ "$DROVER_ARRAY_INDEX" != 7 ] || exit 9' })
      const ended = await context.ends(job, { state: 'failed', cause: 'exit', exitCode: 9, runs: each(10) })
      expect(ended.native_id?.split(' ').length).toBeGreaterThan(2)
      expect(ended.elements).toMatchObject({ succeeded: 9, failed: 1 })
      expect(ended.elements?.first_failed).toMatchObject([{ position: 7, exit_code: 9 }])
    },
  },
  {
    name: 'tasks that wait are printed as ranges: each is counted',
    run: async (context) => {
      const job = await context.start({ array: { ...count(300), maxParallel: 2 }, graceMs: 1_000, run: 'exec sleep 300' })
      const seen = await context.reaches(job, 'what waits', ({ elements }) => elements?.running === 2)
      expect(seen.elements).toMatchObject({ total: 300, queued: 298, running: 2 })
      await context.drover.cancel(job.id)
      const ended = await context.ends(job, { state: 'cancelled', cause: 'cancelled', runs: 2 })
      expect(ended.elements).toMatchObject({ cancelled: 300 })
    },
  },
  {
    name: 'an array that ends while the controller is down: by its records at once',
    run: async (context) => {
      const job = await context.start({ array: count(3), run: waitsForGo() })
      await until('all three to run', context.deadlineMs, async () => ((await context.drover.get(job.id)).elements?.running ?? 0) === 3)
      context.controls.outage('down')
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0, runs: each(3) })
      context.controls.recover()
    },
  },
]
