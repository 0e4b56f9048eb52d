import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { type SchedulerCase, waitsForGo } from './case-context.ts'
import type { SchedulerOutage } from './scheduler-adapter.ts'

const HOUR_MS = 3_600_000

/** Schedulers that do not answer, or answer nonsense. No state may follow from it. */
export const brokenCases: readonly SchedulerCase[] = [
  ...(['down', 'hung'] as const).map(
    (kind): SchedulerCase => ({
      name: `the controller is ${kind} for an hour: states stand, and what ended meanwhile is known by its records at once`,
      tasks: ['long', 'held'],
      run: async (context) => {
        const { long, held } = context.scheduler.tasks
        const [ends, runs, waits] = await Promise.all([
          context.start({ ...long, run: waitsForGo(4) }),
          context.start({ ...long, run: waitsForGo() }),
          context.submit({ ...held, run: 'exit 0' }),
        ])
        await context.reaches(waits, 'queued', ({ state }) => state === 'queued')
        context.controls.outage(kind)
        await context.asked(4)
        await context.letGo(ends)
        await context.ends(ends, { state: 'failed', cause: 'exit', exitCode: 4, rule: 'all records' })
        await Promise.all([context.stands(runs, 'running', 6), context.stands(waits, 'queued', 6)])
        context.controls.advance(HOUR_MS)
        await context.stands(runs, 'running')
        context.controls.recover()
        await Promise.all([context.stands(runs, 'running'), context.stands(waits, 'queued')])
        await context.letGo(runs)
        await context.ends(runs, { state: 'succeeded', cause: null, exitCode: 0 })
        await context.drover.cancel(waits.id)
        await context.ends(waits, { state: 'cancelled', cause: 'cancelled', runs: 0 })
      },
    }),
  ),
  {
    name: 'a machine dies while the controller is down: running until it is back, then a node failure',
    needs: ['nodeFail'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.outage('down')
      await context.asked(2)
      context.controls.nodeFail(job.native)
      await context.stands(job, 'running')
      context.controls.recover()
      await context.ends(job, { state: 'failed', cause: 'node_failure', word: context.scheduler.words.node_failure })
    },
  },
  {
    name: 'the supervisor is killed and started again while the controller is down',
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.outage('down')
      await context.fixture.supervisorKill9()
      await context.fixture.restart()
      await delay(1_000)
      expect(await context.drover.get(job.id)).toMatchObject({ state: 'running' })
      context.controls.recover()
      await context.stands(job, 'running')
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  {
    name: 'the queue answers and the history does not: nothing is missing for that',
    needs: ['nodeFail', 'forget'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.outage('history_down')
      context.controls.nodeFail(job.native)
      context.controls.forget(job.native)
      const started = Date.now()
      await context.stands(job, 'running', 6)
      await delay(Math.max(0, context.graceMs + 1_000 - (Date.now() - started)))
      expect(await context.drover.get(job.id)).toMatchObject({ state: 'running' })
      context.controls.recover()
      await context.ends(job, { state: 'failed', cause: 'node_failure' })
    },
  },
  ...(
    [
      ['cut off in the middle', (context) => context.controls.truncateNext('queue', 25)],
      ['cut off before its first byte', (context) => context.controls.truncateNext('queue', 0)],
      ['empty, and the command says that all is well', (context) => context.controls.garbleNext('queue', '')],
      ['noise', (context) => context.controls.garbleNext('queue', '\u0000\u0001|||\n<html>502 Bad Gateway</html>\n')],
      ['a login banner', (context) => context.controls.garbleNext('queue', 'Welcome!\n*** maintenance on Monday | 08:00 ***\n')],
      ["a line of somebody else's job", (context) => context.controls.garbleNext('queue', '1|N/A|1|RUNNING||||None|other\n')],
    ] as readonly (readonly [string, (context: Parameters<SchedulerCase['run']>[0]) => void])[]
  ).map(
    ([what, spoil]): SchedulerCase => ({
      name: `answers of the queue are ${what}`,
      run: async (context) => {
        const job = await context.start({ run: waitsForGo(6) })
        for (let round = 0; round < 4; round += 1) {
          spoil(context)
          await context.asked(1)
        }
        await context.mayDoubt(job)
        await context.letGo(job)
        await context.ends(job, { state: 'failed', cause: 'exit', exitCode: 6 })
      },
    }),
  ),
  {
    name: 'a word that nobody knows: the job is held to be alive, and the word is shown',
    needs: ['showWord'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.showWord('HIBERNATED')
      await context.reaches(job, 'the word', ({ native_word }) => native_word === 'HIBERNATED')
      expect(['running', 'starting']).toContain((await context.drover.get(job.id)).state)
      context.controls.showWord(undefined)
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
]

/** Kinds of outages that hold back a cancel. */
export const CANCEL_OUTAGES: readonly SchedulerOutage[] = ['down', 'hung']
