import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { expect } from 'vitest'
import { nativeName } from '../../executors/batch/native-name.ts'
import { until } from '../waiting.ts'
import { type CaseContext, type SchedulerCase, waitsForGo } from './case-context.ts'

/** CPU time of a process so far, ms: user and system (proc(5), in ticks of 10 ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Questions asked in a minute, once what was saved for a burst is spent. */
async function questionsPerMinute({ controls, deadlineMs }: CaseContext): Promise<number> {
  const asked = (): number => controls.calls('queue') + controls.calls('history')
  const before = asked()
  await until('the burst to be over', deadlineMs, () => asked() >= before + 3)
  const [first, begin] = [asked(), Date.now()]
  await until('a minute', deadlineMs + 60_000, () => Date.now() - begin >= 60_000)
  return asked() - first
}

/** What a site is like, and how much is asked of it. */
export const siteCases: readonly SchedulerCase[] = [
  {
    name: 'a site without a history: ends are known by the queue and by records',
    site: { history: false },
    needs: ['nodeFail'],
    run: async (context) => {
      const [well, badly, dies] = await Promise.all([
        context.start({ run: waitsForGo() }),
        context.start({ run: waitsForGo(3) }),
        context.start({ run: waitsForGo() }),
      ])
      context.controls.nodeFail(dies.native)
      await Promise.all([context.letGo(well), context.letGo(badly)])
      await context.ends(well, { state: 'succeeded', cause: null, exitCode: 0 })
      await context.ends(badly, { state: 'failed', cause: 'exit', exitCode: 3 })
      await context.ends(dies, { state: 'failed', cause: 'node_failure' })
      expect(context.controls.calls('history')).toBe(0)
    },
  },
  {
    name: 'a site without a history, and a job that vanished: lost after the grace',
    site: { history: false },
    needs: ['nodeFail', 'forget'],
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      context.controls.nodeFail(job.native)
      context.controls.forget(job.native)
      await context.ends(job, { state: 'lost', cause: 'unknown' })
    },
  },
  {
    name: 'a site without a history: a submit in doubt',
    site: { history: false },
    run: async (context) => {
      const before = context.controls.calls('submit')
      context.controls.submitHangsUnmade()
      const job = await context.submit({ run: 'exit 0' })
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
      expect(context.controls.calls('submit') - before).toBe(2)
    },
  },
  {
    name: 'a site whose commands print a banner before they answer',
    needs: ['banner', 'foreignCancel', 'forget'],
    run: async (context) => {
      context.controls.banner('Welcome to the cluster!\n*** maintenance on Monday | 08:00 ***\n1234\n')
      const [well, dies] = await Promise.all([context.start({ run: waitsForGo() }), context.start({ run: waitsForGo() })])
      await context.controls.foreignCancel(dies.native)
      await until('its end in the queue', context.deadlineMs, () => !context.controls.lives(dies.native))
      context.controls.forget(dies.native)
      await context.stands(well, 'running')
      await context.ends(dies, { state: 'cancelled', cause: 'cancelled' })
      await context.letGo(well)
      await context.ends(well, { state: 'succeeded', cause: null, exitCode: 0 })
      context.controls.banner(undefined)
    },
  },
  {
    name: 'two supervisors: one steps back, and the job runs once',
    run: async (context) => {
      const job = await context.start({ run: waitsForGo() })
      expect(await context.fixture.secondSupervisor()).not.toBe(0)
      await context.fixture.supervisorKill9()
      // Two begin at once: either may be the one that stays, and then ends with the home.
      void context.fixture.secondSupervisor()
      await context.fixture.restart()
      const next = await context.submit({ run: 'exit 0' })
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
      await context.ends(next, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  {
    name: 'ten thousand jobs in one answer of the queue',
    offers: ['manyJobs'],
    run: async (context) => {
      const { manyJobs } = context.scheduler
      if (manyJobs === undefined) throw new Error('the adapter prints no answers of many jobs')
      const job = await context.start({ run: waitsForGo() })
      const text = manyJobs(10_000, job.native, nativeName(job.id, 1))
      const spent = async (answer: string | undefined): Promise<number> => {
        const before = cpuMs(context.fixture.supervisorPid)
        for (let poll = 0; poll < 6; poll += 1) {
          if (answer !== undefined) context.controls.garbleNext('queue', answer)
          await context.asked(1)
        }
        return (cpuMs(context.fixture.supervisorPid) - before) / 6
      }
      const few = await spent(undefined)
      const many = await spent(text)
      console.log(
        `${context.scheduler.name}: supervisor CPU per poll of 10,000 jobs: ${many.toFixed(0)} ms (of one job: ${few.toFixed(0)} ms; ${availableParallelism()} cores)`,
      )
      expect(many - few).toBeLessThan(400)
      expect((await context.drover.get(job.id)).state).toBe('running')
      await context.letGo(job)
      await context.ends(job, { state: 'succeeded', cause: null, exitCode: 0 })
    },
  },
  ...[1, 200].map(
    (count): SchedulerCase => ({
      name: `questions a minute with ${count} job${count === 1 ? '' : 's'}, within the budget that users have`,
      site: { realBudget: true },
      tasks: ['held'],
      run: async (context) => {
        const task = context.counted({ ...context.scheduler.tasks.held, run: 'exit 0' }, '/dev/null')
        const jobs = await context.submitMany(task, count)
        const questions = await questionsPerMinute(context)
        console.log(`${context.scheduler.name}: questions a minute with ${count} job${count === 1 ? '' : 's'}: ${questions}`)
        // A window may hold both ends of an interval.
        expect(questions).toBeLessThanOrEqual(5)
        expect(questions).toBeGreaterThanOrEqual(3)
        expect((await context.drover.list({ states: ['queued'], limit: 1000 })).length).toBe(jobs.length)
      },
    }),
  ),
]

/** Site mistakes: refused with the scheduler's message and the likely fix. */
export function refusalCases(rows: readonly { readonly name: string }[]): readonly SchedulerCase[] {
  return rows.map(
    ({ name }): SchedulerCase => ({
      name: `refused: ${name}`,
      site: { strict: true },
      run: async (context) => {
        const row = context.scheduler.refusals.find((each) => each.name === name)
        if (row === undefined) throw new Error(`no refusal ${name}`)
        const job = await context.submit({ ...row.task, run: 'exit 0' })
        const ended = await context.ends(job, { state: 'failed', cause: 'rejected', runs: 0 })
        expect(ended.cause?.message).toMatch(row.message)
        expect(ended.cause?.message).toMatch(row.fix)
        expect(context.controls.calls('submit')).toBeGreaterThan(0)
      },
    }),
  )
}
