import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { DroverError } from '../errors.ts'
import type { Cli } from './cli.ts'

/** A program at the user's terminal. */
export interface AttachedChild {
  readonly process: ChildProcess
  /** Its exit code, 128 + n for a signal n. @throws DroverError `missing_file` when it could not be started */
  readonly ended: Promise<number>
}

/**
 * Starts a program with the terminal attached. An interrupt is left to it: the terminal sends it to both. A TERM to this
 * command is passed on.
 *
 * @param stdout `pipe` where this command reads it
 * @param stdin `pipe` where the terminal's input is not for it
 */
export function startAttached(
  cli: Cli,
  argv: readonly string[],
  stdout: 'inherit' | 'pipe' = 'inherit',
  stdin: 'inherit' | 'pipe' = 'inherit',
): AttachedChild {
  const [program = '', ...args] = argv
  const signal = cli.host.interruption()
  const child = spawn(program, args, { stdio: [stdin, stdout, 'inherit'], env: cli.host.environment as NodeJS.ProcessEnv })
  const onAbort = (): void => {
    if (signal.reason === 143) child.kill('SIGTERM')
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const end = async (): Promise<number> => {
    try {
      const [code, name] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
      return code ?? 128 + (name === null ? 0 : constants.signals[name])
    } catch (cause) {
      throw new DroverError('missing_file', `cannot start ${program}: it is not on your PATH`, {
        level: 'config',
        cause,
        hint: `Install ${program}.`,
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
  return { process: child, ended: end() }
}
