import type { JobEventLine, RecordReading, SlotLine } from '../driver/protocol.ts'
import { toErrorJson } from '../errors.ts'
import { type Transport, transportAt } from '../transports/transport.ts'
import type { AttemptPlace } from './executor.ts'
import { PlaceFiles } from './place-records.ts'
import { TaskFiles } from './task-files.ts'

/**
 * Reads an attempt's records, events and journals on and on: whole again for the small records, from the last cursor
 * for what is appended to. One `Transport.read` per place and call, side by side.
 */
export class AttemptFiles {
  readonly places: readonly AttemptPlace[]
  readonly #files: readonly PlaceFiles[]
  readonly #byRank = new Map<number, PlaceFiles>()
  /** Of a native array: files of tasks that there was reason to look at. */
  readonly tasks: TaskFiles | undefined
  #unread: readonly { readonly place: AttemptPlace; readonly reason: string }[] = []

  constructor(places: readonly AttemptPlace[]) {
    this.places = places
    this.#files = places.map((place) => new PlaceFiles(place))
    for (const files of this.#files) for (const rank of files.place.ranks) this.#byRank.set(rank, files)
    const [first] = places
    this.tasks = first?.tasks === undefined ? undefined : new TaskFiles(first)
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
    if (this.tasks) return this.tasks.read(transport)
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
    if (this.tasks) return this.tasks.slotLines()
    return this.#files.flatMap((files) => files.slots.map((slot) => slot.lines))
  }
}
