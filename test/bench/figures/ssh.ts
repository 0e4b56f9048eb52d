import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSshTransport } from '../../../src/transports/ssh-transport.ts'
import { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes } from '../measure.ts'

const COMMANDS = 1000
const CONCURRENCY = 4

async function timeAll(run: () => Promise<void>): Promise<number> {
  const start = performance.now()
  let left = COMMANDS
  const worker = async (): Promise<void> => {
    while (left-- > 0) await run()
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return performance.now() - start
}

async function runOne(args: readonly string[]): Promise<void> {
  const child = spawn('ssh', args, { stdio: 'ignore' })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`ssh ${args.join(' ')}: exit ${code}`)
}

/**
 * 1,000 no-op commands on one host of the rig (test/engines/rig), beside a loop of `ssh` over a ControlMaster connection at
 * the same concurrency; both connections stand before the clock runs.
 */
export async function measureSsh(rounds: number): Promise<readonly Figure[]> {
  const what = `1,000 no-op commands on one SSH host, ${CONCURRENCY} at a time`
  if (process.env['DROVER_RIG_PRIVATE'] === undefined)
    return [{ what, measured: 'no rig: DROVER_RIG_PRIVATE is not set', target: 'at most 1.5x' }]
  const { configFile } = new SshRig('private')
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-'))
  const shared = ['-F', configFile, '-o', `ControlPath=${join(directory, 'peer')}`]
  const transport = createSshTransport({ host: 'node1', configFile, controlDirectory: join(directory, 'own') })
  try {
    await runOne([...shared, '-o', 'ControlPersist=600', '-fNM', 'node1'])
    const samples = await interleave(rounds, {
      drover: () =>
        timeAll(async () => {
          const { code } = await transport.run('true')
          if (code !== 0) throw new Error(`exit ${code}`)
        }),
      loop: () => timeAll(() => runOne([...shared, 'node1', 'true'])),
    })
    const [own, loop] = [samples['drover'] ?? [], samples['loop'] ?? []]
    const ratio = median(own) / median(loop)
    return [
      {
        what,
        measured: `${ratio.toFixed(2)}x: ${showTimes(own, 's', 1000)} beside ${showTimes(loop, 's', 1000)} of ssh over a ControlMaster`,
        target: 'at most 1.5x',
        ok: ratio <= 1.5,
      },
    ]
  } finally {
    await transport.close()
    await runOne([...shared, '-O', 'exit', 'node1']).catch(() => undefined)
    rmSync(directory, { recursive: true, force: true })
  }
}
