import type { Drover } from '../jobs/drover.ts'
import { packageFacts } from '../server/package-root.ts'
import type { CliHost } from './cli.ts'
import { outputOf } from './output/output-stream.ts'

async function open({ daemon, start }: { readonly daemon: boolean; readonly start: boolean }): Promise<Drover> {
  const { attachDetached, attachOnly, openDrover } = await import('../server/open-drover.ts')
  if (!start) return attachOnly(process.env)
  return daemon ? attachDetached(process.env) : await openDrover({ daemon: 'auto' })
}

/** A signal that is listened for from the first call on. */
function listened(listen: (abort: AbortController) => void): () => AbortSignal {
  let abort: AbortController | undefined
  return () => {
    if (abort === undefined) {
      abort = new AbortController()
      listen(abort)
    }
    return abort.signal
  }
}

function listenForInterruption(abort: AbortController): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      // The second one means it.
      if (abort.signal.aborted) process.exit(code)
      abort.abort(code)
    })
  }
}

function listenForHangup(abort: AbortController): void {
  process.on('SIGHUP', () => abort.abort())
}

/** The host of a real command line. */
export function createProcessHost(): CliHost {
  return {
    environment: process.env,
    directory: process.cwd(),
    version: packageFacts().version,
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readStdin: async () => {
      const pieces: Buffer[] = []
      for await (const piece of process.stdin) pieces.push(piece as Buffer)
      return Buffer.concat(pieces).toString('utf8')
    },
    open,
    interruption: listened(listenForInterruption),
    hangup: listened(listenForHangup),
    now: Date.now,
  }
}
