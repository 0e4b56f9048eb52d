/** A call of one of a fake's commands, as its client sent it. */
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

/** The same call with its output going elsewhere; what is not named goes nowhere. */
export function redirected(call: CommandCall, to: Partial<Pick<CommandCall, 'out' | 'err' | 'write'>> = {}): CommandCall {
  const { command, argv, cwd, env } = call
  return {
    command,
    argv,
    cwd,
    env,
    out: () => {},
    err: () => {},
    write: () => {},
    readStdin: (onBytes) => call.readStdin(onBytes),
    onSignal: (listener) => call.onSignal(listener),
    onGone: (listener) => call.onGone(listener),
    ...to,
  }
}
