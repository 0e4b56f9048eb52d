import type { RecordReading, SlotLine } from '../driver/protocol.ts'
import type { Transport } from '../transports/transport.ts'
import type { AttemptPlace } from './executor.ts'
import { PlaceFiles } from './place-records.ts'

/** Tasks read in one round trip. */
const TASKS_AT_ONCE = 500

/**
 * The files of a native array's tasks, each below `tasks/<t>/`, made by the task itself. There may be ten thousand, so each is
 * read only when there is a reason: it rang, or the scheduler says that it has ended; then again until its own end is read.
 */
export class TaskFiles {
  readonly #place: AttemptPlace
  readonly #files = new Map<number, PlaceFiles>()
  readonly #wanted = new Set<number>()

  constructor(place: AttemptPlace) {
    this.#place = place
  }

  /** Tasks whose files will be looked at. */
  get wanted(): number {
    return this.#wanted.size
  }

  /** There is reason to look at a task. One whose end was read is not looked at again. */
  want(task: number): void {
    if (this.driverRecord(task).kind !== 'record') this.#wanted.add(task)
  }

  /** Reads what is wanted; true when anything new was read. */
  async read(transport: Transport): Promise<boolean> {
    let changed = false
    const tasks = [...this.#wanted]
    for (let at = 0; at < tasks.length; at += TASKS_AT_ONCE) {
      const some = tasks.slice(at, at + TASKS_AT_ONCE)
      const news = await Promise.all(some.map((task) => this.#of(task).read(transport)))
      changed ||= news.some(Boolean)
      for (const task of some) if (this.driverRecord(task).kind === 'record') this.#wanted.delete(task)
    }
    return changed
  }

  #of(task: number): PlaceFiles {
    const known = this.#files.get(task)
    if (known !== undefined) return known
    const made = new PlaceFiles({ node: '', attemptDir: `${this.#place.attemptDir}/tasks/${task}`, ranks: [0], slots: this.#place.slots })
    this.#files.set(task, made)
    return made
  }

  /** The end of a task's own driver. */
  driverRecord(task: number): RecordReading {
    return this.#files.get(task)?.records.get('job') ?? { kind: 'none' }
  }

  /** The record of a task's setup that went wrong. */
  setupRecord(task: number): RecordReading {
    return this.#files.get(task)?.records.get(0) ?? { kind: 'none' }
  }

  /** Journal lines of all tasks that were read. */
  slotLines(): readonly (readonly SlotLine[])[] {
    return [...this.#files.values()].flatMap((files) => files.slots.map((slot) => slot.lines))
  }
}
