import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createTaskFile, settled } from '../../../src/testing/index.ts'
import { SshHome } from '../../engines/ssh-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes, timeCommand } from '../measure.ts'
import { versionOf } from '../peers.ts'
import { openSharedConnection } from '../shared-connection.ts'

const ELEMENTS = 500
const HOSTS = ['node1', 'node2', 'node3', 'node4']
/** As many at a time as the hosts' `cpus` give Drover. */
const PER_HOST = 4

/** ms from submit until the end of every element is known and all output was read. */
async function timeElements(home: SshHome): Promise<number> {
  const start = performance.now()
  const [job] = await home.drover.submit(
    createTaskFile('lab', { array: { elements: { kind: 'count', count: ELEMENTS }, size: ELEMENTS }, run: 'true' }),
  )
  const id = job?.id ?? ''
  const ended = await settled(home.drover, id, 120_000)
  for await (const chunk of home.drover.logs(id, { streams: ['stdout', 'stderr'] }))
    throw new Error(`true printed ${Buffer.from(chunk.bytes).toString()}`)
  const time = performance.now() - start
  if (ended.elements?.succeeded !== ELEMENTS) throw new Error(`not all elements succeeded: ${JSON.stringify(ended.elements)}`)
  return time
}

async function timeParallel(ssh: readonly string[], parent: string): Promise<number> {
  const directory = mkdtempSync(join(parent, 'bench-'))
  const hosts = HOSTS.map((host) => `${PER_HOST}/${host}`).join(',')
  const script = `cd "$1" && seq 1 ${ELEMENTS} | parallel --will-cite -S ${hosts} -N1 --joblog log --results results 'true #{}'`
  try {
    const time = await timeCommand('sh', ['-c', script, 'sh', directory], {
      ...process.env,
      HOME: directory,
      PARALLEL_SSH: ['ssh', ...ssh].join(' '),
    })
    const codes = readFileSync(join(directory, 'log'), 'utf8').trim().split('\n').slice(1)
    if (codes.length !== ELEMENTS || codes.some((line) => line.split('\t')[6] !== '0'))
      throw new Error('parallel: not all elements succeeded')
    return time
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** 500 array elements of `true` over four hosts, beside GNU parallel over ControlMaster connections that stand already. */
export async function measureSshElements(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const what = `${ELEMENTS} elements of true over 4 hosts, ${PER_HOST} at a time on each, beside GNU parallel --sshlogin over ControlMaster connections`
  if (versionOf('parallel') === undefined) return [{ what, measured: 'not measured: GNU parallel is absent', target: 'faster' }]
  const home = await new SshHome(rig, 'private').start()
  using peer = openSharedConnection(rig, HOSTS)
  try {
    await timeElements(home)
    const samples = await interleave(rounds, { drover: () => timeElements(home), parallel: () => timeParallel(peer.args, rig.directory) })
    const [own, parallel] = [samples['drover'] ?? [], samples['parallel'] ?? []]
    const ratio = median(own) / median(parallel)
    return [
      {
        what,
        measured: `${ratio.toFixed(2)}x: ${showTimes(own, 's', 1000)} beside ${showTimes(parallel, 's', 1000)}`,
        target: 'faster',
        ok: ratio < 1,
      },
    ]
  } finally {
    await home.close()
  }
}
