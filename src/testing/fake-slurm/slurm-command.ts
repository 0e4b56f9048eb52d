import type { ClusterState } from './cluster-state.ts'
import type { JobLife } from './job-life.ts'

/** A call of one of the commands, as its client sent it. */
export interface CommandCall {
  readonly command: string
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  out(text: string): void
  err(text: string): void
  /** Bytes of a task, as they are. */
  write(stream: 'out' | 'err', bytes: Buffer): void
  /** Bytes of stdin as they come; resolves to all of them at its end. */
  readStdin(onBytes?: (bytes: Buffer) => void): Promise<Buffer>
  /** Calls back for every signal the client got. */
  onSignal(listener: (signal: NodeJS.Signals) => void): void
  /** Calls back when the client has gone. */
  onGone(listener: () => void): void
}

/** What a command works on. */
export interface CommandContext {
  readonly state: ClusterState
  readonly life: JobLife
  /** Makes sbatch's next success look like a controller that did not answer; cleared by it. */
  takeSubmitFault(): 'hang' | undefined
}

/** A command: resolves to its exit code. */
export type SlurmCommand = (context: CommandContext, call: CommandCall) => number | Promise<number>

/** A refusal: what is printed to stderr, line by line, and the exit code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly code: number

  constructor(text: string, code = 1) {
    super(text)
    this.code = code
  }
}

/** Version that every `--version` names. */
export const SLURM_VERSION = '22.05.8'
