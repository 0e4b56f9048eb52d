import { isEndState, type State } from '../../task/states.ts'
import {
  attemptKey,
  type Io,
  type NativeObservation,
  type NativeRef,
  type PollResult,
  type StateObservation,
  type TaskObservation,
} from '../executor.ts'
import { askScheduler } from './ask-scheduler.ts'
import { parseNativeName } from './native-name.ts'
import type { NativeJob, Scheduler } from './scheduler.ts'

/** What both views of the scheduler said, by native id. */
type Known = ReadonlyMap<string, readonly NativeJob[]>

/**
 * One question to the queue for all jobs of this user, and one to the history for those it doesn't know any more. An id is no
 * identity: what has another name is another job.
 */
export async function pollBatch<Options>(
  scheduler: Scheduler<Options>,
  refs: readonly NativeRef[],
  io: Io,
  site: { readonly user: string; readonly accounting: boolean },
): Promise<PollResult> {
  const asked = refs.filter((ref) => ref.nativeId !== '')
  const results = new Map<string, NativeObservation>()
  // One whose id is not known yet is found by its name.
  const unnamed = refs.filter((ref) => ref.nativeId === '')
  const queue = await askScheduler(scheduler.queue, { user: site.user }, io)
  if (queue.kind === 'could_not_ask') {
    for (const ref of refs) results.set(attemptKey(ref), queue)
    return results
  }
  const ours = new Map<string, NativeJob[]>()
  const add = (job: NativeJob): void => {
    const jobs = ours.get(job.id)
    if (jobs === undefined) ours.set(job.id, [job])
    else jobs.push(job)
  }
  for (const job of queue.jobs) if (ownerOf(job) !== undefined) add(job)
  const gone = asked.filter((ref) => isGone(ref, ours))
  if (gone.length > 0 && site.accounting) {
    const missing = gone.flatMap((ref) => partsOf(ref).filter((id) => !isKnown(ref, id, ours)))
    const history = await askScheduler(scheduler.history, { ids: missing, user: site.user }, io)
    if (history.kind === 'could_not_ask') {
      for (const ref of gone) results.set(attemptKey(ref), history)
    } else for (const job of history.jobs) add(job)
  }
  for (const ref of asked) {
    const key = attemptKey(ref)
    if (results.has(key)) continue
    const observed = observe(ref, ours)
    // Of an array whose length nobody told us, the queue may have forgotten a task that failed.
    const isWhole = site.accounting || observed.kind !== 'state' || observed.state !== 'succeeded' || observed.tasks === undefined
    results.set(key, isWhole || ref.places[0]?.tasks !== undefined ? observed : { kind: 'missing' })
  }
  for (const ref of unnamed) results.set(attemptKey(ref), { kind: 'could_not_ask', reason: 'its id is not known yet' })
  return results
}

const partsOf = (ref: NativeRef): readonly string[] => ref.nativeId.split(' ')
/** True for what has one row: no array, not sent in parts. Ten thousand of these in a queue are to leave little garbage. */
const isSingle = (ref: NativeRef): boolean => ref.places[0]?.tasks === undefined && !ref.nativeId.includes(' ')

function isGone(ref: NativeRef, known: Known): boolean {
  if (isSingle(ref)) return !isKnown(ref, ref.nativeId, known)
  return partsOf(ref).some((id) => !isKnown(ref, id, known))
}

type Owner = ReturnType<typeof parseNativeName>

/** Of rows that a scheduler said again: read once. */
const owners = new WeakMap<NativeJob, { readonly owner: Owner }>()
const observations = new WeakMap<NativeJob, StateObservation>()

/** The attempt that a row is of, by its name; undefined: none of Drover's. */
function ownerOf(job: NativeJob): Owner {
  let known = owners.get(job)
  if (known === undefined) {
    known = { owner: parseNativeName(job.name) }
    owners.set(job, known)
  }
  return known.owner
}

const NO_ROWS: readonly NativeJob[] = []

/** The rows of a native id that are this attempt's: by name, of whichever part. */
function rowsOf(ref: NativeRef, id: string, known: Known): readonly NativeJob[] {
  const rows = known.get(id) ?? NO_ROWS
  const [first] = rows
  if (rows.length < 2) return first === undefined || isOf(first, ref) ? rows : NO_ROWS
  return rows.filter((job) => isOf(job, ref))
}

function isOf(job: NativeJob, ref: NativeRef): boolean {
  const owner = ownerOf(job)
  return owner?.jobId === ref.jobId && owner.attempt === (ref.submittedAs ?? ref.attempt)
}

/** True when the queue's answer about an id is whole: for an array, one about every task. */
function isKnown(ref: NativeRef, id: string, known: Known): boolean {
  const rows = rowsOf(ref, id, known)
  const tasks = taskCount(ref, id)
  // The queue forgets tasks of an array one by one, and how many a script that is not ours has, nobody has told us.
  if (tasks === undefined) return rows.length > 0 && !(rows.some(hasTasks) && rows.every(hasEnded))
  const seen = new Set(rows.flatMap((row) => row.tasks ?? []))
  return seen.size >= tasks
}

