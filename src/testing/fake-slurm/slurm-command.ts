import type { CommandCall } from '../fake-commands/command-call.ts'
import type { ClusterState } from './cluster-state.ts'
import type { JobLife } from './job-life.ts'

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
