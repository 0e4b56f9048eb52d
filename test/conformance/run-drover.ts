import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DROVER_BIN } from './local-home.ts'

/** What one command line gave. */
export interface CommandOutcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command to its end, as a user would. */
export async function runDrover(
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
  options: { readonly cwd?: string; readonly uid?: number; readonly timeoutMs?: number } = {},
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [DROVER_BIN, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece))
  child.stderr.on('data', (piece: Buffer) => stderr.push(piece))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}