/** Tasks of one part of a native array; undefined: none. All parts but the last are equally long. */
function taskCount(ref: NativeRef, id: string): number | undefined {
  const count = ref.places[0]?.tasks?.count
  if (count === undefined) return undefined
  const parts = partsOf(ref)
  const size = partSize(count, parts.length)
  const at = parts.indexOf(id)
  return at === parts.length - 1 ? count - at * size : size
}

/** Length of the parts but the last; `BatchRefs.parts` was dealt so. */
function partSize(count: number, parts: number): number {
  return Math.ceil(count / parts)
}

function observe(ref: NativeRef, known: Known): NativeObservation {
  const tasks = ref.places[0]?.tasks
  return tasks === undefined ? observeSingle(rowsOf(ref, ref.nativeId, known)) : observeArray(ref, tasks.count, known)
}

function observeSingle(rows: readonly NativeJob[]): NativeObservation {
  if (rows.some(hasTasks)) return foreignArray(rows)
  const row = latest(rows)
  return row === undefined ? { kind: 'missing' } : observationOf(row)
}

const hasTasks = (row: NativeJob): boolean => row.tasks !== undefined
const hasEnded = (row: NativeJob): boolean => isEndState(row.state)

function observeArray(ref: NativeRef, count: number, known: Known): NativeObservation {
  const byTask = new Map<number, TaskObservation>()
  const parts = partsOf(ref)
  const size = partSize(count, parts.length)
  for (const [index, id] of parts.entries()) {
    // Later rows (those of the history) outweigh earlier ones only where these have no end.
    for (const row of rowsOf(ref, id, known)) {
      for (const task of row.tasks ?? []) {
        const at = index * size + task
        const before = byTask.get(at)
        if (before?.kind === 'state' && isEndState(before.state)) continue
        byTask.set(at, observationOf(row))
      }
    }
  }
  // A row that names no tasks speaks of those that no other row names; it is all there is of an array that was ended while
  // it waited.
  const rest = parts.map((id) => latest(rowsOf(ref, id, known).filter((each) => each.tasks === undefined)))
  if (byTask.size === 0 && parts.length === 1) return rest[0] === undefined ? { kind: 'missing' } : observationOf(rest[0])
  for (let task = 0; task < count; task += 1) {
    const row = rest[Math.floor(task / size)]
    if (row !== undefined && !byTask.has(task)) byTask.set(task, observationOf(row))
  }
  return byTask.size === 0 ? { kind: 'missing' } : summary(byTask, count)
}

/** A script that is not ours may be an array: it lives while one of its tasks does, and fails as the first that failed. */
function foreignArray(rows: readonly NativeJob[]): NativeObservation {
  const byTask = new Map<number, TaskObservation>()
  for (const row of rows) {
    for (const task of row.tasks ?? []) {
      const before = byTask.get(task)
      if (before?.kind !== 'state' || !isEndState(before.state)) byTask.set(task, observationOf(row))
    }
  }
  const live = latest(rows.filter((row) => row.tasks === undefined && !isEndState(row.state)))
  return live === undefined ? summary(byTask, 0) : { ...observationOf(live), tasks: byTask }
}

/** Of several rows of one id (after a requeue) the last submitted or started. */
function latest(rows: readonly NativeJob[]): NativeJob | undefined {
  if (rows.length < 2) return rows[0]
  return rows.toSorted((a, b) => (a.restarts ?? 0) - (b.restarts ?? 0) || (a.startedAt ?? 0) - (b.startedAt ?? 0)).at(-1)
}

function observationOf(job: NativeJob): StateObservation {
  const known = observations.get(job)
  if (known !== undefined) return known
  const { word, state, cause, exitCode, reason } = job
  const observation: StateObservation = {
    kind: 'state',
    word,
    state,
    ...(cause === undefined ? {} : { cause }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(reason === undefined ? {} : { reason }),
  }
  observations.set(job, observation)
  return observation
}

/** States of tasks, the one that speaks for the array first. */
const LEADING: readonly State[] = ['running', 'finishing', 'starting', 'suspended', 'queued']

/** What an array is, by its tasks: what the liveliest of them is; ended when all are. */
function summary(tasks: ReadonlyMap<number, TaskObservation>, count: number): NativeObservation {
  const states = [...tasks.values()].flatMap((each) => (each.kind === 'state' ? [each] : []))
  // A task of which nobody speaks was not written down yet, or was ended while it waited: Slurm forgets that one at once.
  const all = new Map(tasks)
  for (let task = 0; task < count; task += 1) if (!all.has(task)) all.set(task, { kind: 'missing' })
  const leading = LEADING.map((state) => states.find((each) => each.state === state)).find((each) => each !== undefined)
  if (leading !== undefined) return { ...leading, tasks: all }
  const worst = states.find((each) => each.state !== 'succeeded') ?? states[0]
  return worst === undefined ? { kind: 'missing' } : { ...worst, tasks: all }
}
