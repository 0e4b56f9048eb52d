import { availableParallelism } from 'node:os'
import type { CaseTask } from '../../../src/testing/index.ts'
import { createTaskFile, settled } from '../../../src/testing/index.ts'
import type { LocalHome } from '../../conformance/local-home.ts'
import { type Figure, interleave, median, showTimes } from '../measure.ts'
import { type HyperQueue, timeParallel, timeXargs, versionOf } from '../peers.ts'

const ELEMENTS = 1000
const LINKS = 200

async function timeArray(home: LocalHome): Promise<number> {
  const start = performance.now()
  const task: CaseTask = { array: { elements: { kind: 'count', count: ELEMENTS }, size: ELEMENTS }, run: '/bin/true' }
  const [job] = await home.drover.submit(createTaskFile('local', task))
  const ended = await settled(home.drover, job?.id ?? '', 120_000)
  const time = performance.now() - start
  if (ended.elements?.succeeded !== ELEMENTS) throw new Error(`not all elements succeeded: ${JSON.stringify(ended.elements)}`)
  return time
}

/** 1,000 array elements of /bin/true, from submit to all states known. */
export async function measureElements(home: LocalHome, hq: HyperQueue | undefined, rounds: number): Promise<readonly Figure[]> {
  const cores = availableParallelism()
  const parallel = versionOf('parallel')
  const samples = await interleave(rounds, {
    drover: () => timeArray(home),
    xargs: () => timeXargs(ELEMENTS, cores),
    ...(parallel ? { parallel: () => timeParallel(ELEMENTS, cores) } : {}),
    ...(hq ? { hq: () => hq.time('array', ELEMENTS) } : {}),
  })
  const drover = samples['drover'] ?? []
  const against = (name: string, peer: string, limit: number): Figure => {
    const times = samples[name]
    if (!times) return { what: `1,000 elements of /bin/true beside ${peer}`, measured: `${peer} is absent`, target: `${limit}x` }
    const ratio = median(drover) / median(times)
    return {
      what: `1,000 elements of /bin/true beside ${peer}`,
      measured: `${ratio.toFixed(2)}x: ${showTimes(drover)} beside ${showTimes(times)}`,
      target: `at most ${limit}x`,
      ok: ratio <= limit,
    }
  }
  return [
    against('xargs', `xargs -P ${cores} with sh -c`, 0.8),
    against('parallel', 'GNU parallel --joblog --results', 0.5),
    against('hq', 'HyperQueue', 0.5),
  ]
}

async function timeChain(home: LocalHome): Promise<number> {
  const tasks = Array.from(
    { length: LINKS },
    (_, at): CaseTask => ({
      name: `link-${at}`,
      run: '/bin/true',
      after: at === 0 ? [] : [{ task: `link-${at - 1}`, condition: 'ok' }],
    }),
  )
  const start = performance.now()
  const jobs = await home.drover.submit(createTaskFile('local', ...tasks))
  const last = await settled(home.drover, jobs.at(-1)?.id ?? '', 120_000)
  if (last.state !== 'succeeded') throw new Error(`the chain broke: ${JSON.stringify(last.cause)}`)
  return performance.now() - start
}

/** A chain of 200 dependent jobs. */
export async function measureChain(home: LocalHome, hq: HyperQueue | undefined, rounds: number): Promise<readonly Figure[]> {
  const samples = await interleave(rounds, {
    drover: () => timeChain(home),
    ...(hq ? { hq: () => hq.time('chain', LINKS) } : {}),
  })
  const drover = samples['drover'] ?? []
  const beside = samples['hq'] ? `, HyperQueue ${showTimes(samples['hq'], 'ms', LINKS)}` : ', HyperQueue is absent'
  return [
    {
      what: 'chain of 200 dependent jobs, per link',
      measured: `${showTimes(drover, 'ms', LINKS)}${beside}`,
      target: 'at most 10 ms',
      ok: median(drover) / LINKS <= 10,
    },
  ]
}
