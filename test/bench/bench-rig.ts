import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { processesOf } from '../conformance/local-home.ts'
import { SshRig } from '../engines/ssh-rig.ts'

const CLUSTER = join(import.meta.dirname, '../engines/rig/cluster.sh')
/** Which of the ten rigs that one host can hold is the bench's. */
const INSTANCE = process.env['DROVER_BENCH_INSTANCE'] ?? '4'

/** `private`: each machine with a home of its own; `slurm`: one home, a login machine, and Slurm. */
export type BenchRigKind = 'private' | 'slurm'

const UP: Readonly<Record<BenchRigKind, readonly string[]>> = {
  // The workdir, the bundle made of it, and the peers' copies lie side by side.
  private: ['--ssh-only', '--home', 'private', '--disk-mb', '4096'],
  // Room for one array of 10,000 elements; Slurm's own limits are 1,000 elements and 10,000 jobs.
  slurm: ['--home', 'shared', '--conf', 'MaxArraySize=20001', '--conf', 'MaxJobCount=50000'],
}
const TOOLS: Readonly<Record<BenchRigKind, readonly string[]>> = {
  private: ['ssh', 'rsync', 'tar', 'ip'],
  slurm: ['ssh', 'ip', 'slurmctld', 'slurmdbd', 'sbatch', 'sshfs'],
}

/** Four machines of the bench's own; `close` takes them down. */
export interface BenchRig {
  readonly rig: SshRig
  close(): void
}

/** Why no rig can be had here; undefined where one can. */
export function whyNoRig(kind: BenchRigKind): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed for four machines with sshd'
  if (!existsSync('/etc/debian_version')) return 'Debian is needed for four machines with sshd'
  const missing = TOOLS[kind].filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  if (missing.length === 0) return undefined
  const install = `run test/engines/rig/install.sh ${kind === 'slurm' ? 'ssh slurm' : 'ssh'}${missing.includes('sshfs') ? '; apt-get install sshfs' : ''}`
  return `${missing.join(', ')} not found: ${install}`
}

/**
 * Brings up four machines with sshd; they go down at the latest when this process ends, interrupted or not.
 * Throws with the words of cluster.sh.
 */
export function openBenchRig(kind: BenchRigKind): BenchRig {
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
  const up = spawnSync('bash', [CLUSTER, 'up', '--dir', directory, '--instance', INSTANCE, ...UP[kind]], { encoding: 'utf8' })
  if (up.status !== 0) {
    close()
    throw new Error(`no rig: ${up.stderr.trim()}`)
  }
  process.env[`DROVER_RIG_${kind.toUpperCase()}`] = directory
  return { rig: new SshRig(kind), close }
}
