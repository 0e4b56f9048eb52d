import type { NodeShare } from '../executors/executor.ts'
import { JobLine } from './job-line.ts'
import type { Demand, WaitingJob } from './job-queue.ts'

/** A job that may start, with what it was given. */
export interface Start {
  readonly id: string
  /** Device indices, ascending. */
  readonly gpus: readonly number[]
  /** Elements at one time; 1 for a job that is no array. */
  readonly width: number
  /** On a target of several machines: what it was given on each. */
  readonly shares?: readonly NodeShare[]
}

/** A line of jobs before the slots of one target. */
export interface Slots {
  /** Jobs in line. */
  readonly waiting: number
  /** Puts a job in line, or in line anew. One that already holds slots is refused (false): it would run twice. */
  enqueue(job: WaitingJob): boolean
  /** Takes a job out of line; what it holds it keeps. */
  dequeue(jobId: string): void
  /** The jobs that start at this moment, in order; each has left the line and holds its slots until `release`. */
  choose(now: number): readonly Start[]
  /** Notes what an adopted job holds, whether there is room or not: it runs. `demand` is that of the whole job. */
  take(jobId: string, demand: Demand, gpus: readonly number[], shares?: readonly NodeShare[]): void
  /** Gives back what a job holds. Idempotent. */
  release(jobId: string): void
  /** Gives out nothing of a machine until then, epoch ms: it does not answer. Absent: there is one machine. */
  leave?(node: string, until: number): void
  /** What nobody holds, machine by machine; absent: there is one machine, or none of ours. */
  readonly rooms?: readonly { readonly node: string; readonly cpus: number; readonly memoryBytes: number; readonly gpus: number }[]
  /** When `choose` is to be called again by the clock alone, epoch ms; undefined: only a release changes anything. */
  nextWakeAt(now: number): number | undefined
  /** Why a job waits here; undefined when it is not in line. */
  explain(jobId: string, now?: number): QueueExplanation | undefined
}

/** What a job holds of the machine. */
export interface Holding {
  readonly id: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: readonly number[]
}

/** Why a job stands in line. */
export interface QueueExplanation {
  /** Jobs that come before it. */
  readonly before: number
  /** What is free, and what it asks for (per element for an array). */
  readonly free: Demand
  readonly demand: Demand
  /** What of it there is too little of: `cpus`, `memory`, `gpus`; empty: it waits for its turn or its backoff. */
  readonly lacking: readonly (keyof typeof RESOURCE)[]
  /** Who holds what it lacks, largest first, at most 10. */
  readonly heldBy: readonly Holding[]
  readonly notBefore?: number
}

const RESOURCE = { cpus: 'cpus', memory: 'memoryBytes', gpus: 'gpus' } as const
type Resource = 'cpus' | 'memoryBytes' | 'gpus'
/** Sums of fractions of CPUs: 0.1 taken ten times is not quite 1. */
const EPSILON = 1e-9

/**
 * The slots of one machine and the jobs that wait for them.
 *
 * Order: higher priority first, then first come, first served. The first job in line that does not fit keeps its place: of
 * what it lacks nobody behind it gets anything, and of the rest its own share is set aside. Behind it a job may pass
 * only if it asks for nothing the head lacks and fits into what remains. So a job that waits for GPUs doesn't hold up jobs
 * that need none, and no stream of small jobs can keep it waiting.
 *
 * An array asks for `width` elements and is given as many as there is room for, at least one.
 */
export class Capacity extends JobLine implements Slots {
  readonly #held = new Map<string, Holding>()
  readonly #free: Record<Resource, number>
  readonly #freeGpus: Set<number>
  readonly #gpus: ReadonlySet<number>

  /** `gpus`: device indices that may be given out. */
  constructor(machine: { readonly cpus: number; readonly memoryBytes: number; readonly gpus: readonly number[] }) {
    super()
    this.#gpus = new Set(machine.gpus)
    this.#freeGpus = new Set(machine.gpus)
    this.#free = { cpus: machine.cpus, memoryBytes: machine.memoryBytes, gpus: this.#freeGpus.size }
  }

