import { join } from 'node:path'
import { openSqliteStore } from '../../../src/store/sqlite-store.ts'
import { DROVER_BIN, LocalHome } from '../../conformance/local-home.ts'
import { type Figure, interleave, median, showTimes, timeCommand } from '../measure.ts'

const JOBS = 10_000

/** Fills a store with ended jobs as a year of use leaves them. */
async function storeJobs(home: LocalHome): Promise<void> {
  const store = await openSqliteStore(join(home.home, 'drover.db'))
  const start = Date.now() - JOBS * 60_000
  for (let base = 0; base < JOBS; base += 500) {
    const ids = Array.from({ length: 500 }, (_, at) => `b${String(base + at).padStart(11, '0')}`)
    const jobs = ids.map((id, at) => ({
      id,
      name: `job-${base + at}`,
      target: 'local',
      kind: 'local',
      priority: 0,
      createdAt: start + (base + at) * 60_000,
      task: '{}',
      after: [],
    }))
    await store.createJobs(jobs, undefined)
    await store.apply(
      ids.map((jobId, at) => ({
        jobId,
        at: start + (base + at) * 60_000 + 30_000,
        from: 'created' as const,
        attempt: 1,
        to: 'succeeded' as const,
        patch: { exitCode: 0, endedAt: start + (base + at) * 60_000 + 30_000 },
      })),
    )
  }
  await store.close()
}

/** `drover list` with 10,000 jobs stored, beside an empty Node program. */
export async function measureList(rounds: number): Promise<readonly Figure[]> {
  const home = new LocalHome()
  try {
    await storeJobs(home)
    const node = (): Promise<number> => timeCommand(process.execPath, ['-e', '0'], home.environment)
    const list = (): Promise<number> => timeCommand(process.execPath, [DROVER_BIN, 'list'], home.environment)
    const stop = (): Promise<number> => timeCommand(process.execPath, [DROVER_BIN, 'supervisor', 'stop'], home.environment)
    await list()
    const up = await interleave(rounds * 3, { node, list })
    await stop()
    const down = await interleave(rounds, {
      node,
      list: async () => {
        const time = await list()
        await stop()
        return time
      },
    })
    const figure = (what: string, samples: typeof up, limit: number): Figure => {
      const [own, empty] = [samples['list'] ?? [], samples['node'] ?? []]
      const ratio = median(own) / median(empty)
      return {
        what,
        measured: `${ratio.toFixed(2)}x: ${showTimes(own)} beside ${showTimes(empty)}`,
        target: `at most ${limit}x`,
        ok: ratio <= limit,
      }
    }
    return [
      figure('`drover list` (50 of 10,000 jobs), supervisor up, beside `node -e 0`', up, 2),
      figure('`drover list`, supervisor has to start, beside `node -e 0`', down, 5),
    ]
  } finally {
    await home.close()
  }
}
