import { type ClusterState, isEnded, splitTask } from './cluster-state.ts'
import { dependencyState } from './dependencies.ts'
import type { SlurmJob } from './slurm-job.ts'
import type { FakeNode, FakePartition } from './slurm-options.ts'

/** Room that is left on a node. */
interface Room {
  cpus: number
  memory: number
  gpus: number
  jobs: number
}

/** What a job needs of each of its nodes. */
function demand(job: SlurmJob, node: Required<FakeNode>): Room {
  const { request } = job
  const cpus = request.exclusive ? node.cpus : cpusPerNode(job)
  return { cpus, memory: request.memoryPerNode ?? request.memoryPerCpu * cpus, gpus: request.gpusPerNode, jobs: 0 }
}

/** CPUs of a job on each node. */
export function cpusPerNode(job: SlurmJob): number {
  return Math.max(1, job.request.tasksPerNode) * job.request.cpusPerTask
}

/** Nodes of a partition, in the order of the cluster. */
export function partitionNodes(state: ClusterState, partition: Required<FakePartition>): readonly Required<FakeNode>[] {
  return state.settings.nodes.filter((node) => partition.nodes.includes(node.name))
}

/** Whether empty nodes of its partition could ever hold the job: the reason why not, or undefined. */
export function neverFits(state: ClusterState, job: SlurmJob): 'PartitionConfig' | 'PartitionTimeLimit' | undefined {
  const partition = state.settings.partitions.find((one) => one.name === job.request.partition)
  if (!partition) return 'PartitionConfig'
  const able = partitionNodes(state, partition).filter((node) => cpusPerNode(job) <= node.cpus)
  if (able.length < job.request.nodes) return 'PartitionConfig'
  return job.minutes > partition.maxMinutes ? 'PartitionTimeLimit' : undefined
}

/** What is free on every node that is up. */
function freeRoom(state: ClusterState): Map<string, Room> {
  const rooms = new Map<string, Room>()
  for (const node of state.settings.nodes) {
    if (!state.down.has(node.name)) rooms.set(node.name, { cpus: node.cpus, memory: node.memoryMib, gpus: node.gpus, jobs: 0 })
  }
  for (const job of state.jobs.values()) if (holdsNodes(job)) take(state, rooms, job, job.nodes)
  return rooms
}

/** True while its nodes are not free: it runs, is suspended, or its processes are being ended. */
export function holdsNodes(job: SlurmJob): boolean {
  return job.state === 'RUNNING' || job.state === 'SUSPENDED' || job.completing
}

function take(state: ClusterState, rooms: Map<string, Room>, job: SlurmJob, names: readonly string[]): void {
  for (const name of names) {
    const [room, node] = [rooms.get(name), state.settings.nodes.find((one) => one.name === name)]
    if (!room || !node) continue
    const need = demand(job, node)
    room.cpus -= need.cpus
    room.memory -= need.memory
    room.gpus -= need.gpus
    room.jobs++
  }
}

/** Nodes on which the job has room now; undefined: not enough. */
function place(state: ClusterState, rooms: ReadonlyMap<string, Room>, job: SlurmJob): readonly string[] | undefined {
  const partition = state.settings.partitions.find((one) => one.name === job.request.partition)
  if (!partition) return undefined
  const fitting = partitionNodes(state, partition).filter((node) => {
    const room = rooms.get(node.name)
    const need = demand(job, node)
    const wanted = job.request.nodelist.length === 0 || job.request.nodelist.includes(node.name)
    const featured = (job.request.features ?? '').split('&').every((feature) => feature === '' || node.features.includes(feature))
    if (!room || !wanted || !featured || (job.request.exclusive && room.jobs > 0)) return false
    return room.cpus >= need.cpus && room.memory >= need.memory && room.gpus >= need.gpus
  })
  return fitting.length < job.request.nodes ? undefined : fitting.slice(0, job.request.nodes).map((node) => node.name)
}

/** What the scheduler wants done. */
export interface ScheduleActions {
  start(job: SlurmJob, nodes: readonly string[]): void
  cancelInvalid(job: SlurmJob): void
  preempt(job: SlurmJob): void
  /** Writes the accounting row of an array's waiting elements, which have become fewer. */
  record(job: SlurmJob): void
}

