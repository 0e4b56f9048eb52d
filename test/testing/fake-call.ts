import { execFile } from 'node:child_process'

/** What a command printed and how it ended. */
export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Calls one of a fake's commands, which `env` has on PATH; a failure is a result, too. Its stdin is empty. */
export function callFake(command: string, argv: readonly string[], env: Readonly<Record<string, string>>, cwd: string): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(command, [...argv], { env, cwd, timeout: 60_000, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      resolve({ code: !error ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr })
    })
    child.stdin?.end()
  })
}
