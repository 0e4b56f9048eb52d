/** What the agent said on stdout. */
export type AgentFrame =
  | { readonly kind: 'hello'; readonly before: string; readonly line: string }
  | { readonly kind: 'answer'; readonly id: number; readonly status: number; readonly content: Buffer }

/** Most bytes of noise of a host's start-up files that are kept for a message. */
const NOISE_KEPT = 16_384

/**
 * Cuts the agent's stdout into frames. Whatever stands before the hello line or between two answers is noise of the
 * account's start-up files and is passed over; content ends at the marker, which is random and cannot stand in it.
 */
export class FrameReader {
  readonly #marker: string
  readonly #end: Buffer
  readonly #onFrame: (frame: AgentFrame) => void
  #chunks: Buffer[] = []
  #length = 0
  /** Bytes known to hold no end marker. */
  #searched = 0
  #greeted = false
  /** What came before the hello. */
  noise = ''

  constructor(marker: string, onFrame: (frame: AgentFrame) => void) {
    this.#marker = marker
    this.#end = Buffer.from(`\n${marker} E `)
    this.#onFrame = onFrame
  }

  /** Takes the next bytes and reports every frame that is complete. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (!this.#greeted) this.#readHello()
    while (this.#greeted && this.#readAnswer()) {}
  }

  #readHello(): void {
    const all = this.#joined()
    const start = all.indexOf(`\n${this.#marker} H `)
    const lineEnd = start < 0 ? -1 : all.indexOf('\n', start + 1)
    if (lineEnd < 0) {
      this.noise = all.subarray(-NOISE_KEPT).toString()
      return
    }
    this.#greeted = true
    this.noise = all.subarray(Math.max(0, start - NOISE_KEPT), start).toString()
    this.#keep(all.subarray(lineEnd + 1))
    this.#onFrame({ kind: 'hello', before: this.noise, line: all.subarray(start + 2 + this.#marker.length, lineEnd).toString() })
  }

  #readAnswer(): boolean {
    const last = this.#chunks.at(-1)
    if (last === undefined) return false
    // Looked for in the new bytes and the seam before them only: a large content is not searched again and again.
    const from = Math.max(0, this.#searched - this.#end.length)
    if (this.#length - from < this.#end.length) return false
    if (this.#chunks.length > 1 && this.#length - last.length - from > 0) {
      const seam = this.#tail(this.#length - from)
      if (seam.indexOf(this.#end) < 0) {
        this.#searched = this.#length
        return false
      }
    }
    const all = this.#joined()
    const end = all.indexOf(this.#end, from)
    if (end < 0) {
      this.#searched = this.#length
      return false
    }
    const lineEnd = all.indexOf('\n', end + this.#end.length)
    if (lineEnd < 0) return false
    const [id = '', status = ''] = all
      .subarray(end + this.#end.length, lineEnd)
      .toString()
      .split(' ')
    const begin = `\n${this.#marker} B ${id}\n`
    const start = all.indexOf(begin)
    this.#keep(all.subarray(lineEnd + 1))
    if (start >= 0 && start < end)
      this.#onFrame({ kind: 'answer', id: Number(id), status: Number(status), content: all.subarray(start + begin.length, end) })
    return true
  }

  /** The last `count` bytes. */
  #tail(count: number): Buffer {
    const parts: Buffer[] = []
    let left = count
    for (let at = this.#chunks.length - 1; at >= 0 && left > 0; at--) {
      const chunk = this.#chunks[at]
      if (chunk === undefined) break
      parts.unshift(chunk.subarray(Math.max(0, chunk.length - left)))
      left -= chunk.length
    }
    return Buffer.concat(parts)
  }

  #joined(): Buffer {
    const [first] = this.#chunks
    if (this.#chunks.length === 1 && first !== undefined) return first
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
    this.#searched = 0
  }
}
