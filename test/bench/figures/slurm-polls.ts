import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../../src/testing/index.ts'
import { openManyJobs } from '../fake-slurm-jobs.ts'
import { cpuMs, type Figure, median, residentBytes, showTimes } from '../measure.ts'

const KNOWN = 10_000
const POLL_WINDOW_MS = 20_000
const SETTLED_MS = 180_000
const RUNNING = 1_000
const QUERY_WINDOW_MS = 30_000
/** The bucket of a new supervisor is full: what it saved is spent first. */
const SETTLE_MS = 30_000

/** CPU of the supervisor for one question about 10,000 jobs that wait in the queue; what it does otherwise meanwhile counts too. */
export async function measureSlurmPolls(rounds: number): Promise<readonly Figure[]> {
  const { home, slurm, close } = await openManyJobs({ jobs: KNOWN, state: 'PENDING', queriesPerMinute: 12 })
  try {
    const pid = home.supervisorPid
    const polls = (): number => slurm.calls('squeue') + slurm.calls('sacct')
    const perPoll: number[] = []
    // What was taken over is looked at once, job by job; then there are polls alone.
    await until('an idle supervisor', SETTLED_MS, async () => {
      const used = cpuMs(pid)
      await delay(1_000)
      return cpuMs(pid) - used < 50
    })
    for (let round = 0; round < rounds; round += 1) {
      const [asked, used] = [polls(), cpuMs(pid)]
      await delay(POLL_WINDOW_MS)
      perPoll.push((cpuMs(pid) - used) / Math.max(1, polls() - asked))
    }
    return [
      {
        what: '10,000 jobs in the queue: CPU of the supervisor per poll (fake Slurm)',
        measured: `${showTimes(perPoll)}; memory ${(residentBytes(pid) / 1e6).toFixed(0)} MB`,
        target: 'below 200 ms',
        ok: median(perPoll) < 200,
      },
    ]
  } finally {
    await close()
  }
}

/** Questions to the scheduler a minute, with one job running and with 1,000, side by side in the same minutes. */
export async function measureSlurmQueries(rounds: number): Promise<readonly Figure[]> {
  const one = await openManyJobs({ jobs: 1, state: 'RUNNING' })
  try {
    const many = await openManyJobs({ jobs: RUNNING, state: 'RUNNING' })
    try {
      const questions = (of: typeof one): number => of.slurm.calls('squeue') + of.slurm.calls('sacct')
      const counts = { one: [] as number[], many: [] as number[] }
      await delay(SETTLE_MS)
      for (let round = 0; round < rounds; round += 1) {
        const [before, beforeMany] = [questions(one), questions(many)]
        await delay(QUERY_WINDOW_MS)
        counts.one.push(((questions(one) - before) * 60_000) / QUERY_WINDOW_MS)
        counts.many.push(((questions(many) - beforeMany) * 60_000) / QUERY_WINDOW_MS)
      }
      const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
      const [few, lots] = [mean(counts.one), mean(counts.many)]
      const span = (values: readonly number[]): string => `${Math.min(...values)}-${Math.max(...values)}`
      return [
        {
          what: 'questions to the scheduler a minute with 1,000 jobs running, beside one job running (fake Slurm)',
          measured: `${lots.toFixed(1)} (${span(counts.many)}) beside ${few.toFixed(1)} (${span(counts.one)})`,
          target: 'the same, at most 4',
          // A window may hold one question more or less than another.
          ok: Math.abs(lots - few) <= 60_000 / (QUERY_WINDOW_MS * rounds) && lots <= 4 + 60_000 / (QUERY_WINDOW_MS * rounds),
        },
      ]
    } finally {
      await many.close()
    }
  } finally {
    await one.close()
  }
}