/** One pass over the queue: starts what fits, and gives every job that waits its reason. */
export function schedule(state: ClusterState, actions: ScheduleActions): void {
  const rooms = freeRoom(state)
  const tier = (job: SlurmJob): number => state.settings.partitions.find((one) => one.name === job.request.partition)?.tier ?? 0
  const queue = [...state.jobs.values()]
    .filter((job) => job.state === 'PENDING' && !job.completing)
    .sort((a, b) => tier(b) - tier(a) || b.priority - a.priority || a.id - b.id)
  const short = new Set<string>()
  for (const job of queue) {
    if (job.het && job.het.offset > 0) continue
    const reason = waitReason(state, job)
    if (reason === 'cancel') {
      actions.cancelInvalid(job)
      continue
    }
    job.reason = reason ?? job.reason
    while (reason === undefined && job.state === 'PENDING') {
      if (throttled(state, job)) {
        job.reason = 'JobArrayTaskLimit'
        break
      }
      const followers = job.het ? placeFollowers(state, rooms, job) : []
      const nodes = !followers || (short.has(job.request.partition) && fullyTaken(rooms)) ? undefined : place(state, rooms, job)
      if (!nodes || !followers) {
        job.reason = short.has(job.request.partition) ? 'Priority' : 'Resources'
        if (job.reason === 'Resources') for (const victim of victims(state, job)) actions.preempt(victim)
        short.add(job.request.partition)
        break
      }
      const task = job.pendingTasks?.[0]
      const starting = task === undefined ? job : splitTask(state, job, task)
      if (starting !== job) actions.record(job)
      take(state, rooms, starting, nodes)
      for (const follower of followers) {
        take(state, rooms, follower.job, follower.nodes)
        actions.start(follower.job, follower.nodes)
      }
      actions.start(starting, nodes)
      if (starting === job) break
    }
  }
}

/** Nodes of the other components of a heterogeneous job, none of the leader's; undefined: they do not all fit beside it. */
function placeFollowers(
  state: ClusterState,
  rooms: ReadonlyMap<string, Room>,
  leader: SlurmJob,
): readonly { readonly job: SlurmJob; readonly nodes: readonly string[] }[] | undefined {
  const left = new Map([...rooms].map(([name, room]) => [name, { ...room }]))
  for (const name of place(state, left, leader) ?? []) left.delete(name)
  const found: { job: SlurmJob; nodes: readonly string[] }[] = []
  for (const job of state.jobs.values()) {
    if (job === leader || job.het?.id !== leader.het?.id) continue
    const nodes = place(state, left, job)
    if (!nodes) return undefined
    found.push({ job, nodes })
    for (const name of nodes) left.delete(name)
  }
  return found
}

function fullyTaken(rooms: ReadonlyMap<string, Room>): boolean {
  return [...rooms.values()].every((room) => room.cpus <= 0)
}

/** Why the job may not start whatever room there is; undefined: it may. */
function waitReason(state: ClusterState, job: SlurmJob): string | undefined {
  if (job.held) return job.reason.startsWith('job requeued in held') || job.reason === 'JobHeldAdmin' ? job.reason : 'JobHeldUser'
  const dependency = dependencyState(state, job)
  if (dependency === 'never') return job.request.killOnInvalid ? 'cancel' : 'DependencyNeverSatisfied'
  if (dependency === 'waiting') return 'Dependency'
  const now = state.clock.now()
  if (job.beginMs !== undefined && job.beginMs > now) return 'BeginTime'
  job.eligibleMs ??= now
  return neverFits(state, job)
}

function throttled(state: ClusterState, job: SlurmJob): boolean {
  if (job.throttle === 0 || job.arrayJobId === undefined) return false
  let active = 0
  for (const record of state.arrays.get(job.arrayJobId) ?? []) if (holdsNodes(record)) active++
  return active >= job.throttle
}

/** Jobs of lower tiers that must go for this one; none when even that would not make room. */
function victims(state: ClusterState, job: SlurmJob): readonly SlurmJob[] {
  const own = state.settings.partitions.find((one) => one.name === job.request.partition)
  if (!own) return []
  const candidates = [...state.jobs.values()].filter((other) => {
    const partition = state.settings.partitions.find((one) => one.name === other.request.partition)
    return other.state === 'RUNNING' && !isEnded(other) && partition && partition.preempt !== 'off' && partition.tier < own.tier
  })
  const chosen: SlurmJob[] = []
  for (const candidate of candidates.reverse()) {
    chosen.push(candidate)
    const rooms = freeRoom(state)
    for (const name of rooms.keys()) for (const gone of chosen) if (gone.nodes.includes(name)) give(state, rooms, gone, name)
    if (place(state, rooms, job)) return chosen
  }
  return []
}

function give(state: ClusterState, rooms: Map<string, Room>, job: SlurmJob, name: string): void {
  const [room, node] = [rooms.get(name), state.settings.nodes.find((one) => one.name === name)]
  if (!room || !node) return
  const need = demand(job, node)
  room.cpus += need.cpus
  room.memory += need.memory
  room.gpus += need.gpus
  room.jobs--
}
