import { renameSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { failedToStart } from '../process/call-end.ts'
import { markEnd } from '../process/call-marks.ts'
import { fingerprintOf } from '../process/fingerprint.ts'
import { ProcessCalls } from '../process/process-calls.ts'
import { findLauncher, type LauncherPlaces, launcherCode } from '../shell/find-launcher.ts'
import { launcherPlaces, type ScriptExecutorOptions } from '../shell/shell-executor.ts'

/**
 * Runs filters as workers: `<program> <input >output`, for tasks of one input and one output port (none: stdin is empty). The
 * output appears as a whole, when the program has ended with 0. `paths` has no meaning here.
 */
export function createStdInOutExecutor(options: Omit<ScriptExecutorOptions, 'paths'> = {}): FileExecutor {
  return new StdInOutExecutor(options)
}

class StdInOutExecutor implements FileExecutor {
  readonly kind = 'stdinout'
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
    for (const { task, inputs, outputs } of tasks) {
      const refused = refusePorts(worker, task, inputs, outputs)
      if (refused !== undefined) return refused
    }
    return undefined
  }

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    const launcher = findLauncher(call.worker, this.#places)
    if ('missing' in launcher) return failedToStart(call, launcher.missing)
    const { inputs, outputs } = call.args
    const refused = refusePorts(call.worker, call.task, Object.keys(inputs), Object.keys(outputs))
    if (refused !== undefined) return failedToStart(call, refused)
    const [input] = Object.values(inputs)
    try {
      rmSync(writtenTo(call), { force: true })
    } catch (error) {
      return failedToStart(call, error instanceof Error ? error.message : String(error))
    }
    const end = await this.#processes.run(
      call,
      {
        argv: [launcher.path],
        cwd: call.root,
        env: { TKR_DIR: call.root, ...this.#options.env },
        stdoutPath: writtenTo(call),
        ...(input === undefined ? {} : { stdin: resolve(call.root, input) }),
      },
      io,
    )
    return this.#finish(call, end)
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    const end = await this.#processes.attach(call, io)
    return end === undefined ? undefined : this.#finish(call, end)
  }

  async fingerprint(worker: string): Promise<string | undefined> {
    const code = launcherCode(worker, this.#places)
    return code === undefined ? undefined : await fingerprintOf(code)
  }

  async close(): Promise<void> {
    if (this.#options.processes === undefined) await this.#processes.close()
  }

  /** Puts the output to its place. One that is there already was put there by a controller that died just after. */
  #finish(call: WorkerCall, end: WorkerEnd): Promise<WorkerEnd> {
    const [output] = Object.values(call.args.outputs)
    if (end.outcome === 'succeeded' && output !== undefined) {
      try {
        renameSync(writtenTo(call), resolve(call.root, output))
      } catch {
        // Without its output the call fails by the check that follows, which names the port.
      }
    }
    return markEnd(call, end)
  }
}

function writtenTo(call: WorkerCall): string {
  return join(call.directory, 'stdout')
}

function refusePorts(worker: string, task: string, inputs: readonly string[], outputs: readonly string[]): string | undefined {
  const named = (ports: readonly string[]): string => (ports.length === 0 ? 'none' : ports.map((port) => `"${port}"`).join(', '))
  const why =
    inputs.length > 1
      ? `one input port can be its stdin, and it has ${inputs.length}: ${named(inputs)}`
      : outputs.length !== 1 || outputs[0] === '*'
        ? `one output port takes its stdout, and it has ${named(outputs)}`
        : undefined
  return why === undefined ? undefined : `${worker}.${task} can't be run by the stdinout executor: ${why}. Assign it to a shell executor.`
}
