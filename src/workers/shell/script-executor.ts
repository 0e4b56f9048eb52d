import { resolve } from 'node:path'
import type { CheckedTask, WorkerCall } from '../../workflow/calls/worker-call.ts'
import type { CallPaths } from '../process/call-marks.ts'
import { fingerprintOf } from '../process/fingerprint.ts'
import type { CallCommand } from '../process/process-calls.ts'
import { ProcessExecutor, type ProcessExecutorOptions } from '../process/process-executor.ts'
import { findLauncher, type LauncherPlaces, launcherCode } from './find-launcher.ts'

/** What executors of scripts take. */
export interface ScriptExecutorOptions extends ProcessExecutorOptions {
  /** Folders of workers, absolute or relative to the current directory. Default: none, workers are looked for on PATH alone. */
  readonly registries?: readonly string[]
  /** Where programs are looked for, as `PATH`. Default: this process's. */
  readonly searchPath?: string
  /** Over the inherited environment; stronger than the variables of the call. */
  readonly env?: Readonly<Record<string, string>>
  /** Paths in the arguments that the worker is given. Default `relative`. */
  readonly paths?: CallPaths
}

/** An executor of workers that are programs, found in registries and on PATH by the worker's name. */
export abstract class ScriptExecutor extends ProcessExecutor {
  protected readonly options: ScriptExecutorOptions
  readonly #places: LauncherPlaces

  constructor(options: ScriptExecutorOptions) {
    super(options)
    this.options = options
    const { registries = [], searchPath = process.env['PATH'] ?? '' } = options
    this.#places = { registries: registries.map((registry) => resolve(registry)), searchPath }
  }

  /** Why a task with such ports can't be run; undefined: it can. */
  protected abstract refuse(worker: string, task: CheckedTask): string | undefined

  /** As `prepare`, once the worker's program is found. */
  protected abstract prepareProgram(call: WorkerCall, program: string): CallCommand | string

  async check(worker: string, tasks: readonly CheckedTask[]): Promise<string | undefined> {
    const launcher = findLauncher(worker, this.#places)
    if ('missing' in launcher) return launcher.missing
    for (const task of tasks) {
      const refused = this.refuse(worker, task)
      if (refused !== undefined) return refused
    }
    return undefined
  }

  protected prepare(call: WorkerCall): CallCommand | string {
    const launcher = findLauncher(call.worker, this.#places)
    return 'missing' in launcher ? launcher.missing : this.prepareProgram(call, launcher.path)
  }

  async fingerprint(worker: string): Promise<string | undefined> {
    const code = launcherCode(worker, this.#places)
    return code === undefined ? undefined : await fingerprintOf(code)
  }
}
