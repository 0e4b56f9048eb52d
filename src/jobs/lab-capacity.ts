import type { NodeShare } from '../executors/executor.ts'
import { type GpuFacts, matchesGpu } from '../targets/gpu-match.ts'
import type { Holding, QueueExplanation, Slots, Start } from './capacity.ts'
import { JobLine } from './job-line.ts'
import type { Demand } from './job-queue.ts'

/** One machine of several. */
export interface LabMachine {
  readonly node: string
  readonly cpus: number
  readonly memoryBytes: number
  /** Devices that may be given out. */
  readonly gpus: readonly GpuFacts[]
}

interface Room {
  readonly machine: LabMachine
  cpus: number
  memoryBytes: number
  /** Indices of devices that nobody holds. */
  readonly gpus: Set<number>
}

interface LabHolding extends Holding {
  readonly shares: readonly NodeShare[]
  readonly demand: Demand
}

/** Sums of fractions of CPUs: 0.1 taken ten times is not quite 1. */
const EPSILON = 1e-9

/**
 * The slots of several machines. A job takes `demand` on each of `demand.nodes` machines, the first in the order of the
 * inventory that have room; an array takes as many elements as fit, spread over the machines in turn.
 *
 * Order: as `Capacity`. The first job in line that finds no place keeps its place: for it the machines with most room are set
 * aside, and behind it a job may pass only on the others. So no stream of small jobs can keep a large one waiting. A job that
 * cannot run without a machine that is left alone waits beside the line.
 */
export class LabCapacity extends JobLine implements Slots {
  readonly #rooms: readonly Room[]
  readonly #held = new Map<string, LabHolding>()
  /** Machines that do not answer, and until when they are left alone, epoch ms. */
  readonly #left = new Map<string, number>()

