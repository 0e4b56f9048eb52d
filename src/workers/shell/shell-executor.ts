import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { failedToStart } from '../process/call-end.ts'
import { argsPathFor, type CallPaths, markEnd } from '../process/call-marks.ts'
import { fingerprintOf } from '../process/fingerprint.ts'
import { ProcessCalls } from '../process/process-calls.ts'
import { callEnvironment, refusePorts } from './call-environment.ts'
import { findLauncher, type LauncherPlaces, launcherCode } from './find-launcher.ts'

/** What executors of scripts take. */
export interface ScriptExecutorOptions {
  /** Folders of workers, absolute or relative to the current directory. Default: none, workers are looked for on PATH alone. */
  readonly registries?: readonly string[]
  /** Where programs are looked for, as `PATH`. Default: this process's. */
  readonly searchPath?: string
  /** Over the inherited environment; stronger than the variables of the call. */
  readonly env?: Readonly<Record<string, string>>
  /** Paths in the arguments that the worker is given. Default `relative`. */
  readonly paths?: CallPaths
  /** Default: the number of cores. */
  readonly maxParallel?: number
  /** Runs the processes; stays open at `close`. Default: one of its own. */
  readonly processes?: ProcessCalls
}

/** Folders and PATH of such options. */
export function launcherPlaces({ registries = [], searchPath = process.env['PATH'] ?? '' }: ScriptExecutorOptions): LauncherPlaces {
  return { registries: registries.map((registry) => resolve(registry)), searchPath }
}

/**
 * Runs workers that are programs of any language: `<program> <arguments>` in the checkpoints directory, told of their call by
 * variables too (`call-environment.ts`). Exit code 0 is success; the marks are made for them.
 */
export function createShellExecutor(options: ScriptExecutorOptions = {}): FileExecutor {
  return new ShellExecutor(options)
}

class ShellExecutor implements FileExecutor {
  readonly kind = 'shell'
  readonly maxParallel: number
  readonly #options: ScriptExecutorOptions
  readonly #places: LauncherPlaces
  readonly #processes: ProcessCalls

  constructor(options: ScriptExecutorOptions) {
    this.#options = options
    this.#places = launcherPlaces(options)
    this.maxParallel = options.maxParallel ?? availableParallelism()
    this.#processes = options.processes ?? new ProcessCalls()
  }

  async check(worker: string, tasks: readonly CheckedTask[]): Promise<string | undefined> {
    const launcher = findLauncher(worker, this.#places)
    if ('missing' in launcher) return launcher.missing
    for (const task of tasks) {
      const refused = refusePorts(worker, task)
      if (refused !== undefined) return refused
    }
    return undefined
  }

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    const launcher = findLauncher(call.worker, this.#places)
    if ('missing' in launcher) return failedToStart(call, launcher.missing)
    let argsPath: string
    try {
      argsPath = argsPathFor(call, this.#options.paths ?? 'relative')
    } catch (error) {
      return failedToStart(call, error instanceof Error ? error.message : String(error))
    }
    const env = { ...callEnvironment(call), ...this.#options.env }
    return markEnd(call, await this.#processes.run(call, { argv: [launcher.path, argsPath], cwd: call.root, env, keepStdout: true }, io))
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    const end = await this.#processes.attach(call, io)
    return end === undefined ? undefined : markEnd(call, end)
  }

  async fingerprint(worker: string): Promise<string | undefined> {
    const code = launcherCode(worker, this.#places)
    return code === undefined ? undefined : await fingerprintOf(code)
  }

  async close(): Promise<void> {
    if (this.#options.processes === undefined) await this.#processes.close()
  }
}
