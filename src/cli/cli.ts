import type { ClientOptions, Drover } from '../jobs/drover.ts'
import { compileJson } from './output/json.ts'
import type { Output } from './output/output-stream.ts'
import { compileQuiet } from './output/quiet.ts'
import { type Style, styleFor } from './output/style.ts'

/** What a command line runs in. Tests give one of their own. */
export interface CliHost {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Working directory, absolute. */
  readonly directory: string
  readonly version: string
  readonly stdout: Output
  readonly stderr: Output
  /** Reads all of standard input; for `run -`. */
  readonly readStdin: () => Promise<string>
  /** Opens Drover. `daemon: false`: attach, else become the supervisor for this command. `start: false`: only attach. */
  readonly open: (options: { readonly daemon: boolean; readonly start: boolean }) => Promise<Drover>
  /** From the first call on, SIGINT and SIGTERM abort this signal (reason: the exit code) in place of ending the process. */
  readonly interruption: () => AbortSignal
  /** From the first call on, SIGHUP (the terminal was closed) aborts this signal in place of ending the process. */
  readonly hangup: () => AbortSignal
  readonly now: () => number
}

/** How a command prints its result. */
export type OutputMode = 'table' | 'json' | 'quiet'

/** The three forms of one result. */
export interface Result {
  readonly json: unknown
  readonly ids: readonly string[]
  readonly text: () => string
}

/** One run of one command: its host, how it prints, its `Drover`, its exit code. */
export class Cli {
  readonly host: CliHost
  readonly style: Style
  mode: OutputMode = 'table'
  /** False after `--no-daemon`, or with `DROVER_DAEMON=0`. */
  daemon: boolean
  exitCode = 0
  #drover: Promise<Drover> | undefined

  constructor(host: CliHost) {
    this.host = host
    this.style = styleFor(host.stdout, host.environment)
    const { DROVER_DAEMON: daemon } = host.environment
    this.daemon = daemon !== '0' && daemon !== 'false'
  }

  /** The supervisor, opened once. */
  drover(): Promise<Drover> {
    this.#drover ??= this.host.open({ daemon: this.daemon, start: true })
    return this.#drover
  }

  async close(): Promise<void> {
    const drover = await this.#drover?.catch(() => undefined)
    await drover?.close()
  }

  /** Whose project file counts. */
  get client(): ClientOptions {
    return { clientDirectory: this.host.directory }
  }

  /** Prints a result in the form that was asked for. */
  async print(result: Result): Promise<void> {
    if (this.mode === 'json') await this.host.stdout.write(compileJson(result.json))
    else await this.host.stdout.write(this.mode === 'quiet' ? compileQuiet(result.ids) : result.text())
  }

  /** Says something to a person: one or more lines on stderr. */
  async say(message: string): Promise<void> {
    await this.host.stderr.write(`${message}\n`)
  }
}
