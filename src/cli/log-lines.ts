import type { LogChunk } from '../jobs/drover.ts'

/** One line as `logs -o json` prints it, without its line end. */
export interface LogLineJson {
  readonly attempt: number
  readonly rank: number | null
  readonly element: number | null
  readonly stream: LogChunk['stream']
  readonly text: string
  /** The line's bytes, only where they are not UTF-8; `text` then has replacement characters. */
  readonly base64?: string
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function lineOf(chunk: LogChunk, bytes: Buffer): LogLineJson {
  const place = { attempt: chunk.attempt, rank: chunk.rank ?? null, element: chunk.element ?? null, stream: chunk.stream }
  try {
    return { ...place, text: STRICT.decode(bytes) }
  } catch {
    return { ...place, text: bytes.toString('utf8'), base64: bytes.toString('base64') }
  }
}

/** Turns chunks of many files into lines; a line that arrives in pieces is given out when it is whole. */
export class LogLineSplitter {
  readonly #rests = new Map<string, { readonly chunk: LogChunk; readonly pieces: Buffer[] }>()

  push(chunk: LogChunk): readonly LogLineJson[] {
    const lines: LogLineJson[] = []
    const pieces = this.#rests.get(chunk.file)?.pieces ?? []
    const bytes = Buffer.from(chunk.bytes)
    let start = 0
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      lines.push(lineOf(chunk, Buffer.concat([...pieces.splice(0), bytes.subarray(start, end)])))
      start = end + 1
    }
    if (start < bytes.length) pieces.push(bytes.subarray(start))
    this.#rests.set(chunk.file, { chunk, pieces })
    return lines
  }

  /** Lines that were never ended. */
  finish(): readonly LogLineJson[] {
    const lines = [...this.#rests.values()]
      .filter(({ pieces }) => pieces.length > 0)
      .map(({ chunk, pieces }) => lineOf(chunk, Buffer.concat(pieces)))
    this.#rests.clear()
    return lines
  }
}
