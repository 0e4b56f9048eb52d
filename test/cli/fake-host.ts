import type { CliHost } from '../../src/cli/cli.ts'
import { runCli } from '../../src/cli/main.ts'
import type { Output } from '../../src/cli/output/output-stream.ts'
import type { Drover } from '../../src/jobs/drover.ts'

/** What a command line did. */
export interface CliRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** An output that keeps what is written. */
export function memoryOutput(isTTY = false): Output & { readonly text: () => string } {
  const pieces: Buffer[] = []
  return {
    isTTY,
    columns: 80,
    write: async (data) => {
      pieces.push(Buffer.from(data))
    },
    text: () => Buffer.concat(pieces).toString('utf8'),
  }
}

/** Runs a command line inside this process, against a given `Drover`. */
export async function runFakeCli(drover: Drover, argv: readonly string[], part: Partial<CliHost> = {}): Promise<CliRun> {
  const stdout = memoryOutput()
  const stderr = memoryOutput()
  const host: CliHost = {
    environment: { TOKEN: 'from-environment' },
    directory: '/somewhere',
    version: '0.1.0',
    stdout,
    stderr,
    readStdin: async () => 'run: echo from stdin\n',
    open: async () => drover,
    interruption: () => new AbortController().signal,
    hangup: () => new AbortController().signal,
    now: () => Date.parse('2026-01-02T03:05:07.000Z'),
    ...part,
  }
  const code = await runCli(argv, host)
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}
