import type { GpuWish } from '../targets/gpu-match.ts'

/** What a job takes of a machine: of one element for an array, of the whole job else. `gpus` are whole devices. */
export interface Demand extends GpuWish {
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: number
  /** All of it on each of so many machines of a target with several. Default 1. */
  readonly nodes?: number
}

/** A job in line. */
export interface WaitingJob {
  readonly id: string
  /** Larger is earlier. */
  readonly priority: number
  /** Epoch ms; older is earlier within a priority. */
  readonly createdAt: number
  /** Not larger than the machine: the caller clamps it, for such a job would wait for ever. */
  readonly demand: Demand
  /** Epoch ms before which it does not start (backoff). */
  readonly notBefore?: number
  /** Arrays: elements wanted at one time. Default 1. */
  readonly width?: number
}

interface Entry {
  readonly job: WaitingJob
  /** Order of arrival: jobs of one file have the same `createdAt`. */
  readonly arrival: number
  removed: boolean
}

type Before = (a: Entry, b: Entry) => boolean

/** Binary heap that forgets removed entries when they come to the top. */
class EntryHeap {
  readonly #entries: Entry[] = []
  readonly #before: Before

  constructor(before: Before) {
    this.#before = before
  }

  push(entry: Entry): void {
    const heap = this.#entries
    let at = heap.push(entry) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !this.#before(entry, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = entry
  }

  peek(): Entry | undefined {
    while (this.#entries[0]?.removed) this.#pop()
    return this.#entries[0]
  }

  take(): Entry | undefined {
    const entry = this.peek()
    if (entry) this.#pop()
    return entry
  }

  #pop(): void {
    const heap = this.#entries
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let down = at * 2 + 1
      const left = heap[down]
      const right = heap[down + 1]
      if (left === undefined) break
      let child = left
      if (right !== undefined && this.#before(right, left)) {
        child = right
        down++
      }
      if (!this.#before(child, last)) break
      heap[at] = child
      at = down
    }
    heap[at] = last
  }
}

const inLine: Before = (a, b) => {
  if (a.job.priority !== b.job.priority) return a.job.priority > b.job.priority
  if (a.job.createdAt !== b.job.createdAt) return a.job.createdAt < b.job.createdAt
  return a.arrival < b.arrival
}
const inTime: Before = (a, b) => (a.job.notBefore ?? 0) < (b.job.notBefore ?? 0)

/**
 * Jobs in line: higher priority first, then older first. Jobs of one demand stand in one heap, so that "the first that asks
 * for no more than this" looks at one job per distinct demand, not at all of them.
 */
export class JobQueue {
  readonly #entries = new Map<string, Entry>()
  readonly #lines = new Map<string, EntryHeap>()
  readonly #delayed = new EntryHeap(inTime)
  #arrivals = 0

  get size(): number {
    return this.#entries.size
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  get(id: string): WaitingJob | undefined {
    return this.#entries.get(id)?.job
  }

  /** A job already in line is replaced. */
  add(job: WaitingJob): void {
    this.remove(job.id)
    const entry: Entry = { job, arrival: this.#arrivals++, removed: false }
    this.#entries.set(job.id, entry)
    if (job.notBefore === undefined) this.#stand(entry)
    else this.#delayed.push(entry)
  }

  /** False when it was not in line. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id)
    if (!entry) return false
    entry.removed = true
    this.#entries.delete(id)
    return true
  }

  /** Lets jobs whose `notBefore` has come step into line. */
  wakeDue(now: number): void {
    for (let entry = this.#delayed.peek(); entry && (entry.job.notBefore ?? 0) <= now; entry = this.#delayed.peek()) {
      this.#delayed.take()
      this.#stand(entry)
    }
  }

  /** When the next delayed job steps into line, epoch ms; undefined: none is delayed. */
  nextDueAt(): number | undefined {
    return this.#delayed.peek()?.job.notBefore
  }

  /** The first in line among jobs whose demand is acceptable. */
  firstOf(accepts: (demand: Demand) => boolean): WaitingJob | undefined {
    let best: Entry | undefined
    for (const [key, line] of this.#lines) {
      const head = line.peek()
      if (head === undefined) this.#lines.delete(key)
      else if ((best === undefined || inLine(head, best)) && accepts(head.job.demand)) best = head
    }
    return best?.job
  }

  /** Jobs before this one, those in backoff left out; undefined when it is not in line. Looks at all jobs: for a person. */
  position(id: string, now: number): number | undefined {
    const own = this.#entries.get(id)
    if (!own) return undefined
    let before = 0
    for (const entry of this.#entries.values()) if ((entry.job.notBefore ?? 0) <= now && inLine(entry, own)) before++
    return before
  }

  #stand(entry: Entry): void {
    const { cpus, memoryBytes, gpus, nodes = 1, gpuType = '*', gpuMemoryBytes = 0 } = entry.job.demand
    const key = `${cpus}/${memoryBytes}/${gpus}/${nodes}/${gpuMemoryBytes}/${gpuType}`
    let line = this.#lines.get(key)
    if (!line) {
      line = new EntryHeap(inLine)
      this.#lines.set(key, line)
    }
    line.push(entry)
  }
}
