import type { QueueExplanation, Slots, Start } from './capacity.ts'
import { JobLine } from './job-line.ts'

/** Jobs handed to a scheduler at one time; the others follow as answers come. */
const SUBMITS_AT_ONCE = 200

/** The line before a target whose scheduler decides when there is room: what may start is handed over at once. */
export class SchedulerSlots extends JobLine implements Slots {
  readonly #held = new Set<string>()

  protected holds(jobId: string): boolean {
    return this.#held.has(jobId)
  }

  choose(now: number): readonly Start[] {
    this.queue.wakeDue(now)
    const starts: Start[] = []
    for (let job = this.queue.firstOf(() => true); job && starts.length < SUBMITS_AT_ONCE; job = this.queue.firstOf(() => true)) {
      this.queue.remove(job.id)
      this.#held.add(job.id)
      starts.push({ id: job.id, gpus: [], width: job.width ?? 1 })
    }
    return starts
  }

  take(jobId: string): void {
    this.queue.remove(jobId)
    this.#held.add(jobId)
  }

  release(jobId: string): void {
    this.#held.delete(jobId)
  }

  nextWakeAt(now: number): number | undefined {
    // More than were handed over together stand in line still.
    if (this.queue.firstOf(() => true) !== undefined) return now
    const at = this.queue.nextDueAt()
    return at === undefined ? undefined : Math.max(at, now)
  }

  explain(jobId: string, now = Number.POSITIVE_INFINITY): QueueExplanation | undefined {
    const job = this.queue.get(jobId)
    const before = this.queue.position(jobId, now)
    if (!job || before === undefined) return undefined
    const none = { cpus: 0, memoryBytes: 0, gpus: 0 }
    return {
      before,
      free: none,
      demand: none,
      lacking: [],
      heldBy: [],
      ...(job.notBefore === undefined ? {} : { notBefore: job.notBefore }),
    }
  }
}
