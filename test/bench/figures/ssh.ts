import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createSshTransport } from '../../../src/transports/ssh-transport.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes, timeCommand } from '../measure.ts'
import { openSharedConnection } from '../shared-connection.ts'

const COMMANDS = 1000
const CONCURRENCY = 4

async function timeAll(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let left = COMMANDS
  const worker = async (): Promise<void> => {
    while (left-- > 0) await run()
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return performance.now() - start
}

/**
 * 1,000 no-op commands on one host, beside a loop of `ssh` over a ControlMaster connection at the same concurrency; both
 * connections stand before the clock runs.
 */
export async function measureSshCommands(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const { configFile } = rig
  using peer = openSharedConnection(rig, ['node1'])
  const directory = mkdtempSync(join(rig.directory, 'bench-'))
  const transport = createSshTransport({ host: 'node1', configFile, controlDirectory: directory })
  try {
    await transport.hello()
    const samples = await interleave(rounds, {
      drover: () =>
        timeAll(async () => {
          const { code } = await transport.run('true')
          if (code !== 0) throw new Error(`exit ${code}`)
        }),
      loop: () => timeAll(() => timeCommand('ssh', [...peer.args, 'node1', 'true'])),
    })
    const [own, loop] = [samples['drover'] ?? [], samples['loop'] ?? []]
    const ratio = median(own) / median(loop)
    return [
      {
        what: `1,000 no-op commands on one host, ${CONCURRENCY} at a time, beside a loop of ssh over a ControlMaster connection`,
        measured: `${ratio.toFixed(2)}x: ${showTimes(own, 's', 1000)} beside ${showTimes(loop, 's', 1000)}`,
        target: 'at most 1.5x',
        ok: ratio <= 1.5,
      },
    ]
  } finally {
    await transport.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
