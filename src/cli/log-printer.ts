import type { LogChunk } from '../jobs/drover.ts'
import type { Output } from './output/output-stream.ts'

/** Where and how chunks are printed. */
export interface LogPrinterOptions {
  readonly stdout: Output
  readonly stderr: Output
  /** Text before each line; undefined: bytes pass through untouched. */
  readonly prefix?: (chunk: LogChunk) => string
  /** True: all streams go to stdout, because one was asked for by name. */
  readonly oneOutput?: boolean
  /** Called before a write, for example to take a progress line away. */
  readonly before?: () => Promise<void>
}

/** A line above this is printed in pieces, so that a file without line ends cannot fill the memory; bytes. */
const MAX_LINE_BYTES = 1 << 20
const NEWLINE = 0x0a

/**
 * Prints log chunks. With a prefix, whole lines only: pieces of two ranks never share a line. Without one, bytes pass
 * as they are, so that `drover run -- echo hi | wc -c` counts 3.
 */
export class LogPrinter {
  readonly #options: LogPrinterOptions
  readonly #rests = new Map<string, { chunk: LogChunk; bytes: Buffer }>()

  constructor(options: LogPrinterOptions) {
    this.#options = options
  }

  async print(chunk: LogChunk): Promise<void> {
    const { prefix } = this.#options
    if (prefix === undefined) return await this.#write(chunk, chunk.bytes)
    const key = chunk.file
    const rest = this.#rests.get(key)?.bytes
    const bytes = rest === undefined || rest.length === 0 ? Buffer.from(chunk.bytes) : Buffer.concat([rest, chunk.bytes])
    const end = bytes.length > MAX_LINE_BYTES ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1
    this.#rests.set(key, { chunk, bytes: bytes.subarray(end) })
    if (end > 0) await this.#write(chunk, withPrefix(bytes.subarray(0, end), prefix(chunk)))
  }

  /** Prints lines that were never ended. */
  async finish(): Promise<void> {
    const { prefix } = this.#options
    for (const { chunk, bytes } of this.#rests.values()) {
      if (bytes.length > 0) await this.#write(chunk, withPrefix(bytes, prefix?.(chunk) ?? ''))
    }
    this.#rests.clear()
  }

  async #write(chunk: LogChunk, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    await this.#options.before?.()
    const toStdout = this.#options.oneOutput || chunk.stream === 'stdout'
    await (toStdout ? this.#options.stdout : this.#options.stderr).write(bytes)
  }
}

/** Puts a prefix before every line; the last line gets an end if it has none. */
function withPrefix(bytes: Buffer, prefix: string): Buffer {
  const mark = Buffer.from(prefix)
  const pieces: Buffer[] = []
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline === -1 ? bytes.length : newline + 1
    pieces.push(mark, bytes.subarray(start, end))
    start = end
  }
  if (bytes.at(-1) !== NEWLINE) pieces.push(Buffer.from('\n'))
  return Buffer.concat(pieces)
}

/** What a line is marked with where more than one rank or element writes: `[3] `, with the job's name where several run. */
export function prefixOf(jobName: string | undefined): (chunk: LogChunk) => string {
  return (chunk) => {
    const who = chunk.element ?? chunk.rank
    const words = [...(jobName === undefined ? [] : [jobName]), ...(who === undefined ? [chunk.stream] : [String(who)])]
    return `[${words.join(' ')}] `
  }
}
