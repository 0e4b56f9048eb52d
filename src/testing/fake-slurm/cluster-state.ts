import { Accounting } from './accounting.ts'
import { printArrayTasks } from './array-tasks.ts'
import { SlurmClock } from './slurm-clock.ts'
import { ENDED, type JobRequest, type SlurmJob } from './slurm-job.ts'
import type { SlurmSettings } from './slurm-options.ts'

/** Everything the fake controller remembers. The rooms around it are functions over this. */
export interface ClusterState {
  readonly settings: SlurmSettings
  readonly clock: SlurmClock
  readonly accounting: Accounting
  /** By raw id. */
  readonly jobs: Map<number, SlurmJob>
  /** By array job id: the records of its elements, and that of the waiting ones. */
  readonly arrays: Map<number, Set<SlurmJob>>
  /** Names of nodes that are down. */
  readonly down: Set<string>
  nextId: number
  submitted: number
  readonly bootMs: number
}

/** A cluster on which nothing has happened yet. */
export function createClusterState(settings: SlurmSettings): ClusterState {
  const clock = new SlurmClock()
  return {
    settings,
    clock,
    accounting: new Accounting(clock),
    jobs: new Map(),
    arrays: new Map(),
    down: new Set(),
    nextId: settings.firstJobId,
    submitted: 0,
    bootMs: clock.now(),
  }
}

/** Priority of the first job; each later one has one less (priority/basic of Slurm 22.05). */
const FIRST_PRIORITY = 4_294_901_760

/** A record for a request, pending, under the next id. */
export function addJob(state: ClusterState, request: JobRequest): SlurmJob {
  const now = state.clock.now()
  const job: SlurmJob = {
    request,
    id: state.nextId++,
    arrayJobId: undefined,
    arrayTask: undefined,
    pendingTasks: undefined,
    throttle: 0,
    arrayTasks: undefined,
    het: undefined,
    state: 'PENDING',
    completing: false,
    reason: 'None',
    held: false,
    priority: FIRST_PRIORITY - ++state.submitted,
    dependencies: [],
    submitMs: now,
    eligibleMs: now,
    beginMs: undefined,
    startMs: undefined,
    expectedStartMs: undefined,
    endMs: undefined,
    exitCode: 0,
    exitSignal: 0,
    shownSignal: 0,
    nodes: [],
    restarts: 0,
    suspendedAtMs: undefined,
    suspendedMs: 0,
    cancelledBy: undefined,
    waitedFor: 'None',
    minutes: request.minutes,
    warned: false,
    warnedAtMs: undefined,
    afterwards: 'end',
  }
  state.jobs.set(job.id, job)
  return job
}

/** Makes the record that of an array whose elements all wait. */
export function makeArray(state: ClusterState, job: SlurmJob, tasks: readonly number[], throttle: number): void {
  job.arrayJobId = job.id
  job.arrayTasks = tasks
  job.pendingTasks = [...tasks]
  job.throttle = throttle
  state.arrays.set(job.id, new Set([job]))
}

/**
 * The record of one waiting element, split off: it gets the next id, the waiting ones keep the array's. The last element
 * takes over the record, and with it the array's id.
 */
export function splitTask(state: ClusterState, waiting: SlurmJob, task: number): SlurmJob {
  const tasks = waiting.pendingTasks ?? []
  if (tasks.length <= 1) {
    waiting.arrayTask = task
    waiting.pendingTasks = undefined
    return waiting
  }
  waiting.pendingTasks = tasks.filter((other) => other !== task)
  const job: SlurmJob = {
    ...waiting,
    id: state.nextId++,
    arrayTask: task,
    pendingTasks: undefined,
    dependencies: waiting.dependencies.map((dependency) => ({ ...dependency })),
  }
  state.jobs.set(job.id, job)
  state.arrays.get(waiting.arrayJobId ?? 0)?.add(job)
  return job
}

/** Drops a record from the controller's memory; accounting keeps its row. */
export function forgetJob(state: ClusterState, job: SlurmJob): void {
  if (state.jobs.get(job.id) === job) state.jobs.delete(job.id)
  const array = job.arrayJobId === undefined ? undefined : state.arrays.get(job.arrayJobId)
  array?.delete(job)
  if (array?.size === 0) state.arrays.delete(job.arrayJobId ?? 0)
}

/** What an id as typed by a user means. */
export interface IdSelector {
  readonly id: number
  /** Indices of `123_4` and `123_[1-5]`. */
  readonly tasks: readonly number[] | undefined
}

/** Reads `123`, `123_4`, `123_[1-5,7]`, `46+1` (the first two numbers of a heterogeneous job make its raw id). */
export function parseIdSelector(text: string): IdSelector | undefined {
  const [, id, one, many, het] = /^(\d+)(?:_(\d+)|_\[([0-9,-]+)(?:%\d+)?\]|\+(\d+))?$/.exec(text) ?? []
  if (id === undefined) return undefined
  if (one !== undefined) return { id: Number(id), tasks: [Number(one)] }
  if (het !== undefined) return { id: Number(id) + Number(het), tasks: undefined }
  if (many === undefined) return { id: Number(id), tasks: undefined }
  const tasks = many.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number)
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
  })
  return { id: Number(id), tasks }
}

/** Records an id means: with the array's id, all of the array (the element that holds that raw id first). */
export function findRecords(state: ClusterState, selector: IdSelector): readonly SlurmJob[] {
  const job = state.jobs.get(selector.id)
  const array = state.arrays.get(selector.id)
  if (!array) return job && selector.tasks === undefined ? [job] : []
  const records = [...array].sort((a, b) => (a === job ? -1 : b === job ? 1 : b.id - a.id))
  const tasks = selector.tasks && new Set(selector.tasks)
  if (!tasks) return records
  return records.filter((record) =>
    record.arrayTask === undefined ? record.pendingTasks?.some((task) => tasks.has(task)) : tasks.has(record.arrayTask),
  )
}

/** The record as it looks when waiting elements of it were asked for by index: with those alone. */
export function narrowTo(job: SlurmJob, tasks: ReadonlySet<number> | undefined): SlurmJob {
  if (!tasks || !job.pendingTasks || job.state !== 'PENDING') return job
  const left = job.pendingTasks.filter((task) => tasks.has(task))
  return left.length === 1 ? { ...job, arrayTask: left[0], pendingTasks: undefined } : { ...job, pendingTasks: left }
}

/** Indices a record waits with, as squeue prints them; undefined where it is no waiting array. */
export function waitingText(job: SlurmJob, length?: number): string | undefined {
  return job.pendingTasks && job.state === 'PENDING' ? printArrayTasks(job.pendingTasks, job.throttle, length) : undefined
}

/** True when nothing of it runs or will run any more. */
export function isEnded(job: SlurmJob): boolean {
  return ENDED.has(job.state) && !job.completing
}
