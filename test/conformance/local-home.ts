import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Drover, Job } from '../../src/jobs/drover.ts'
import { connectDrover } from '../../src/server/client.ts'
import { packageFacts } from '../../src/server/package-root.ts'
import { resolveHome } from '../../src/targets/drover-home.ts'
import { type Fixture, type FixtureOptions, until } from '../../src/testing/index.ts'

/** The built command, as users run it. */
export const DROVER_BIN = fileURLToPath(new URL('../../bin/drover.js', import.meta.url))

/** Variable that names the directory of this test run: the global teardown knows leaked processes by it. */
export const TEST_DIRECTORY = 'DROVER_TEST_DIRECTORY'

/** A supervisor as a child process, so that it can be killed for good. */
export class LocalHome implements Fixture {
  readonly base: string
  readonly home: string
  readonly directory: string
  readonly environment: Record<string, string>
  #drover: Drover | undefined
  #supervisor: ChildProcess | undefined
  /** A supervisor that a command of a test started first. */
  #adopted: number | undefined
  #mounted = false

  /** `parent`: where its directory is made; default: that of this test run. */
  constructor(
    options: FixtureOptions = {},
    environment: Readonly<Record<string, string>> = {},
    parent = process.env[TEST_DIRECTORY] ?? tmpdir(),
  ) {
    this.base = mkdtempSync(join(parent, 'home-'))
    this.home = join(this.base, options.homeName ?? 'home')
    this.directory = join(this.base, 'shared')
    mkdirSync(this.home, { recursive: true, mode: 0o700 })
    mkdirSync(this.directory)
    this.environment = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.base,
      DROVER_HOME: this.home,
      DROVER_IDLE_EXIT: 'never',
      ...environment,
    }
    if (options.diskBytes !== undefined) this.#mountJobs(options.diskBytes)
  }

  /** Job directories on a small disk of their own; the store stays where there is room. */
  #mountJobs(bytes: number): void {
    const jobs = join(this.home, 'jobs')
    mkdirSync(jobs, { mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', jobs])
    this.#mounted = true
  }

  get drover(): Drover {
    if (!this.#drover) throw new Error('the supervisor has not been started')
    return this.#drover
  }

  get supervisorPid(): number {
    const pid = this.#adopted ?? this.#supervisor?.pid
    if (pid === undefined) throw new Error('the supervisor has not been started')
    return pid
  }

  get socketPath(): string {
    return resolveHome(this.environment).socketPath
  }

  /** Starts a supervisor; rejects with its log when it does not come up. */
  async start(): Promise<this> {
    const logPath = join(this.base, 'supervisor.log')
    const log = openSync(logPath, 'a')
    const child = this.spawnSupervisor(log)
    closeSync(log)
    this.#supervisor = child
    const ready = child.stdio[3] as Readable
    const [first] = (await Promise.race([once(ready, 'data'), once(ready, 'close')])) as [Buffer | undefined]
    const drover = connectDrover(this.socketPath, { version: packageFacts().version })
    if (!first?.toString().includes('"ready":true')) {
      if (first?.toString().includes('"conflict"')) {
        this.#drover = drover
        this.#adopted = (await drover.status()).pid
        return this
      }
      throw new Error(`the supervisor did not start: ${first ?? ''}\n${readFileSync(logPath, 'utf8')}`)
    }
    this.#drover = drover
    return this
  }

  /** `log`: a descriptor for what it prints. Its descriptor 3 is a pipe, on which it says that it is ready. */
  protected spawnSupervisor(log: number): ChildProcess {
    return spawn(process.execPath, [DROVER_BIN, 'supervisor', 'run'], {
      cwd: '/',
      env: { ...this.environment, DROVER_READY_FD: '3' },
      stdio: ['ignore', log, log, 'pipe'],
    })
  }

  protected signalSupervisor(child: ChildProcess, signal: NodeJS.Signals): void {
    child.kill(signal)
  }

  async client(): Promise<Drover> {
    return connectDrover(this.socketPath, { version: packageFacts().version })
  }

  async supervisorKill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async restart(): Promise<void> {
    await this.#end('SIGTERM')
    await this.start()
  }

  /** Ends the supervisor as `drover supervisor stop` does; its jobs run on. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#supervisor
    await this.#drover?.close()
    const adopted = this.#adopted
    if (adopted !== undefined) {
      this.#adopted = undefined
      if (this.alive(adopted)) process.kill(adopted, signal)
      await until('the supervisor to end', 10_000, () => !this.alive(adopted))
      return
    }
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    this.signalSupervisor(child, signal)
    await gone
  }

  attemptDir(job: Job, attempt = job.attempt): string {
    return join(this.home, 'jobs', job.id, String(attempt))
  }

  alive(pid: number): boolean {
    try {
      // A zombie answers to signals but does not live.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return false
    }
  }

  kill9(pid: number): void {
    process.kill(pid, 'SIGKILL')
  }

  async commandLines(): Promise<string> {
    return execFileSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' })
  }

  /** Ends all that this home started: first the supervisor, then every process whose environment names the home. */
  async close(): Promise<void> {
    await this.#end('SIGTERM')
    for (const pid of processesOf(this.base)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself between the look and the kill.
      }
    }
    if (this.#mounted) execFileSync('umount', ['-l', join(this.home, 'jobs')])
    rmSync(this.base, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Processes that carry a path in their command line or environment; this process never. */
export function processesOf(path: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(path))
      } catch {
        return false
      }
    })
}
