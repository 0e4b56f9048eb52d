import { spawn } from 'node:child_process'

/** How a local process ended. */
export interface ClientResult {
  /** Undefined when a signal ended it or it could not be started. */
  readonly code: number | undefined
  readonly stdout: Buffer
  readonly stderr: string
}

/**
 * Runs a local program (ssh, rsync, tar) to its end, without a shell. One that forks to the background counts as ended when
 * the first process is. Over the limit it is killed.
 */
export function runClient(
  argv: readonly string[],
  options: {
    readonly stdin?: Uint8Array
    readonly limitMs?: number
    readonly onStdout?: (chunk: Buffer) => void
    readonly signal?: AbortSignal
  } = {},
): Promise<ClientResult> {
  const [program = '', ...rest] = argv
  return new Promise((resolve) => {
    const child = spawn(program, rest, { stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], detached: true })
    const out: Buffer[] = []
    let err = ''
    const kill = (): void => {
      child.kill('SIGKILL')
    }
    const timer = options.limitMs === undefined ? undefined : setTimeout(kill, options.limitMs)
    options.signal?.addEventListener('abort', kill, { once: true })
    child.stdout?.on('data', (chunk: Buffer) => (options.onStdout === undefined ? out.push(chunk) : options.onStdout(chunk)))
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (text: string) => {
      err = `${err}${text}`.slice(-65_536)
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.stdin)
    let settled = false
    let letGo: NodeJS.Timeout | undefined
    const settle = (code: number | undefined): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      clearTimeout(letGo)
      options.signal?.removeEventListener('abort', kill)
      child.stdout?.destroy()
      child.stderr?.destroy()
      resolve({ code, stdout: Buffer.concat(out), stderr: err })
    }
    child.once('error', (error) => {
      err += error.message
      settle(undefined)
    })
    child.once('close', (code) => settle(code ?? undefined))
    // What went to the background may hold the pipes: what the first process wrote is read, then they are let go.
    child.once('exit', (code) => {
      if (!settled) letGo = setTimeout(() => settle(code ?? undefined), options.limitMs === undefined ? 60_000 : 50)
    })
  })
}
