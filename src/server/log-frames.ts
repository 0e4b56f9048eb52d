import type { ErrorJson } from '../errors.ts'
import type { LogChunk } from '../jobs/drover.ts'

/**
 * Logs on the wire: a sequence of frames, each a 4-byte big-endian header length, a JSON header, and `length` bytes of
 * payload. The last frame's header is `{"end":true}` or `{"error":…}`; a stream without one was cut off.
 */
export type LogFrame =
  | { readonly kind: 'chunk'; readonly chunk: LogChunk }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: ErrorJson }

type FrameHeader =
  | (Omit<LogChunk, 'bytes'> & { readonly length: number })
  | { readonly end: true; readonly length: 0 }
  | { readonly error: ErrorJson; readonly length: 0 }

function headerOf(frame: LogFrame): FrameHeader {
  if (frame.kind === 'end') return { end: true, length: 0 }
  if (frame.kind === 'error') return { error: frame.error, length: 0 }
  const { bytes, ...rest } = frame.chunk
  return { ...rest, length: bytes.length }
}

/** One frame as bytes. The payload is copied once, so that head and payload leave in one write. */
export function encodeLogFrame(frame: LogFrame): Uint8Array {
  const header = Buffer.from(JSON.stringify(headerOf(frame)))
  const payload = frame.kind === 'chunk' ? frame.chunk.bytes : new Uint8Array(0)
  const out = Buffer.allocUnsafe(4 + header.length + payload.length)
  out.writeUInt32BE(header.length, 0)
  header.copy(out, 4)
  out.set(payload, 4 + header.length)
  return out
}

/** Most bytes a frame's header may have; more means that the stream is not ours. */
const MAX_HEADER_BYTES = 1 << 20

/** Collects received pieces and gives out exact lengths, without joining what is not asked for. */
class ByteQueue {
  #pieces: Buffer[] = []
  #length = 0

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#length += piece.length
  }

  get length(): number {
    return this.#length
  }

  /** The next `count` bytes, which must be there. */
  take(count: number): Buffer {
    const first = this.#pieces[0]
    this.#length -= count
    if (first !== undefined && first.length > count) {
      this.#pieces[0] = first.subarray(count)
      return first.subarray(0, count)
    }
    const taken: Buffer[] = []
    let missing = count
    while (missing > 0) {
      const piece = this.#pieces.shift()
      if (piece === undefined) break
      taken.push(piece.length <= missing ? piece : piece.subarray(0, missing))
      if (piece.length > missing) this.#pieces.unshift(piece.subarray(missing))
      missing -= Math.min(piece.length, missing)
    }
    return taken.length === 1 && taken[0] ? taken[0] : Buffer.concat(taken)
  }
}

function frameOf(header: FrameHeader, payload: Buffer): LogFrame {
  if ('end' in header) return { kind: 'end' }
  if ('error' in header) return { kind: 'error', error: header.error }
  const { length: _, ...rest } = header
  return { kind: 'chunk', chunk: { ...rest, bytes: payload } }
}

/** Reads frames from a byte stream, at the reader's pace. Ends with the stream; throws RangeError on foreign bytes. */
export async function* decodeLogFrames(source: AsyncIterable<Buffer>): AsyncGenerator<LogFrame> {
  const queue = new ByteQueue()
  let headerBytes: number | undefined
  let header: FrameHeader | undefined
  for await (const piece of source) {
    queue.push(piece)
    for (;;) {
      if (headerBytes === undefined) {
        if (queue.length < 4) break
        headerBytes = queue.take(4).readUInt32BE(0)
        if (headerBytes > MAX_HEADER_BYTES) throw new RangeError('not a log stream: frame header too long')
      }
      if (header === undefined) {
        if (queue.length < headerBytes) break
        // Written by encodeLogFrame of the same protocol version.
        header = JSON.parse(queue.take(headerBytes).toString('utf8')) as FrameHeader
      }
      if (queue.length < header.length) break
      yield frameOf(header, header.length === 0 ? Buffer.alloc(0) : queue.take(header.length))
      headerBytes = undefined
      header = undefined
    }
  }
}
