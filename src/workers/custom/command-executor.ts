import { availableParallelism } from 'node:os'
import { InputError } from '../../errors.ts'
import type { CallIo, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { failedToStart } from '../process/call-end.ts'
import { argsPathFor, type CallPaths, markEnd } from '../process/call-marks.ts'
import { ProcessCalls } from '../process/process-calls.ts'

const PLACEHOLDERS = ['{worker}', '{task}', '{args}', '{root}'] as const

/** What `createCommandExecutor` takes. */
export interface CommandExecutorOptions {
  /**
   * Program and arguments; `{worker}`, `{task}`, `{args}` (path of the call's arguments) and `{root}` (the checkpoints directory)
   * are filled in. Without `{args}` it comes last.
   */
  readonly command: readonly string[]
  /** For messages. Default `custom`. */
  readonly kind?: string
  /** Default `relative`. */
  readonly paths?: CallPaths
  /** Absolute. Default: the checkpoints directory. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Default: the number of cores. */
  readonly maxParallel?: number
  readonly processes?: ProcessCalls
}

/**
 * Runs every call by one command, which receives the path of its arguments: `['my-runner', '{worker}', '{args}']`. Exit code 0 is
 * success; the marks are made for it.
 * Throws InputError `invalid_argument` for an empty command and an unknown placeholder.
 */
export function createCommandExecutor(options: CommandExecutorOptions): FileExecutor {
  const [program = ''] = options.command
  if (program === '' || program.startsWith('-')) {
    throw new InputError('invalid_argument', `the executor's command begins with ${JSON.stringify(program)}, which is no program`, {
      hint: 'Write the program first, then its arguments: [my-runner, "{worker}", "{args}"].',
    })
  }
  for (const word of options.command) {
    for (const [found] of word.matchAll(/\{[a-z_]+\}/g)) {
      if (PLACEHOLDERS.some((known) => known === found)) continue
      throw new InputError('invalid_argument', `the executor's command holds ${found}, which stands for nothing`, {
        hint: `There are: ${PLACEHOLDERS.join(', ')}.`,
      })
    }
  }
  return new CommandExecutor(options)
}

class CommandExecutor implements FileExecutor {
  readonly kind: string
  readonly maxParallel: number
  readonly #options: CommandExecutorOptions
  readonly #processes: ProcessCalls

  constructor(options: CommandExecutorOptions) {
    this.#options = options
    this.kind = options.kind ?? 'custom'
    this.maxParallel = options.maxParallel ?? availableParallelism()
    this.#processes = options.processes ?? new ProcessCalls()
  }

  /** The command alone knows which workers it can run. */
  async check(): Promise<undefined> {
    return undefined
  }

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    const { command, cwd = call.root, env, paths = 'relative' } = this.#options
    let argsPath: string
    try {
      argsPath = argsPathFor(call, paths)
    } catch (error) {
      return failedToStart(call, error instanceof Error ? error.message : String(error))
    }
    const filled: Record<string, string> = { '{worker}': call.worker, '{task}': call.task, '{args}': argsPath, '{root}': call.root }
    const argv = command.map((word) => word.replaceAll(/\{[a-z]+\}/g, (found) => filled[found] ?? found))
    if (!command.some((word) => word.includes('{args}'))) argv.push(argsPath)
    return markEnd(call, await this.#processes.run(call, { argv, cwd, env: { TKR_DIR: call.root, ...env }, keepStdout: true }, io))
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    const end = await this.#processes.attach(call, io)
    return end === undefined ? undefined : markEnd(call, end)
  }

  async close(): Promise<void> {
    if (this.#options.processes === undefined) await this.#processes.close()
  }
}
