import { attemptPaths, type JobEventLine, type RecordReading, type SlotLine } from '../driver/protocol.ts'
import { parseEventLines, parseExitRecord, parseSlotLines } from '../driver/protocol-reader.ts'
import { toErrorJson } from '../errors.ts'
import { type FilePiece, type Transport, transportAt } from '../transports/transport.ts'
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

/** The files of one place: records and journals, by who writes them. */
class PlaceFiles {
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

/**
 * Reads an attempt's records, events and journals on and on: whole again for the small records, from the last cursor
 * for what is appended to. One `Transport.read` per place and call, side by side.
 */
export class AttemptFiles {
  readonly places: readonly AttemptPlace[]
  readonly #files: readonly PlaceFiles[]
  readonly #byRank = new Map<number, PlaceFiles>()
  #unread: readonly { readonly place: AttemptPlace; readonly reason: string }[] = []

  constructor(places: readonly AttemptPlace[]) {
    this.places = places
    this.#files = places.map((place) => new PlaceFiles(place))
    for (const files of this.#files) for (const rank of files.place.ranks) this.#byRank.set(rank, files)
  }

  /** Slots of all places. */
  get slots(): number {
    return this.places.reduce((sum, place) => sum + place.slots, 0)
  }

  /** Places that could not be read the last time, and why: what is known of them is old. */
  get unread(): readonly { readonly place: AttemptPlace; readonly reason: string }[] {
    return this.#unread
  }

  /** True when anything new was read. Rejects with `transport_failed` when no place could be asked; see `unread` for some. */
  async read(transport: Transport): Promise<boolean> {
    const outcomes = await Promise.allSettled(this.#files.map((files) => files.read(transportAt(transport, files.place.node))))
    const failed = outcomes.flatMap((outcome, index) => {
      const place = this.places[index]
      return outcome.status === 'rejected' && place ? [{ place, reason: toErrorJson(outcome.reason).message, error: outcome.reason }] : []
    })
    this.#unread = failed
    if (failed.length === this.places.length && failed[0]) throw failed[0].error
    return outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value)
  }

  /** The record of a rank; of the drivers, once each has one: the first that is not 0. */
  record(who: number | 'job'): RecordReading {
    if (who !== 'job') return this.#byRank.get(who)?.records.get(who) ?? { kind: 'none' }
    const records = this.#files.map((files): RecordReading => files.records.get('job') ?? { kind: 'none' })
    const telling = (reading: RecordReading): boolean => reading.kind !== 'record' || reading.record.code !== 0
    return records.find((reading) => reading.kind === 'none') ?? records.find(telling) ?? records[0] ?? { kind: 'none' }
  }

  /** The record of the driver of one place. */
  driverRecord(place: number): RecordReading {
    return this.#files[place]?.records.get('job') ?? { kind: 'none' }
  }

  /** Event lines of a rank; of the drivers of all places. */
  events(who: number | 'job'): readonly JobEventLine[] {
    if (who !== 'job') return this.#byRank.get(who)?.events.get(who)?.lines ?? []
    return this.#files.length === 1 ? this.driverEvents(0) : this.#files.flatMap((_, place) => this.driverEvents(place))
  }

  /** Event lines of the driver of one place. */
  driverEvents(place: number): readonly JobEventLine[] {
    return this.#files[place]?.events.get('job')?.lines ?? []
  }

  /** All journal lines of all slots, each slot's in order. */
  slotLines(): readonly (readonly SlotLine[])[] {
    return this.#files.flatMap((files) => files.slots.map((slot) => slot.lines))
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
