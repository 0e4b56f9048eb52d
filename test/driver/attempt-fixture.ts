import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileElements } from '../../src/driver/array-elements.ts'
import type { DriverAllocation, DriverOptions } from '../../src/driver/driver-options.ts'
import { ATTEMPT_DIRECTORIES, compileDriver } from '../../src/driver/driver-script.ts'
import { compileNodeRunner } from '../../src/driver/node-runner-script.ts'
import { attemptPaths, type ExitRecord, type JobEventLine, type RecordReading, type SlotLine } from '../../src/driver/protocol.ts'
import { parseEventLines, parseExitRecord, parseSlotLines } from '../../src/driver/protocol-reader.ts'
import { shellAssignments } from '../../src/driver/quote.ts'
import { compileRunScript, compileSetupScript } from '../../src/driver/run-script.ts'
import type { ArraySpec } from '../../src/task/task-spec.ts'

const SHELLS: Record<string, readonly string[]> = { dash: ['dash'], 'bash --posix': ['bash', '--posix'], 'busybox sh': ['busybox', 'sh'] }

/** The shells of this machine, by name; the missing ones are named on stderr. */
export const shells = Object.entries(SHELLS).filter(([name, [program = '']]) => isInstalled(program, `the tests under ${name}`))

/** False, with the reason printed, where a program is missing. */
export function isInstalled(program: string, what: string): boolean {
  if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0) return true
  process.stderr.write(`skipped: ${what}, because ${program} is not installed\n`)
  return false
}

export interface AttemptOptions {
  readonly shell: readonly string[]
  readonly run: string | readonly string[]
  readonly setup?: string
  readonly ranks?: number
  /** The first rank, of a driver that starts only those of one node. Default 0. */
  readonly firstRank?: number
  /** The test opens the gate, as the supervisor does. */
  readonly gate?: boolean
  readonly lease?: DriverOptions['lease']
  /** Inside an allocation of as many nodes as `ranks`, started by the stand-in for srun where there are several. */
  readonly allocation?: Partial<DriverAllocation>
  /** Default j1. */
  readonly jobId?: string
  readonly env?: Readonly<Record<string, string>>
  /** Variables of rank n, or of slot n of an array. */
  readonly ownEnv?: (at: number) => Readonly<Record<string, string>>
  readonly timeoutSeconds?: number
  readonly graceSeconds?: number
  readonly processGroups?: DriverOptions['processGroups']
  /** Variables of the driver process. */
  readonly driverEnv?: Readonly<Record<string, string>>
  /** What resets signals, as a parent that knows it says; default: the driver finds out. */
  readonly knownReset?: 'env' | 'perl' | 'python' | 'none'
  /** Name of the directory of everything, for hostile ones. */
  readonly name?: string
  readonly array?: ArraySpec['elements'] & { readonly size: number; readonly width: number; readonly positions?: readonly number[] }
}

/** One attempt in a temporary directory, with its real driver process. */
export class Attempt {
  readonly base: string
  readonly dir: string
  readonly work: string
  readonly options: AttemptOptions
  /** In the environment of every process of this attempt. */
  readonly mark = `mark-${randomUUID()}`
  #driver: ChildProcess | undefined

  constructor(options: AttemptOptions) {
    this.options = options
    this.base = join(mkdtempSync(join(tmpdir(), 'drover-test-')), options.name ?? 'plain')
    this.dir = join(this.base, 'jobs', 'j1', '1')
    this.work = join(this.base, 'work')
    for (const directory of [...ATTEMPT_DIRECTORIES.map((name) => join(this.dir, name)), this.work])
      mkdirSync(directory, { recursive: true })
    const first = options.firstRank ?? 0
    const ranks = Array.from({ length: options.ranks ?? 1 }, (_, at) => first + at).map((rank) => ({
      rank,
      node: `node${rank}`,
      ip: `10.0.0.${rank}`,
      workDir: this.work,
      ...(options.ownEnv && !options.array ? { env: options.ownEnv(rank) } : {}),
    }))
    const run =
      typeof options.run === 'string' ? ({ kind: 'script', text: options.run } as const) : ({ kind: 'argv', argv: options.run } as const)
    const array = options.array
    const elements = array && compileElements({ elements: array, size: array.size }, array.positions)
    const { ownEnv } = options
    const driver: DriverOptions = {
      jobId: options.jobId ?? 'j1',
      attempt: 1,
      attemptDir: this.dir,
      bellPath: join(this.base, 'bell'),
      ranks,
      hasSetup: options.setup !== undefined,
      run,
      shell: options.shell[0] === 'busybox' ? 'sh' : 'bash',
      graceSeconds: options.graceSeconds ?? 5,
      processGroups: options.processGroups ?? 'setsid',
      interpreter: options.shell,
      ...(options.gate ? { gate: true } : {}),
      ...(options.lease ? { lease: options.lease } : {}),
      ...(options.allocation ? { allocation: this.#allocation(options.allocation, ranks.length) } : {}),
      ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds }),
      ...(array && elements
        ? {
            slots: {
              width: array.width,
              elements: elements.source,
              size: array.size,
              ...(ownEnv ? { env: Array.from({ length: array.width }, (_, slot) => ownEnv(slot)) } : {}),
            },
          }
        : {}),
    }
    const write = (path: string, text: string): void => writeFileSync(join(this.dir, path), text, { mode: 0o700 })
    write(attemptPaths.driver, compileDriver(driver))
    write(attemptPaths.node, compileNodeRunner(driver))
    write(attemptPaths.run, compileRunScript(run))
    if (options.setup !== undefined) write(attemptPaths.setup, compileSetupScript(options.setup))
    if (elements?.file !== undefined) write(attemptPaths.elements, elements.file)
    write(attemptPaths.env, shellAssignments(options.env ?? {}))
    for (const who of [...ranks.map(({ rank }) => rank), 'job'] as const) write(attemptPaths.exit(who), '')
    if (options.gate) write(attemptPaths.gate, '')
    writeFileSync(join(this.base, 'bell'), '')
  }

