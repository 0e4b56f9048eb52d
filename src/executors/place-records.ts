import { attemptPaths, type JobEventLine, type RecordReading, type SlotLine } from '../driver/protocol.ts'
import { parseEventLines, parseExitRecord, parseSlotLines } from '../driver/protocol-reader.ts'
import type { FilePiece, Transport } from '../transports/transport.ts'
import type { AttemptPlace } from './executor.ts'

/** Enough for any exit record; a longer file is unreadable anyway. */
const RECORD_BYTES = 512
const PIECE_BYTES = 1024 * 1024

interface Journal<Line> {
  readonly path: string
  offset: number
  /** Bytes after the last complete line. */
  rest: string
  readonly lines: Line[]
}

/** The files of one place (or of one task of a native array): records and journals, by who writes them. */
export class PlaceFiles {
  readonly place: AttemptPlace
  readonly records = new Map<number | 'job', RecordReading>()
  readonly events = new Map<number | 'job', Journal<JobEventLine>>()
  readonly slots: readonly Journal<SlotLine>[]

  constructor(place: AttemptPlace) {
    this.place = place
    for (const who of this.#writers()) this.events.set(who, { path: attemptPaths.events(who), offset: 0, rest: '', lines: [] })
    this.slots = Array.from({ length: place.slots }, (_, slot) => ({ path: attemptPaths.slot(slot), offset: 0, rest: '', lines: [] }))
  }

  #writers(): readonly (number | 'job')[] {
    // The driver's own record is written last: read first, what it speaks of is then visible as well.
    return ['job', ...this.place.ranks]
  }

  /** True when anything new was read. */
  async read(transport: Transport): Promise<boolean> {
    const at = (path: string): string => `${this.place.attemptDir}/${path}`
    const open = this.#writers().filter((who) => this.records.get(who)?.kind !== 'record')
    const journals = [...this.events.values(), ...this.slots]
    const pieces = await transport.read([
      ...open.map((who) => ({ path: at(attemptPaths.exit(who)), offset: 0, maxBytes: RECORD_BYTES })),
      ...journals.map((journal) => ({ path: at(journal.path), offset: journal.offset, maxBytes: PIECE_BYTES })),
    ])
    let changed = false
    for (const [index, who] of open.entries()) {
      const piece = pieces[index]
      if (piece === undefined || piece.bytes.length === 0) continue
      const reading = parseExitRecord(Buffer.from(piece.bytes).toString('utf8'))
      if (reading.kind !== (this.records.get(who)?.kind ?? 'none')) changed = true
      this.records.set(who, reading)
    }
    const rest = pieces.slice(open.length)
    let full = false
    for (const [index, journal] of journals.entries()) {
      const piece = rest[index]
      if (piece === undefined || piece.bytes.length === 0) continue
      changed = true
      full ||= piece.bytes.length >= PIECE_BYTES
      if (index < this.events.size) append(journal as Journal<JobEventLine>, piece, parseEventLines)
      else append(journal as Journal<SlotLine>, piece, parseSlotLines)
    }
    if (full) await this.read(transport)
    return changed
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
