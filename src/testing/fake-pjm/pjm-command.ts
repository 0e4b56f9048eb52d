import type { CommandCall } from '../fake-commands/command-call.ts'
import type { PjmState } from './pjm-state.ts'

/** A command: resolves to its exit code. */
export type PjmCommand = (state: PjmState, call: CommandCall) => number | Promise<number>

/** A refusal: `[ERR.] PJM <code> <command> <text>`, or `raw` lines without that. */
export class PjmFailure extends Error {
  override readonly name = 'PjmFailure'
  readonly code: string | undefined

  constructor(code: string | undefined, text: string) {
    super(text)
    this.code = code
  }
}
