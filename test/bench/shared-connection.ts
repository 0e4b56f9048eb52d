import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { SshRig } from '../engines/ssh-rig.ts'

/** What the peers go over: a ControlMaster connection per host that stands before the clock runs. */
export interface SharedConnection extends Disposable {
  /** Arguments of `ssh` before the host. */
  readonly args: readonly string[]
}

/** Opens a connection to each host; ends them on disposal. `configFile`: another way to the machines of the rig. */
export function openSharedConnection(rig: SshRig, hosts: readonly string[], configFile = rig.configFile): SharedConnection {
  const directory = mkdtempSync(join(rig.directory, 'peer-'))
  const args = ['-F', configFile, '-o', `ControlPath=${join(directory, '%h')}`]
  const dispose = (): void => {
    for (const host of hosts) spawnSync('ssh', [...args, '-O', 'exit', host], { stdio: 'ignore' })
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    for (const host of hosts) execFileSync('ssh', [...args, '-o', 'ControlPersist=600', '-fNM', host], { stdio: 'ignore' })
  } catch (error) {
    dispose()
    throw error
  }
  return { args, [Symbol.dispose]: dispose }
}
