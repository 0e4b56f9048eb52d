import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Job } from '../../src/jobs/drover.ts'
import type { FixtureOptions } from '../../src/testing/index.ts'
import { DROVER_BIN, LocalHome } from '../conformance/local-home.ts'
import type { SshRig } from './ssh-rig.ts'

/** All machines of a Slurm rig: files are mounted on each of them. */
const MACHINES = ['login', 'node1', 'node2', 'node3', 'node4']

/** Where Drover runs: `ssh`, on a machine that reaches the login node by SSH; `login`, on the login node itself, as its user. */
export type SlurmWay = 'ssh' | 'login'

/** How a home's target `hpc` is written, beyond the defaults. */
export interface SlurmTarget {
  /** Further lines of the target, as YAML, indented by four. */
  readonly options?: string
  /** Directory of the jobs; default: one below the base, which all machines see. */
  readonly root?: string
  /** Questions to Slurm a minute; default: Drover's own. */
  readonly queriesPerMinute?: number
  /** Variables of the supervisor. */
  readonly environment?: Readonly<Record<string, string>>
}

/** A home whose target `hpc` is the Slurm of a rig. */
export class SlurmHome extends LocalHome {
  readonly rig: SshRig
  readonly way: SlurmWay
  readonly root: string
  readonly #mounted: string[] = []
  #loop: string | undefined

  constructor(rig: SshRig, way: SlurmWay, options: FixtureOptions = {}, target: SlurmTarget = {}) {
    const { diskBytes, ...rest } = options
    super(rest, target.environment ?? {}, rig.directory)
    this.rig = rig
    this.way = way
    // Jobs run as another account than ours.
    chmodSync(this.base, 0o755)
    chmodSync(this.directory, 0o777)
    this.root = target.root ?? join(this.base, `root${options.homeName ?? ''}`)
    mkdirSync(this.root, { recursive: true })
    const config = join(this.base, '.config', 'drover')
    mkdirSync(config, { recursive: true })
    const login = way === 'ssh' ? `    login: login\n    ssh_config: ${rig.configFile}\n` : ''
    const limits =
      target.queriesPerMinute === undefined ? '' : `limits: {queries_per_minute: ${target.queriesPerMinute}, query_burst: 10}\n`
    writeFileSync(
      join(config, 'config.yaml'),
      `${limits}targets:\n  hpc:\n    kind: slurm\n    root: ${JSON.stringify(this.root)}\n${login}${target.options ?? ''}`,
    )
    execFileSync('chown', ['-R', 'drover:', way === 'login' ? this.base : this.root])
    if (diskBytes !== undefined) this.#mountJobs(diskBytes)
  }

  /** Job directories on a small disk of their own, one and the same on every machine and here. */
  #mountJobs(bytes: number): void {
    const jobs = join(this.root, 'jobs')
    const image = join(this.base, 'small-disk')
    execFileSync('sh', [
      '-c',
      'truncate -s "$2" "$1" && mkfs.ext4 -q -F -m 0 -O ^has_journal "$1" && mkdir "$3"',
      'sh',
      image,
      String(bytes),
      jobs,
    ])
    this.#loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim()
    execFileSync('mount', [this.#loop, jobs])
    execFileSync('sh', ['-c', 'rmdir "$1/lost+found"; chmod 700 "$1"; chown drover: "$1"', 'sh', jobs])
    for (const machine of MACHINES) this.rig.on(machine, 'mount', this.#loop, jobs)
    this.#mounted.push(jobs)
  }

  protected override spawnSupervisor(log: number): ChildProcess {
    if (this.way === 'ssh') return super.spawnSupervisor(log)
    const variables = Object.entries({ ...this.environment, DROVER_READY_FD: '3' }).map(([name, value]) => `${name}=${value}`)
    const [command, ...args] = this.rig.command(
      'login',
      ...['env', '-i', '-C', '/', ...variables, process.execPath, DROVER_BIN, 'supervisor', 'run'],
    )
    return spawn(command, args, { cwd: '/', stdio: ['ignore', log, log, 'pipe'] })
  }

  protected override signalSupervisor(child: ChildProcess, signal: NodeJS.Signals): void {
    if (this.way === 'ssh') super.signalSupervisor(child, signal)
    else process.kill(this.supervisorPid, signal)
  }

  /** On this host, also where it runs inside the login machine. */
  override get supervisorPid(): number {
    if (this.way === 'ssh') return super.supervisorPid
    const home = Buffer.from(this.home, 'utf8').toString('latin1')
    const found = processes().find(
      (pid) => textOf(pid, 'cmdline').includes('supervisor\0run') && `\0${textOf(pid, 'environ')}`.includes(`\0DROVER_HOME=${home}\0`),
    )
    if (found === undefined) throw new Error('the supervisor has not been started')
    return found
  }

  override attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.root, 'jobs', job.id, String(attempt))
  }

  /** Process ids are those inside a machine: the one is meant that carries this home's root. */
  #hostPid(pid: number): number | undefined {
    const marks = [this.root, this.directory].map((path) => Buffer.from(path, 'utf8').toString('latin1'))
    return processes().find((candidate) => {
      const inside = /^NSpid:\t(?:\d+\t)+(\d+)$/m.exec(textOf(candidate, 'status'))?.[1]
      if (Number(inside) !== pid) return false
      return (['cmdline', 'environ'] as const).some((file) => marks.some((mark) => textOf(candidate, file).includes(mark)))
    })
  }

  override alive(pid: number): boolean {
    const found = this.#hostPid(pid)
    return found !== undefined && super.alive(found)
  }

  override kill9(pid: number): void {
    const found = this.#hostPid(pid)
    if (found === undefined) throw new Error(`no process ${pid} of ${this.root} on any machine`)
    process.kill(found, 'SIGKILL')
  }

  /** Command lines of processes of a job that live on any machine, zombies left out. */
  processesOfJob(job: Pick<Job, 'id'>): readonly string[] {
    const mark = `${this.root}/jobs/${job.id}/`
    return processes()
      .filter((pid) => /^State:\s+[^ZX]/m.test(textOf(pid, 'status')) && textOf(pid, 'environ').includes(mark))
      .map((pid) => `${pid} ${textOf(pid, 'cmdline').replaceAll('\0', ' ').trim()}`)
  }

  /** A command of the user on the login machine, by sh; its stdout. */
  login(script: string): string {
    return this.rig.as('login', 'sh', '-c', script)
  }

  /** What Slurm has of Drover's jobs of this home, ended: nothing of one test is left in the way of the next. */
  #cancelAll(): void {
    const names = this.#jobNames()
    if (names.length > 0) this.login(`scancel --name=${names.join(',')} 2>/dev/null || true`)
  }

  #jobNames(): readonly string[] {
    try {
      return readdirSync(join(this.root, 'jobs')).flatMap((id) =>
        readdirSync(join(this.root, 'jobs', id))
          .filter((attempt) => /^\d+$/.test(attempt))
          .map((attempt) => `d-${id}-${attempt}`),
      )
    } catch {
      return []
    }
  }

  override async close(): Promise<void> {
    await this.stop()
    this.#cancelAll()
    for (const path of this.#mounted) {
      for (const machine of MACHINES) this.rig.on(machine, 'umount', '-l', path)
      execFileSync('umount', ['-l', path])
    }
    if (this.#loop !== undefined) execFileSync('losetup', ['--detach', this.#loop])
    await super.close()
  }
}

function processes(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** A file of a process; empty when that has ended. */
function textOf(pid: number, file: 'cmdline' | 'environ' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
