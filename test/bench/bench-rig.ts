import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { processesOf } from '../conformance/local-home.ts'
import { SshRig } from '../engines/ssh-rig.ts'

const CLUSTER = join(import.meta.dirname, '../engines/rig/cluster.sh')
const INSTANCE = '4'
/** The workdir, the bundle made of it, and the peers' copies lie side by side. */
const DISK_MB = '4096'

/** Four machines of the bench's own; `close` takes them down. */
export interface BenchRig {
  readonly rig: SshRig
  close(): void
}

/** Why no rig can be had here; undefined where one can. */
export function whyNoRig(): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed for four machines with sshd'
  if (!existsSync('/etc/debian_version')) return 'Debian is needed for four machines with sshd'
  const missing = ['ssh', 'rsync', 'tar', 'ip'].filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  return missing.length === 0 ? undefined : `${missing.join(', ')} not found: run test/engines/rig/install.sh ssh`
}

/**
 * Brings up four machines with sshd and a home each; they go down at the latest when this process ends, interrupted or not.
 * Throws with the words of cluster.sh.
 */
export function openBenchRig(): BenchRig {
  const base = '/var/tmp'
  mkdirSync(base, { recursive: true })
  const directory = mkdtempSync(join(base, 'drover-bench-'))
  let open = true
  const close = (): void => {
    if (!open) return
    open = false
    process.off('exit', close)
    spawnSync('bash', [CLUSTER, 'down', '--dir', directory, '--instance', INSTANCE, '--purge'], { stdio: 'ignore' })
    // A supervisor, or a shared connection, that an interrupted figure left.
    for (const pid of processesOf(directory)) spawnSync('kill', ['-KILL', String(pid)])
    rmSync(directory, { recursive: true, force: true })
  }
  process.on('exit', close)
  // The handlers of `exit` run then.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.once(signal, () => process.exit(code))
  const options = ['--ssh-only', '--home', 'private', '--disk-mb', DISK_MB]
  const up = spawnSync('bash', [CLUSTER, 'up', '--dir', directory, '--instance', INSTANCE, ...options], { encoding: 'utf8' })
  if (up.status !== 0) {
    close()
    throw new Error(`no rig: ${up.stderr.trim()}`)
  }
  process.env['DROVER_RIG_PRIVATE'] = directory
  return { rig: new SshRig('private'), close }
}
