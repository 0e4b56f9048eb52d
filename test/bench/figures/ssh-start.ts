import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTaskFile, settled } from '../../../src/testing/index.ts'
import { createSshTransport, type SshTransport } from '../../../src/transports/ssh-transport.ts'
import { SshHome } from '../../engines/ssh-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, median, showTimes } from '../measure.ts'

const LATENCY_MS = 50
const NODES = 4

/** ms from submit to the first line of rank 0, of a job on all machines. */
async function timeFirstLine(home: SshHome, path: string): Promise<number> {
  const task = createTaskFile('lab', { numNodes: NODES, workdir: { kind: 'directory', path }, run: 'cat line' })
  const start = performance.now()
  const [job] = await home.drover.submit(task)
  const id = job?.id ?? ''
  let first: number | undefined
  for await (const chunk of home.drover.logs(id, { ranks: [0], streams: ['stdout'], follow: true })) {
    first ??= performance.now() - start
    if (!Buffer.from(chunk.bytes).toString().startsWith('first')) throw new Error('rank 0 printed something else')
  }
  const ended = await settled(home.drover, id, 60_000)
  if (ended.state !== 'succeeded' || first === undefined) throw new Error(`the job ended as ${ended.state}: ${JSON.stringify(ended.cause)}`)
  return first
}

/** ms of a command that does nothing on a host: one round trip. */
async function timeTrip(transport: SshTransport): Promise<number> {
  const start = performance.now()
  await transport.run('true')
  return performance.now() - start
}

/**
 * A job on four machines without a shared home, its code already there: the sequential round trips from submit to the first
 * line of rank 0, as the time that a slower network adds, divided by what it adds to one round trip.
 */
export async function measureSshStart(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const home = await new SshHome(rig, 'private').start()
  const directory = mkdtempSync(join(rig.directory, 'bench-'))
  const transport = createSshTransport({ host: 'node1', configFile: rig.configFile, controlDirectory: directory })
  const slow = (ms: number): void => {
    for (let node = 1; node <= NODES; node += 1) rig.fault('slow-network', String(node), String(ms))
  }
  try {
    const path = join(home.base, 'code')
    mkdirSync(path)
    writeFileSync(join(path, 'line'), 'first\n')
    const times = { near: [] as number[], far: [] as number[] }
    const bare = { near: [] as number[], far: [] as number[] }
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, ms] of [
        ['near', 0],
        ['far', LATENCY_MS],
      ] as const) {
        slow(ms)
        // Connections find out about the other line; the first job also brings the code.
        await timeFirstLine(home, path)
        await timeTrip(transport)
        for (let sample = 0; sample < 3; sample += 1) {
          times[name].push(await timeFirstLine(home, path))
          bare[name].push(await timeTrip(transport))
        }
      }
    }
    const added = median(bare.far) - median(bare.near)
    if (added < LATENCY_MS * 0.8) throw new Error(`the network was not slowed: one command took only ${added.toFixed(0)} ms more`)
    const trips = (median(times.far) - median(times.near)) / LATENCY_MS
    return [
      {
        what: `job on ${NODES} hosts, code already there: round trips from submit to the first line of rank 0, at ${LATENCY_MS} ms more latency`,
        measured: `${trips.toFixed(1)}: ${showTimes(times.far)} beside ${showTimes(times.near)} without; a command of one round trip: ${added.toFixed(0)} ms more`,
        target: 'at most 5',
        ok: trips <= 5,
      },
    ]
  } finally {
    slow(0)
    await transport.close()
    await home.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