  #allocation(own: Partial<DriverAllocation>, nodes: number): DriverAllocation {
    return {
      nodes,
      workDir: this.work,
      nodeList: `i=0; while [ $i -lt ${nodes} ]; do echo "node$i 10.0.0.$i"; i=$((i + 1)); done`,
      launch: nodes > 1 || own.always ? [...this.options.shell, join(import.meta.dirname, 'launcher.sh'), String(nodes)] : [],
      rankVariable: 'SLURM_PROCID',
      restartVariable: 'SLURM_RESTART_COUNT',
      ...own,
    }
  }

  /** Starts the driver as leader of its own session. */
  start(): this {
    this.#driver = this.#spawn()
    return this
  }

  #spawn(env: Readonly<Record<string, string>> = {}): ChildProcess {
    const [program = '', ...words] = this.options.shell
    const log = openSync(join(this.dir, attemptPaths.driverLog), 'a')
    const child = spawn(program, [...words, join(this.dir, attemptPaths.driver)], {
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...this.options.driverEnv,
        ...env,
        ...(this.options.knownReset ? { _d_known_reset: this.options.knownReset } : {}),
        PATH: process.env.PATH,
        HOME: this.base,
        DROVER_TEST_MARK: this.mark,
        DROVER_TEST_RUN: process.env.DROVER_TEST_RUN,
      },
    })
    closeSync(log)
    return child
  }

  get pid(): number {
    const pid = this.#driver?.pid
    if (pid === undefined) throw new Error('the driver has not been started')
    return pid
  }

  /** The driver's exit code; -1 when a signal ended it. */
  async end(): Promise<number> {
    const driver = this.#driver
    if (!driver) throw new Error('the driver has not been started')
    return await exitOf(driver, () => this.describe())
  }

  /** A second instance of the same attempt, to its end. */
  async runAgain(env: Readonly<Record<string, string>> = {}): Promise<number> {
    return await exitOf(this.#spawn(env), () => this.describe())
  }

  read(path: string): string {
    const full = join(this.dir, path)
    return existsSync(full) ? readFileSync(full, 'utf8') : ''
  }

  reading(who: number | 'job'): RecordReading {
    return parseExitRecord(readFileSync(join(this.dir, attemptPaths.exit(who))))
  }

  record(who: number | 'job'): ExitRecord {
    const reading = this.reading(who)
    if (reading.kind !== 'record') throw new Error(`no record of ${who}: ${JSON.stringify(reading)}\n${this.describe()}`)
    return reading.record
  }

  events(who: number | 'job'): readonly JobEventLine[] {
    return parseEventLines(this.read(attemptPaths.events(who))).lines
  }

  /** All slots' lines. */
  slotLines(): readonly SlotLine[] {
    return readdirSync(join(this.dir, 'slots')).flatMap((name) => parseSlotLines(this.read(`slots/${name}`)).lines)
  }

  /** `code told` of each element with a result. */
  results(): ReadonlyMap<number, string> {
    const entries = this.slotLines().flatMap((line) =>
      line.kind === 'result' ? [[line.position, `${line.code} ${line.told}`] as const] : [],
    )
    const results = new Map(entries)
    if (results.size !== entries.length) throw new Error(`an element has two results\n${this.describe()}`)
    return results
  }

  /** All there is to know, for the message of a failure. */
  describe(): string {
    const spoken = spawnSync('sh', [
      '-c',
      'cd "$1" && head -n 40 logs/*.log events/* exit/* slots/* logs/*.err tasks/*/events/* tasks/*/exit/*',
      'sh',
      this.dir,
    ])
    return String(spoken.stdout).slice(0, 8000)
  }

  /** Living processes of this attempt: pid and command line. */
  processes(): readonly string[] {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return []
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'latin1').includes(this.mark)) return []
        return [`${name}: ${readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ')}`]
      } catch {
        return []
      }
    })
  }

  /** Ends what a failed test has left; throws when a passed one has left anything. */
  async close(): Promise<void> {
    let left = this.processes()
    const deadline = Date.now() + 5_000
    while (left.length > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      left = this.processes()
    }
    for (const line of left) process.kill(Number.parseInt(line, 10), 'SIGKILL')
    rmSync(join(this.base, '..'), { recursive: true, force: true })
    if (left.length > 0) throw new Error(`processes outlived their attempt:\n${left.join('\n')}`)
  }
}

async function exitOf(child: ChildProcess, describe: () => string): Promise<number> {
  return await new Promise((resolve, reject) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode ?? -1)
    const timer = setTimeout(() => reject(new Error(`the driver does not end\n${describe()}`)), 20_000)
    child.once('exit', (code) => {
      clearTimeout(timer)
      resolve(code ?? -1)
    })
  })
}

/** Runs one attempt to its end and hands it to `check`; nothing may be left afterwards. */
export async function withAttempt(options: AttemptOptions, check: (attempt: Attempt) => Promise<void>): Promise<void> {
  const attempt = new Attempt(options)
  try {
    await check(attempt)
  } catch (error) {
    await attempt.close().catch(() => undefined)
    throw error
  }
  await attempt.close()
}

/** Waits for a condition, with a deadline of 15 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`in vain waited for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
