import { parseBell } from '../driver/protocol-reader.ts'
import type { Transport } from '../transports/transport.ts'
import type { OwnedWork } from './owned-work.ts'

/** Follows the file that every driver and runner of a target rings: one line names one job. */
export class BellListener {
  readonly #path: string
  readonly #transport: Transport
  readonly #heard: (jobId: string, tasks: readonly number[]) => void
  #offset = 0
  /** An incomplete line at the end of what was read. */
  #rest = ''
  #busy = false
  #again = false

  constructor(path: string, transport: Transport, heard: (jobId: string, tasks: readonly number[]) => void) {
    this.#path = path
    this.#transport = transport
    this.#heard = heard
  }

  /** Makes the file where it is missing; what was rung before is not heard. */
  async open(): Promise<void> {
    const [bell] = await this.#transport.read([{ path: this.#path, offset: 0, maxBytes: 0 }])
    if (bell?.missing ?? true) await this.#transport.write([], [{ path: this.#path, mode: 0o600, content: '' }])
    this.#offset = bell?.size ?? 0
  }

  /** Listens on, until aborted. */
  watch(work: OwnedWork, signal: AbortSignal): void {
    this.#transport.watch(this.#path, () => work.own(this.listen()), signal)
  }

  /** Reads what has been rung since, and tells of each job once; a call during another is done by that one. */
  async listen(): Promise<void> {
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    try {
      do {
        this.#again = false
        const [piece] = await this.#transport.read([{ path: this.#path, offset: this.#offset, maxBytes: 1024 * 1024 }])
        if (piece === undefined) break
        // Cut by a person or a clean-up: it is read from its new beginning.
        if (piece.size < this.#offset) {
          this.#offset = 0
          this.#again = true
          continue
        }
        if (piece.bytes.length === 0) continue
        this.#offset += piece.bytes.length
        const text = this.#rest + Buffer.from(piece.bytes).toString('latin1')
        const end = text.lastIndexOf('\n') + 1
        this.#rest = text.slice(end)
        const rung = Map.groupBy(parseBell(text.slice(0, end)).lines, (line) => line.jobId)
        for (const [jobId, lines] of rung)
          this.#heard(
            jobId,
            lines.flatMap(({ task }) => (task === undefined ? [] : [task])),
          )
        this.#again ||= piece.size > this.#offset
      } while (this.#again)
    } finally {
      this.#busy = false
    }
  }
}
