import { isAbsolute, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import type { FileExecutor, WorkerCall } from '../../workflow/calls/worker-call.ts'
import { argsPathFor, type CallPaths } from '../process/call-marks.ts'
import type { CallCommand } from '../process/process-calls.ts'
import { ProcessExecutor, type ProcessExecutorOptions } from '../process/process-executor.ts'
import { findProgram, isProgram } from '../shell/find-launcher.ts'

const PLACEHOLDERS = ['{worker}', '{task}', '{args}', '{root}'] as const

/** What `createCommandExecutor` takes. */
export interface CommandExecutorOptions extends ProcessExecutorOptions {
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

class CommandExecutor extends ProcessExecutor {
  readonly kind: string
  readonly #options: CommandExecutorOptions

  constructor(options: CommandExecutorOptions) {
    super(options)
    this.#options = options
    this.kind = options.kind ?? 'custom'
  }

  /** The command alone knows which workers it can run; that there is such a command is known before. */
  async check(): Promise<string | undefined> {
    const { command, cwd, env } = this.#options
    const [program = ''] = command
    // A path in the checkpoints directory, or one that differs by worker, is known with the call.
    if (program.includes('{') || (program.includes('/') && !isAbsolute(program) && cwd === undefined)) return undefined
    if (program.includes('/')) {
      const path = resolve(cwd ?? '/', program)
      return isProgram(path) ? undefined : `the ${this.kind} executor's program ${path} is no executable file.`
    }
    if (findProgram(program, env?.['PATH'] ?? process.env['PATH'] ?? '') !== undefined) return undefined
    return `the ${this.kind} executor's program "${program}" is not on PATH: install it, or write its path.`
  }

  protected prepare(call: WorkerCall): CallCommand {
    const { command, cwd = call.root, env, paths = 'relative' } = this.#options
    const argsPath = argsPathFor(call, paths)
    const filled: Record<string, string> = { '{worker}': call.worker, '{task}': call.task, '{args}': argsPath, '{root}': call.root }
    const argv = command.map((word) => word.replaceAll(/\{[a-z]+\}/g, (found) => filled[found] ?? found))
    if (!command.some((word) => word.includes('{args}'))) argv.push(argsPath)
    return { argv, cwd, env: { TKR_DIR: call.root, ...env }, keepStdout: true }
  }
}
