import type { Io } from '../executor.ts'

/** What the agent noted of one attempt directory. Times are epoch ms; `endHeardAt` by the clock of this machine. */
export interface AgentNotes {
  readonly startedAt?: number
  readonly endedAt?: number
  readonly endHeardAt?: number
  readonly code?: number
}

const CHUNK = 1024 * 1024

/** The agent's `events`, read on from where the last reading ended. */
export class AgentEvents {
  readonly #path: string
  readonly #notes = new Map<string, AgentNotes>()
  #offset = 0
  #rest = ''

  constructor(path: string) {
    this.#path = path
  }

  async read(io: Pick<Io, 'transport' | 'now'>): Promise<void> {
    for (;;) {
      const [piece] = await io.transport.read([{ path: this.#path, offset: this.#offset, maxBytes: CHUNK }])
      if (piece === undefined || piece.bytes.length === 0) return
      this.#offset += piece.bytes.length
      this.take(Buffer.from(piece.bytes).toString('latin1'), io.now())
      if (this.#offset >= piece.size) return
    }
  }

  /** Bytes as they came, one character each; a line that is not whole yet waits for its rest. */
  take(bytes: string, now: number): void {
    const lines = (this.#rest + bytes).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [, seconds, word, code, path] = /^(\d+) (started|ended) (?:(\d+) )?(\/.*)$/.exec(line) ?? []
      if (seconds === undefined || path === undefined) continue
      const directory = Buffer.from(path, 'latin1').toString('utf8')
      const at = Number(seconds) * 1000
      const known = this.#notes.get(directory)
      if (word === 'started') this.#notes.set(directory, { startedAt: at, ...known })
      else if (code !== undefined) this.#notes.set(directory, { startedAt: at, ...known, endedAt: at, endHeardAt: now, code: Number(code) })
    }
  }

  /** Empty: it was not started yet. */
  of(directory: string): AgentNotes {
    return this.#notes.get(directory) ?? {}
  }
}