  constructor(machines: readonly LabMachine[]) {
    super()
    this.#rooms = machines.map((machine) => ({
      machine,
      cpus: machine.cpus,
      memoryBytes: machine.memoryBytes,
      gpus: indicesOf(machine),
    }))
  }

  get free(): Demand {
    return {
      cpus: sum(this.#rooms, (room) => room.cpus),
      memoryBytes: sum(this.#rooms, (room) => room.memoryBytes),
      gpus: sum(this.#rooms, (room) => room.gpus.size),
    }
  }

  get rooms(): NonNullable<Slots['rooms']> {
    return this.#rooms.map(({ machine, cpus, memoryBytes, gpus }) => ({ node: machine.node, cpus, memoryBytes, gpus: gpus.size }))
  }

  protected holds(jobId: string): boolean {
    return this.#held.has(jobId)
  }

  choose(now: number): readonly Start[] {
    this.queue.wakeDue(now)
    const starts: Start[] = []
    for (const [node, until] of this.#left) if (until <= now) this.#left.delete(node)
    const all = this.#rooms.filter((room) => !this.#left.has(room.machine.node))
    const servable = (demand: Demand) => this.#left.size === 0 || ableOf(demand, all).length >= (demand.nodes ?? 1)
    let rooms: readonly Room[] = all
    for (;;) {
      const job = this.queue.firstOf((demand) => (rooms === all ? servable(demand) : place(demand, 1, rooms).length > 0))
      if (!job) return starts
      const shares = place(job.demand, job.width ?? 1, rooms)
      if (shares.length > 0) {
        this.queue.remove(job.id)
        this.#hold(job.id, job.demand, shares)
        starts.push({ id: job.id, gpus: shares.flatMap((share) => share.gpus), width: sum(shares, (share) => share.width), shares })
        continue
      }
      if (rooms !== all) return starts
      rooms = othersThan(job.demand, all)
    }
  }

  take(jobId: string, demand: Demand, gpus: readonly number[], shares: readonly NodeShare[] = []): void {
    this.queue.remove(jobId)
    if (this.#held.has(jobId)) return
    const width = Math.max(
      1,
      sum(shares, (share) => share.width),
    )
    // The kept demand is that of the whole job.
    const each = { cpus: demand.cpus / width, memoryBytes: demand.memoryBytes / width, gpus: Math.round(gpus.length / width) }
    this.#hold(jobId, each, shares)
  }

  #hold(id: string, demand: Demand, shares: readonly NodeShare[]): void {
    const width = sum(shares, (share) => share.width)
    const holding = { id, cpus: demand.cpus * width, memoryBytes: demand.memoryBytes * width, gpus: shares.flatMap((share) => share.gpus) }
    this.#held.set(id, { ...holding, shares, demand })
    for (const share of shares) this.#change(share, demand, -1)
  }

  release(jobId: string): void {
    const holding = this.#held.get(jobId)
    if (!holding) return
    this.#held.delete(jobId)
    for (const share of holding.shares) this.#change(share, holding.demand, 1)
  }

  #change({ node, gpus, width }: NodeShare, demand: Demand, sign: 1 | -1): void {
    const room = this.#rooms.find((each) => each.machine.node === node)
    if (room === undefined) return
    room.cpus += sign * demand.cpus * width
    room.memoryBytes += sign * demand.memoryBytes * width
    for (const index of gpus) {
      if (sign === -1) room.gpus.delete(index)
      else if (indicesOf(room.machine).has(index)) room.gpus.add(index)
    }
  }

  leave(node: string, until: number): void {
    this.#left.set(node, until)
  }

  nextWakeAt(now: number): number | undefined {
    const times = [this.queue.nextDueAt() ?? [], this.queue.size > 0 ? [...this.#left.values()] : []].flat()
    return times.length === 0 ? undefined : Math.max(Math.min(...times), now)
  }

  explain(jobId: string, now = Number.POSITIVE_INFINITY): QueueExplanation | undefined {
    const job = this.queue.get(jobId)
    const before = this.queue.position(jobId, now)
    if (!job || before === undefined) return undefined
    const names = ['cpus', 'memory', 'gpus'] as const
    const keys = { cpus: 'cpus', memory: 'memoryBytes', gpus: 'gpus' } as const
    const nodes = job.demand.nodes ?? 1
    const lacking = names.filter((name) => {
      const only = { ...job.demand, cpus: 0, memoryBytes: 0, gpus: 0, [keys[name]]: job.demand[keys[name]] }
      return this.#rooms.filter((room) => elementsIn(room, only) > 0).length < nodes
    })
    const share = (holding: Holding, name: 'cpus' | 'memory' | 'gpus') => (name === 'gpus' ? holding.gpus.length : holding[keys[name]])
    const main = lacking[0]
    const heldBy = [...this.#held.values()].filter((holding) => lacking.some((name) => share(holding, name) > 0))
    if (main !== undefined) heldBy.sort((a, b) => share(b, main) - share(a, main))
    return {
      before,
      free: { ...this.free, gpus: sum(this.#rooms, (room) => freeDevices(room, job.demand).length) },
      demand: job.demand,
      lacking,
      heldBy: heldBy.slice(0, 10).map(({ id, cpus, memoryBytes, gpus }) => ({ id, cpus, memoryBytes, gpus })),
      ...(job.notBefore === undefined ? {} : { notBefore: job.notBefore }),
    }
  }
}

/** How many times a demand fits into a machine's room. */
function elementsIn(room: Room, demand: Demand): number {
  return Math.max(
    0,
    Math.min(
      demand.cpus > 0 ? Math.floor((room.cpus + EPSILON) / demand.cpus) : Number.MAX_SAFE_INTEGER,
      demand.memoryBytes > 0 ? Math.floor((room.memoryBytes + EPSILON) / demand.memoryBytes) : Number.MAX_SAFE_INTEGER,
      demand.gpus > 0 ? Math.floor(freeDevices(room, demand).length / demand.gpus) : Number.MAX_SAFE_INTEGER,
    ),
  )
}

/** Indices of free devices that are of the kind asked for, in order. */
function freeDevices({ machine, gpus }: Room, demand: Demand): readonly number[] {
  return machine.gpus
    .filter((gpu) => gpus.has(gpu.index) && matchesGpu(gpu, demand))
    .map(({ index }) => index)
    .sort((a, b) => a - b)
}

function indicesOf({ gpus }: LabMachine): Set<number> {
  return new Set(gpus.map(({ index }) => index))
}

/** Machines on which a demand fits as long as nobody holds anything. */
function ableOf(demand: Demand, rooms: readonly Room[]): readonly Room[] {
  return rooms.filter(({ machine }) => {
    const { cpus, memoryBytes } = machine
    return elementsIn({ machine, cpus, memoryBytes, gpus: indicesOf(machine) }, demand) > 0
  })
}

/** Machines that are not set aside for a job which waits for `demand`. */
function othersThan(demand: Demand, rooms: readonly Room[]): readonly Room[] {
  const able = [...ableOf(demand, rooms)]
  const wanted = able.sort((a, b) => elementsIn(b, demand) - elementsIn(a, demand) || b.cpus - a.cpus).slice(0, demand.nodes ?? 1)
  return rooms.filter((room) => !wanted.includes(room))
}

/** Where a job finds its place; empty: nowhere. `width`: elements of an array, at most so many. */
function place(demand: Demand, width: number, rooms: readonly Room[]): readonly NodeShare[] {
  const able = rooms.map((room) => ({ room, fits: elementsIn(room, demand) })).filter(({ fits }) => fits > 0)
  const nodes = demand.nodes ?? 1
  if (nodes > 1 || width <= 1) {
    if (able.length < nodes) return []
    return able.slice(0, nodes).map(({ room }) => shareOf(room, demand, 1))
  }
  const widths = new Map<Room, number>()
  for (let left = width; left > 0; ) {
    const open = able.filter(({ room, fits }) => (widths.get(room) ?? 0) < fits).slice(0, left)
    if (open.length === 0) break
    for (const { room } of open) widths.set(room, (widths.get(room) ?? 0) + 1)
    left -= open.length
  }
  return [...widths].map(([room, each]) => shareOf(room, demand, each))
}

function shareOf(room: Room, demand: Demand, width: number): NodeShare {
  const gpus = freeDevices(room, demand).slice(0, demand.gpus * width)
  return { node: room.machine.node, gpus, width }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
