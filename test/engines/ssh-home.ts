import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import type { FixtureOptions } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'
import type { SshRig } from './ssh-rig.ts'

const NODES = ['node1', 'node2', 'node3', 'node4']

/** How a lab of the rig is seen: `shared`, below a directory that all machines and this process see; `private`, on each one's own disk. */
export type LabKind = 'shared' | 'private'

/** A home whose target `lab` is the four machines of a rig. */
export class SshHome extends LocalHome {
  readonly rig: SshRig
  readonly kind: LabKind
  readonly root: string
  readonly #ownsRoot: boolean
  #mounted: string | undefined

  /** `root`: that of another home, whose machines this one shares as a second client. */
  constructor(rig: SshRig, kind: LabKind, options: FixtureOptions = {}, nodeOptions = '', root?: string) {
    const { diskBytes, ...rest } = options
    super(rest, {}, rig.directory)
    this.rig = rig
    this.kind = kind
    // The account of the machines is another than ours.
    chmodSync(this.base, 0o755)
    chmodSync(this.directory, 0o777)
    this.#ownsRoot = root === undefined
    this.root = root ?? (kind === 'shared' ? join(this.base, 'root') : `/scratch/${basename(this.base)}`)
    if (kind === 'shared' && this.#ownsRoot) {
      mkdirSync(this.root)
      chmodSync(this.root, 0o777)
    }
    if (diskBytes !== undefined) this.#mountJobs(diskBytes)
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    writeFileSync(
      join(config, 'config.yaml'),
      `targets:
  lab:
    kind: ssh
    root: ${this.root}
    ssh_config: ${rig.configFile}
    shared_home: ${kind === 'shared'}
    nodes:
${NODES.map((node) => `      - {host: ${node}, cpus: 4${nodeOptions}}\n`).join('')}`,
    )
  }

  /** Job directories of the first machine on a small disk of their own. */
  #mountJobs(bytes: number): void {
    const jobs = join(this.root, 'jobs')
    this.rig.as('node1', 'mkdir', '-p', '-m', '700', jobs)
    this.rig.on('node1', 'sh', '-c', 'mount -t tmpfs -o "size=$1,mode=700,uid=$(stat -c %u "$2")" tmpfs "$2"', 'sh', String(bytes), jobs)
    this.#mounted = jobs
  }

  /** Rank 0's: the disk of its machine is seen through the first process there. */
  override attemptDir(job: Job, attempt = job.attempt): string {
    const several = job.ranks.length > 1 ? '-0' : ''
    const first = readFileSync(join(this.rig.directory, 'nodes', job.ranks[0]?.node ?? 'node1', 'init'), 'utf8').trim()
    return join(`/proc/${first}/root`, this.root, 'jobs', job.id, `${attempt}${several}`)
  }

  /** Process ids are those inside a machine: the one is meant that carries this home's root. */
  #hostPid(pid: number): number | undefined {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .find((candidate) => {
        try {
          const inside = /^NSpid:\t(?:\d+\t)+(\d+)$/m.exec(readFileSync(`/proc/${candidate}/status`, 'utf8'))?.[1]
          if (Number(inside) !== pid) return false
          return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${candidate}/${file}`, 'latin1').includes(this.root))
        } catch {
          return false
        }
      })
  }

  override alive(pid: number): boolean {
    const found = this.#hostPid(pid)
    // The supervisor is a process of ours.
    return found === undefined ? pid === this.supervisorPidOrNone && super.alive(pid) : super.alive(found)
  }

  get supervisorPidOrNone(): number | undefined {
    try {
      return this.supervisorPid
    } catch {
      return undefined
    }
  }

  override kill9(pid: number): void {
    const found = this.#hostPid(pid)
    if (found === undefined) throw new Error(`no process ${pid} of ${this.root} on any machine`)
    process.kill(found, 'SIGKILL')
  }

  override async close(): Promise<void> {
    if (this.#mounted !== undefined) this.rig.on('node1', 'umount', '-l', this.#mounted)
    await super.close()
    if (this.kind === 'private' && this.#ownsRoot) for (const node of NODES) this.rig.on(node, 'rm', '-rf', this.root)
  }
}
