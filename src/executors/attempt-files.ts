import { attemptPaths, type JobEventLine, type RecordReading, type SlotLine } from '../driver/protocol.ts'
import { parseEventLines, parseExitRecord, parseSlotLines } from '../driver/protocol-reader.ts'
import type { FilePiece, Transport } from '../transports/transport.ts'

/** Enough for any exit record; a longer file is unreadable anyway. */
const RECORD_BYTES = 512
const PIECE_BYTES = 1024 * 1024

/** What is read of one attempt: its directory and shape. */
export interface AttemptShape {
  readonly attemptDir: string
  readonly ranks: number
  /** Slots of a packed array; 0 for a job that is no array. */
  readonly slots: number
}

interface Journal<Line> {
  readonly path: string
  offset: number
  /** Bytes after the last complete line. */
  rest: string
  readonly lines: Line[]
}

/**
 * Reads an attempt's records, events and journals on and on: whole again for the small records, from the last cursor
 * for what is appended to. One `Transport.read` per call, whatever the number of ranks.
 */
export class AttemptFiles {
  readonly shape: AttemptShape
  readonly #records = new Map<number | 'job', RecordReading>()
  readonly #events = new Map<number | 'job', Journal<JobEventLine>>()
  readonly #slots: Journal<SlotLine>[]

  constructor(shape: AttemptShape) {
    this.shape = shape
    for (const who of this.#writers()) this.#events.set(who, { path: attemptPaths.events(who), offset: 0, rest: '', lines: [] })
    this.#slots = Array.from({ length: shape.slots }, (_, slot) => ({ path: attemptPaths.slot(slot), offset: 0, rest: '', lines: [] }))
  }

  #writers(): (number | 'job')[] {
    // The driver's own record is written last: read first, what it speaks of is then visible as well.
    return ['job', ...Array.from({ length: this.shape.ranks }, (_, rank) => rank)]
  }

  /** True when anything new was read. Rejects with `transport_failed` when the host could not be asked. */
  async read(transport: Transport): Promise<boolean> {
    const at = (path: string): string => `${this.shape.attemptDir}/${path}`
    const open = this.#writers().filter((who) => this.#records.get(who)?.kind !== 'record')
    const journals = [...this.#events.values(), ...this.#slots]
    const pieces = await transport.read([
      ...open.map((who) => ({ path: at(attemptPaths.exit(who)), offset: 0, maxBytes: RECORD_BYTES })),
      ...journals.map((journal) => ({ path: at(journal.path), offset: journal.offset, maxBytes: PIECE_BYTES })),
    ])
    let changed = false
    for (const [index, who] of open.entries()) {
      const piece = pieces[index]
      if (piece === undefined || piece.bytes.length === 0) continue
      const reading = parseExitRecord(Buffer.from(piece.bytes).toString('utf8'))
      if (reading.kind !== (this.#records.get(who)?.kind ?? 'none')) changed = true
      this.#records.set(who, reading)
    }
    const rest = pieces.slice(open.length)
    let full = false
    for (const [index, journal] of journals.entries()) {
      const piece = rest[index]
      if (piece === undefined || piece.bytes.length === 0) continue
      changed = true
      full ||= piece.bytes.length >= PIECE_BYTES
      if (index < this.#events.size) append(journal as Journal<JobEventLine>, piece, parseEventLines)
      else append(journal as Journal<SlotLine>, piece, parseSlotLines)
    }
    if (full) await this.read(transport)
    return changed
  }

  record(who: number | 'job'): RecordReading {
    return this.#records.get(who) ?? { kind: 'none' }
  }

  events(who: number | 'job'): readonly JobEventLine[] {
    return this.#events.get(who)?.lines ?? []
  }

  /** All journal lines of all slots, each slot's in order. */
  slotLines(): readonly (readonly SlotLine[])[] {
    return this.#slots.map((slot) => slot.lines)
  }
}

/** Keeps complete lines only; what stands after the last newline waits for its end. */
function append<Line>(journal: Journal<Line>, piece: FilePiece, parse: (text: string) => { readonly lines: readonly Line[] }): void {
  journal.offset += piece.bytes.length
  const text = journal.rest + Buffer.from(piece.bytes).toString('latin1')
  const end = text.lastIndexOf('\n') + 1
  journal.rest = text.slice(end)
  for (const line of parse(text.slice(0, end)).lines) journal.lines.push(line)
}
