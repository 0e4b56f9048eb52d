import { availableParallelism } from 'node:os'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { failedToStart } from './call-end.ts'
import { markEnd } from './call-marks.ts'
import { type CallCommand, ProcessCalls } from './process-calls.ts'

/** What every executor of processes takes. */
export interface ProcessExecutorOptions {
  /** Most calls at one time. Default: the number of cores. */
  readonly maxParallel?: number
  /** Runs the processes; stays open at `close`. Default: one of its own. */
  readonly processes?: ProcessCalls
}

/** An executor whose calls are one process each, of workers that know nothing of marks: the marks are made for them. */
export abstract class ProcessExecutor implements FileExecutor {
  abstract readonly kind: string
  readonly maxParallel: number
  readonly #processes: ProcessCalls
  readonly #ownsProcesses: boolean

  constructor({ maxParallel, processes }: ProcessExecutorOptions) {
    this.maxParallel = maxParallel ?? availableParallelism()
    this.#processes = processes ?? new ProcessCalls()
    this.#ownsProcesses = processes === undefined
  }

  abstract check(worker: string, tasks: readonly CheckedTask[]): Promise<string | undefined>

  /** The command of a call, and in its directory what the command needs; a text: why there is none. Throws what the file system says. */
  protected abstract prepare(call: WorkerCall): CallCommand | string

  /** Called at the end of each call's process, before the outputs are looked for. */
  protected ended(_call: WorkerCall, _end: WorkerEnd): void {}

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    let command: CallCommand | string
    try {
      command = this.prepare(call)
    } catch (error) {
      return failedToStart(call, error instanceof Error ? error.message : String(error))
    }
    if (typeof command === 'string') return failedToStart(call, command)
    return await this.#finish(call, await this.#processes.run(call, command, io))
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    const end = await this.#processes.attach(call, io)
    return end === undefined ? undefined : await this.#finish(call, end)
  }

  async close(): Promise<void> {
    if (this.#ownsProcesses) await this.#processes.close()
  }

  async #finish(call: WorkerCall, end: WorkerEnd): Promise<WorkerEnd> {
    this.ended(call, end)
    return await markEnd(call, end)
  }
}
