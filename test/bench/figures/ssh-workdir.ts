import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageCode } from '../../../src/packaging/package-code.ts'
import { shipBundle } from '../../../src/packaging/ship-bundle.ts'
import { createTaskFile, settled } from '../../../src/testing/index.ts'
import { createLocalTransport } from '../../../src/transports/local-transport.ts'
import { createSshTransport } from '../../../src/transports/ssh-transport.ts'
import { SshHome } from '../../engines/ssh-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, type Samples, showTimes, timeCommand } from '../measure.ts'
import { openSharedConnection } from '../shared-connection.ts'

const FILES = 2_000
const FILE_BYTES = 100_000
const NODE = 'node1'

const fileAt = (at: number): string => join(`part-${at % 20}`, `file-${at}`)

/** A file that no compression helps; its first line is `mark`. */
function writeOne(directory: string, at: number, mark: string): void {
  const head = Buffer.from(`${mark}\n`)
  writeFileSync(join(directory, fileAt(at)), Buffer.concat([head, randomBytes(FILE_BYTES - head.length)]))
}

function writeTree(directory: string, mark: string): void {
  for (let part = 0; part < 20; part += 1) mkdirSync(join(directory, `part-${part}`), { recursive: true })
  for (let at = 0; at < FILES; at += 1) writeOne(directory, at, mark)
}

/** What was written before is on the disk, so that nobody pays for somebody else. */
function rest(): void {
  spawnSync('sync')
}

/** ms from submit until a job on one host prints from the code that all files, and the new first line of one, are there. */
async function timeSubmit(home: SshHome, path: string, at: number, mark: string): Promise<number> {
  const run = `[ "$(find . -type f | wc -l)" -eq ${FILES} ] && head -n 1 ${fileAt(at)}`
  const start = performance.now()
  const [job] = await home.drover.submit(createTaskFile('lab', { workdir: { kind: 'directory', path }, run }))
  const id = job?.id ?? ''
  let time: number | undefined
  let text = ''
  for await (const chunk of home.drover.logs(id, { streams: ['stdout'], follow: true })) {
    time ??= performance.now() - start
    text += Buffer.from(chunk.bytes).toString()
  }
  const ended = await settled(home.drover, id, 120_000)
  if (text !== `${mark}\n` || time === undefined) throw new Error(`the code is not there: ${ended.state} ${JSON.stringify(ended.cause)}`)
  if (ended.ranks[0]?.node !== NODE) throw new Error(`the job ran on ${ended.ranks[0]?.node}, not on ${NODE}`)
  return time
}

/**
 * A workdir of 2,000 files and 200 MB on one host, beside rsync or tar (the faster one) over a ControlMaster connection: the
 * first time, and again after one file has changed. Two times of Drover's: what the supervisor does until the host has the
 * bundle (packaged here, checked, sent), and what a user sees, from submit to a line of a job that stands in its own copy.
 */
export async function measureSshWorkdir(rig: SshRig, rounds: number, againRounds: number): Promise<readonly Figure[]> {
  const { configFile } = rig
  const home = await new SshHome(rig, 'private').start()
  using peer = openSharedConnection(rig, [NODE])
  const local = mkdtempSync(join(rig.directory, 'bench-'))
  const transport = createSshTransport({ host: NODE, configFile, controlDirectory: local })
  const far = `/scratch/bench-${process.pid}`
  const shell = ['ssh', ...peer.args].join(' ')
  const rsync = (from: string): Promise<number> => timeCommand('rsync', ['-a', '-e', shell, `${from}/`, `${NODE}:${far}/rsync/`])
  const tar = (from: string): Promise<number> =>
    timeCommand('bash', [
      '-o',
      'pipefail',
      '-c',
      `tar -C "$1" -cf - . | ${shell} ${NODE} "mkdir -p ${far}/tar && tar -C ${far}/tar -xf -"`,
      'bash',
      from,
    ])
  const own = join(local, 'root')
  const here = createLocalTransport()
  const send = async (path: string): Promise<number> => {
    const start = performance.now()
    const packaged = await packageCode({ kind: 'directory', path }, own, here)
    if (packaged.kind !== 'bundle') throw new Error('a directory became no bundle')
    await shipBundle(packaged.hash, own, 'bench', [{ root: `${far}/sent`, transport }])
    return performance.now() - start
  }
  try {
    await transport.hello()
    // The supervisor's connections stand before the clock runs, as the peers' do.
    const [warm] = await home.drover.submit(createTaskFile('lab', { run: 'true' }))
    await settled(home.drover, warm?.id ?? '', 60_000)
    let round = 0
    let path = join(local, 'code')
    const fresh =
      (run: () => Promise<number>): (() => Promise<number>) =>
      async () => {
        // New content each time: nothing of it is known anywhere.
        rmSync(path, { recursive: true, force: true })
        round += 1
        path = join(local, `code-${round}`)
        writeTree(path, `first ${round}`)
        rig.on(NODE, 'rm', '-rf', far, `${home.root}/bundles`)
        rig.as(NODE, 'mkdir', '-p', far)
        rest()
        return run()
      }
    const first = await interleave(rounds, {
      drover: fresh(() => timeSubmit(home, path, 0, `first ${round}`)),
      rsync: fresh(() => rsync(path)),
      tar: fresh(() => tar(path)),
      sent: fresh(() => send(path)),
    })
    await fresh(() => timeSubmit(home, path, 0, `first ${round}`))()
    await rsync(path)
    await send(path)
    let change = 0
    const changed =
      (run: () => Promise<number>): (() => Promise<number>) =>
      async () => {
        change += 1
        writeOne(path, change, `change ${change}`)
        rest()
        return run()
      }
    const again = await interleave(againRounds, {
      drover: changed(() => timeSubmit(home, path, change, `change ${change}`)),
      rsync: changed(() => rsync(path)),
      sent: changed(() => send(path)),
    })
    const faster = median(first['rsync'] ?? []) <= median(first['tar'] ?? []) ? 'rsync' : 'tar'
    const size = '2,000 files, 200 MB, to one host'
    return [
      compare(`${size}, first send: packaged and the bundle there`, first, 'sent', faster, 1.5),
      compare(`${size}, first send: submit to the first line of a job in its own copy`, first, 'drover', faster, 1.5),
      compare('the same, one file changed: packaged and the bundle there', again, 'sent', 'rsync', 2),
      compare('the same, one file changed: submit to the first line of a job in its own copy', again, 'drover', 'rsync', 2),
    ]
  } finally {
    await transport.close()
    await here.close()
    await home.close()
    rig.on(NODE, 'rm', '-rf', far)
    rmSync(local, { recursive: true, force: true })
  }
}

function compare(what: string, samples: Samples, who: string, peer: string, limit: number): Figure {
  const [own, beside] = [samples[who] ?? [], samples[peer] ?? []]
  const ratio = median(own) / median(beside)
  return {
    what: `${what}, beside ${peer} over a ControlMaster connection`,
    measured: `${ratio.toFixed(2)}x: ${showTimes(own, 's', 1000)} beside ${showTimes(beside, 's', 1000)}`,
    target: `at most ${limit}x`,
    ok: ratio <= limit,
  }
}
