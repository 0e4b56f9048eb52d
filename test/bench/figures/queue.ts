import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { createTaskFile, until } from '../../../src/testing/index.ts'
import { LocalHome } from '../../conformance/local-home.ts'
import { cpuMs, type Figure, median, residentBytes } from '../measure.ts'

const QUEUED = 10_000
const SUBMITS = 1_000
const IDLE_MS = 10_000

/** Jobs that hold every core, so that what follows waits. */
async function fillMachine(home: LocalHome): Promise<void> {
  const jobs = await home.drover.submit(
    createTaskFile('local', ...Array.from({ length: availableParallelism() }, (_, at) => ({ name: `hold-${at}`, run: 'exec sleep 3600' }))),
  )
  for (const job of jobs) await until('the machine to be full', 60_000, async () => (await home.drover.get(job.id)).state === 'running')
}

/** What waiting costs, and whether submitting gets slower with what is stored. */
export async function measureQueue(): Promise<readonly Figure[]> {
  const home = await new LocalHome().start()
  try {
    await fillMachine(home)
    const times: number[] = []
    for (let at = 0; at < SUBMITS; at += 1) {
      const start = performance.now()
      await home.drover.submit(createTaskFile('local', { name: `single-${at}`, run: '/bin/true' }))
      times.push(performance.now() - start)
    }
    const [first, last] = [median(times.slice(0, 100)), median(times.slice(-100))]
    for (let stored = SUBMITS; stored < QUEUED; stored += 1_000) {
      await home.drover.submit(
        createTaskFile('local', ...Array.from({ length: 1_000 }, (_, at) => ({ name: `queued-${stored + at}`, run: '/bin/true' }))),
      )
    }
    await delay(2_000)
    const before = cpuMs(home.supervisorPid)
    await delay(IDLE_MS)
    const cpu = (cpuMs(home.supervisorPid) - before) / IDLE_MS
    const memory = residentBytes(home.supervisorPid)
    return [
      {
        what: 'submitting 1,000 separate jobs, last 100 beside first 100',
        measured: `${(last / first).toFixed(2)}x: ${last.toFixed(2)} ms beside ${first.toFixed(2)} ms per job`,
        target: 'no growth (at most 1.3x)',
        ok: last / first <= 1.3,
      },
      {
        what: '10,000 queued jobs: CPU of the idle supervisor',
        measured: `${(cpu * 100).toFixed(2)} % of one core`,
        target: 'below 1 %',
        ok: cpu < 0.01,
      },
      {
        what: '10,000 queued jobs: memory of the supervisor',
        measured: `${(memory / 1e6).toFixed(0)} MB`,
        target: 'below 200 MB',
        ok: memory < 200e6,
      },
    ]
  } finally {
    await home.close()
  }
}