  /** What nobody holds; negative where adopted jobs hold more than there is. */
  get free(): Demand {
    return { ...this.#free }
  }

  get holdings(): readonly Holding[] {
    return [...this.#held.values()]
  }

  protected holds(jobId: string): boolean {
    return this.#held.has(jobId)
  }

  /**
   * The jobs that start at this moment, in order; each has left the line and holds its slots until `release`.
   * Costs one look per distinct demand for each job that starts, however many wait.
   */
  choose(now: number): readonly Start[] {
    this.queue.wakeDue(now)
    const starts: Start[] = []
    for (let head = this.queue.firstOf(() => true); head; head = this.queue.firstOf(() => true)) {
      if (!fits(head.demand, this.#free)) {
        this.#pass(head, starts)
        break
      }
      starts.push(this.#start(head, this.#free))
    }
    return starts
  }

  /** Lets jobs pass the head that take nothing of what it waits for. */
  #pass(head: WaitingJob, starts: Start[]): void {
    const lacking = lackingOf(head.demand, this.#free)
    for (;;) {
      const spare = { ...this.#free }
      for (const resource of Object.values(RESOURCE)) spare[resource] = lacking.has(resource) ? 0 : spare[resource] - head.demand[resource]
      const next = this.queue.firstOf((demand) => fits(demand, spare))
      if (!next || next.id === head.id) return
      starts.push(this.#start(next, spare))
    }
  }

  #start(job: WaitingJob, room: Demand): Start {
    this.queue.remove(job.id)
    const width = grantedWidth(job, room)
    const gpus = [...this.#freeGpus].sort((a, b) => a - b).slice(0, job.demand.gpus * width)
    this.#hold({ id: job.id, cpus: job.demand.cpus * width, memoryBytes: job.demand.memoryBytes * width, gpus }, gpus.length)
    return { id: job.id, gpus, width }
  }

  /**
   * Notes what an adopted job holds, whether there is room or not: it runs. `demand` is that of the whole job. Devices that
   * are none of the machine's are kept in its name but give nothing back. A job that holds slots already keeps those.
   */
  take(jobId: string, demand: Demand, gpus: readonly number[]): void {
    this.queue.remove(jobId)
    if (this.#held.has(jobId)) return
    const known = gpus.filter((index) => this.#gpus.has(index))
    this.#hold({ id: jobId, cpus: demand.cpus, memoryBytes: demand.memoryBytes, gpus: known }, known.length)
  }

  #hold(holding: Holding, gpuCount: number): void {
    this.#held.set(holding.id, holding)
    this.#free.cpus -= holding.cpus
    this.#free.memoryBytes -= holding.memoryBytes
    this.#free.gpus -= gpuCount
    for (const index of holding.gpus) this.#freeGpus.delete(index)
  }

  /** Gives back what a job holds. Idempotent. */
  release(jobId: string): void {
    const holding = this.#held.get(jobId)
    if (!holding) return
    this.#held.delete(jobId)
    this.#free.cpus += holding.cpus
    this.#free.memoryBytes += holding.memoryBytes
    this.#free.gpus += holding.gpus.length
    for (const index of holding.gpus) if (!this.#isHeld(index)) this.#freeGpus.add(index)
  }

  /** Two adopted jobs may have been given one device by an earlier supervisor. */
  #isHeld(index: number): boolean {
    for (const other of this.#held.values()) if (other.gpus.includes(index)) return true
    return false
  }

  /** When `choose` is to be called again by the clock alone, epoch ms; undefined: only a release changes anything. */
  nextWakeAt(now: number): number | undefined {
    const at = this.queue.nextDueAt()
    return at === undefined ? undefined : Math.max(at, now)
  }

  /** Why a job waits here; undefined when it is not in line. */
  explain(jobId: string, now = Number.POSITIVE_INFINITY): QueueExplanation | undefined {
    const job = this.queue.get(jobId)
    const before = this.queue.position(jobId, now)
    if (!job || before === undefined) return undefined
    const short = lackingOf(job.demand, this.#free)
    const lacking = (Object.keys(RESOURCE) as (keyof typeof RESOURCE)[]).filter((name) => short.has(RESOURCE[name]))
    const share = (holding: Holding, name: keyof typeof RESOURCE) => (name === 'gpus' ? holding.gpus.length : holding[RESOURCE[name]])
    const main = lacking[0]
    const heldBy = this.holdings.filter((holding) => lacking.some((name) => share(holding, name) > 0))
    if (main !== undefined) heldBy.sort((a, b) => share(b, main) - share(a, main))
    return {
      before,
      free: this.free,
      demand: job.demand,
      lacking,
      heldBy: heldBy.slice(0, 10),
      ...(job.notBefore === undefined ? {} : { notBefore: job.notBefore }),
    }
  }
}

function fits(demand: Demand, room: Demand): boolean {
  return lackingOf(demand, room).size === 0
}

/** A resource of which nothing is asked is never lacking, also where adopted jobs have overdrawn it. */
function lackingOf(demand: Demand, room: Demand): ReadonlySet<Resource> {
  return new Set(Object.values(RESOURCE).filter((resource) => demand[resource] > 0 && demand[resource] > room[resource] + EPSILON))
}

function grantedWidth({ demand, width = 1 }: WaitingJob, room: Demand): number {
  let granted = Math.max(1, Math.floor(width))
  for (const resource of Object.values(RESOURCE)) {
    if (demand[resource] > 0) granted = Math.min(granted, Math.floor((room[resource] + EPSILON) / demand[resource]))
  }
  return Math.max(1, granted)
}
