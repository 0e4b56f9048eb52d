import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DROVER_BIN } from '../conformance/local-home.ts'
import type { ChildResult, ChildSpec } from './figures/workflow-child.ts'
import { timeCommand } from './measure.ts'

const execFileAsync = promisify(execFile)
const PEERS = fileURLToPath(new URL('workflow-peers.py', import.meta.url))
const CHILD = fileURLToPath(new URL('figures/workflow-child.ts', import.meta.url))

/** A contestant that can't be had. */
export interface Absent {
  readonly why: string
}

/** A peer's answer: `seconds` and what it gave. */
export interface PeerTime {
  readonly seconds: number
  /** Of its whole process, interpreter and imports within. */
  readonly processSeconds?: number
  readonly version?: string
  readonly value?: unknown
}

/**
 * A folder for graphs, homes and checkpoints, and the programs that run them: Drover as a library and as a command, and real
 * Tierkreis in the environment that test/engines/tierkreis-env.sh makes (DROVER_TIERKREIS_ENV names another).
 */
export class WorkflowBench {
  readonly directory = mkdtempSync(join(tmpdir(), 'drover-bench-workflow-'))
  readonly #environment = process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1'
  #count = 0
  #home: string | undefined

  /** Why there is no Tierkreis; undefined: there is. */
  get withoutTierkreis(): string | undefined {
    if (this.version !== undefined) return undefined
    return `Tierkreis is absent: there is no ${join(this.#environment, 'bin/python')} with it (test/engines/tierkreis-env.sh makes one)`
  }

  /** Of Tierkreis; undefined where it is absent. */
  get version(): string | undefined {
    const asked = spawnSync(this.python, ['-c', 'import importlib.metadata as m; print(m.version("tierkreis"))'], { encoding: 'utf8' })
    return asked.status === 0 ? asked.stdout.trim() : undefined
  }

  get python(): string {
    return join(this.#environment, 'bin/python')
  }

  get uv(): string {
    return join(this.#environment, 'bin/uv')
  }

  /** Variables for uv, ours and theirs: no interpreter is fetched, and packages come from one cache. */
  get uvEnvironment(): Readonly<Record<string, string>> {
    return { UV_PYTHON_DOWNLOADS: 'never', UV_CACHE_DIR: join(this.directory, 'uv-cache'), UV_PYTHON: this.python }
  }

  /** A new directory. */
  folder(name: string): string {
    const path = join(this.directory, `${name}-${this.#count++}`)
    mkdirSync(path)
    return path
  }

  /** The path of a file with this text. */
  file(name: string, text: string, mode = 0o644): string {
    const path = join(this.directory, name)
    if (!existsSync(path)) writeFileSync(path, text, { mode })
    return path
  }

  /** Drover as a library, in one process of its own. */
  async library(spec: Omit<ChildSpec, 'home' | 'warmUp'> & { readonly warmUp?: number; readonly home?: string }): Promise<ChildResult> {
    const whole = { warmUp: 0, home: this.folder('home'), ...spec }
    // Where Python's calls are made, the worker's own environment is the one that uv finds.
    const { stdout } = await execFileAsync(process.execPath, [CHILD, JSON.stringify(whole)], {
      env: { ...process.env, ...this.uvEnvironment },
      maxBuffer: 1 << 28,
    })
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ChildResult
  }

  /** ms of `drover workflow run`, all on one home: its first command leaves compiled code there for those after it. */
  async command(graph: string): Promise<number> {
    this.#home ??= this.folder('home')
    const environment = { ...process.env, DROVER_HOME: this.#home }
    return await timeCommand(process.execPath, [DROVER_BIN, 'workflow', 'run', graph, '-o', 'json'], environment)
  }

  /** Tierkreis's compiled controller, in memory; one graph after the other in one process. Seconds by graph. */
  async compiled(graphs: readonly string[]): Promise<readonly PeerTime[]> {
    const start = performance.now()
    const { seconds, values } = (await this.#ask(this.python, ['compiled', ...graphs])) as { seconds: number[]; values: unknown[] }
    const whole = graphs.length === 1 ? { processSeconds: (performance.now() - start) / 1_000 } : {}
    return seconds.map((each, at) => ({ seconds: each, value: values[at], ...whole }))
  }

  /** Tierkreis's Python controller with file storage; calls of workers by its uv executor over `registry`. */
  async controller(graph: string, registry?: string): Promise<PeerTime> {
    const start = performance.now()
    const answer = (await this.#ask(this.python, ['python', graph, ...(registry === undefined ? [] : [registry])])) as PeerTime
    return { ...answer, processSeconds: (performance.now() - start) / 1_000 }
  }

  /** Another program's answer, by an interpreter that has it. */
  async other(python: string, ...args: readonly string[]): Promise<PeerTime> {
    return (await this.#ask(python, args)) as PeerTime
  }

  async #ask(python: string, args: readonly string[]): Promise<unknown> {
    const path = `${dirname(python)}:${process.env['PATH'] ?? ''}`
    const { stdout } = await execFileAsync(python, [PEERS, ...args], {
      cwd: this.folder('peer'),
      env: { ...process.env, ...this.uvEnvironment, PATH: path, TKR_DIR: this.folder('checkpoints') },
      maxBuffer: 1 << 28,
    })
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/**
 * A Python with Ray and Parsl: the environment that DROVER_BENCH_PEERS names, else /var/tmp/drover-bench-peers, which is made
 * where it is not there.
 */
export function findTaskPeers(interpreter: string): { readonly python: string } | Absent {
  const directory = process.env['DROVER_BENCH_PEERS'] ?? '/var/tmp/drover-bench-peers'
  const python = join(directory, 'bin/python')
  const usable = (): boolean => spawnSync(python, ['-c', 'import ray, parsl']).status === 0
  if (usable()) return { python }
  const script = '"$1" -m venv "$2" && "$2/bin/pip" install --quiet --disable-pip-version-check ray parsl'
  const made = spawnSync('sh', ['-c', script, 'sh', interpreter, directory], { encoding: 'utf8' })
  if (made.status === 0 && usable()) return { python }
  return { why: `Ray and Parsl are absent: ${made.stderr.trim().split('\n').at(-1) || `no use of ${directory}`}` }
}
