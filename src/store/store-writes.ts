import { DroverError } from '../errors.ts'
import { isEndState } from '../task/states.ts'
import { ElementWrites } from './element-writes.ts'
import { StatementTexts } from './statement-texts.ts'
import type { AttemptPatch, JobChange, JobPatch, NewAttempt, NewEvent, NewJob } from './store.ts'
import type { AttemptTable, JobTable, Steps, StoreDatabase } from './store-schema.ts'

/** A submit sent again after so long is no repetition of a lost answer. */
const SUBMIT_KEY_LIFE_MS = 30 * 86_400_000

const JOB_COLUMNS: Readonly<Record<Exclude<keyof JobPatch, 'task'>, keyof JobTable>> = {
  cause: 'cause',
  exitCode: 'exit_code',
  nativeId: 'native_id',
  nativeWord: 'native_word',
  reason: 'reason',
  startedAt: 'started_at',
  endedAt: 'ended_at',
  checkedAt: 'checked_at',
  notBefore: 'not_before',
  cancelRequestedAt: 'cancel_requested_at',
  cancelBy: 'cancel_by',
  usage: 'usage',
  collected: 'collected',
}

const ATTEMPT_COLUMNS: Readonly<Record<keyof AttemptPatch, keyof AttemptTable>> = {
  state: 'state',
  cause: 'cause',
  exitCode: 'exit_code',
  nativeId: 'native_id',
  directory: 'directory',
  plan: 'plan',
  startedAt: 'started_at',
  endedAt: 'ended_at',
}

/** What changes the store, as the steps of one transaction each; portable SQL. */
export class StoreWrites {
  readonly #db: StoreDatabase
  readonly #texts = new StatementTexts()
  readonly #elements: ElementWrites

  constructor(db: StoreDatabase) {
    this.#db = db
    this.#elements = new ElementWrites(db, this.#texts)
  }

  /** See `Store.createJobs`. */
  *createJobs(
    jobs: readonly NewJob[],
    submitKey: string | undefined,
    now: number,
  ): Steps<{ readonly created: boolean; readonly ids: readonly string[] }> {
    const ids = jobs.map((job) => job.id)
    if (submitKey !== undefined) {
      const find = () => this.#db.selectFrom('submit_keys').select('ids').where('submit_key', '=', '')
      const known = (yield this.#texts.bind('submit key', find, [submitKey])).rows[0]
      if (known) return { created: false, ids: JSON.parse(String(known.ids)) as readonly string[] }
      const remember = () => this.#db.insertInto('submit_keys').values({ submit_key: '', ids: '', created_at: 0 })
      yield this.#texts.bind('submit key insert', remember, [submitKey, JSON.stringify(ids), now])
    }
    for (const job of jobs) yield* this.#createJob(job)
    return { created: true, ids }
  }

  /** See `Store.apply`; one answer per change. */
  *apply(changes: readonly JobChange[]): Steps<readonly boolean[]> {
    const made: boolean[] = []
    for (const change of changes) made.push(yield* this.#applyChange(change))
    return made
  }

  /** See `Store.removeJobs`. Rows that belong to a job go with it. */
  *removeJobs(ids: readonly string[], now: number): Steps<void> {
    const remove = () => this.#db.deleteFrom('jobs').where('id', '=', '')
    for (const id of ids) yield this.#texts.bind('job delete', remove, [id])
    // Keys outlive their jobs: a client that repeats a submit must not start removed work again.
    const forget = () => this.#db.deleteFrom('submit_keys').where('created_at', '<', 0)
    yield this.#texts.bind('submit keys delete', forget, [now - SUBMIT_KEY_LIFE_MS])
  }

  *#createJob(job: NewJob): Steps<void> {
    const insert = () =>
      this.#db.insertInto('jobs').values({
        id: '',
        name: '',
        target: '',
        kind: '',
        group_id: '',
        priority: 0,
        state: '',
        is_open: 0,
        attempt: 0,
        created_at: 0,
        updated_at: 0,
        element_count: 0,
      } as JobTable)
    const { id, name, target, kind, groupId, priority, createdAt, elementCount } = job
    const values = [id, name, target, kind, groupId, priority, 'created', 1, 1, createdAt, createdAt, elementCount]
    yield this.#texts.bind('job insert', insert, values)
    yield this.#texts.bind('task insert', () => this.#db.insertInto('job_tasks').values({ job_id: '', task: '' }), [id, job.task])
    yield* this.#insertAttempt(id, 1, createdAt)
    for (const { upstream, condition } of job.after) {
      const depend = () => this.#db.insertInto('dependencies').values({ job_id: '', upstream: '', condition: '' })
      yield this.#texts.bind('dependency insert', depend, [id, upstream, condition])
    }
    yield* this.#insertEvents(id, 1, createdAt, [{ type: 'state', data: { to: 'created' } }])
  }

  *#applyChange(change: JobChange): Steps<boolean> {
    const { jobId, newAttempt, patch } = change
    if (change.to !== undefined && change.from === undefined) {
      throw new DroverError('internal', `transition of job ${jobId} to ${change.to} names no state it starts from`, { level: 'internal' })
    }
    const sets = jobColumns(change)
    const conditions: [column: 'id' | 'state' | 'attempt', value: unknown][] = [['id', jobId]]
    if (change.from !== undefined) conditions.push(['state', change.from])
    if (change.attempt !== undefined) conditions.push(['attempt', change.attempt])
    if (newAttempt) conditions.push(['attempt', newAttempt.number - 1])
    const shape = `job ${sets.map(([column]) => column)} if ${conditions.map(([column]) => column)}`
    const update = () => {
      let query = this.#db.updateTable('jobs').set(Object.fromEntries(sets.map(([column]) => [column, 0])))
      for (const [column] of conditions) query = query.where(column, '=', '' as never)
      return query.returning('attempt')
    }
    const parameters = [...sets.map(([, value]) => value), ...conditions.map(([, value]) => value)]
    const updated = (yield this.#texts.bind(shape, update, parameters)).rows[0]
    if (updated === undefined) return false

    const before = newAttempt ? newAttempt.number - 1 : Number(updated.attempt)
    if (patch?.task !== undefined) {
      const task = () => this.#db.updateTable('job_tasks').set({ task: '' }).where('job_id', '=', '')
      yield this.#texts.bind('task update', task, [patch.task ?? '', jobId])
    }
    yield* this.#patchAttempt(change, before)
    if (newAttempt) yield* this.#insertAttempt(jobId, newAttempt.number, change.at)
    if (newAttempt?.plan !== undefined) yield* this.#patchAttempt(begunAttempt(change, newAttempt), newAttempt.number)
    if (change.ranks) yield* this.#elements.ranks(jobId, before, change.ranks)
    if (change.elements) yield* this.#elements.elements(jobId, change.elements)
    if (change.events) yield* this.#insertEvents(jobId, before, change.at, change.events)
    return true
  }

  *#insertAttempt(jobId: string, number: number, at: number): Steps<void> {
    const insert = () => this.#db.insertInto('attempts').values({ job_id: '', number: 0, state: '', created_at: 0 } as AttemptTable)
    yield this.#texts.bind('attempt insert', insert, [jobId, number, 'created', at])
  }

  /** The attempt follows its job's state, unless the change ends it by starting the next one or names its state. */
  *#patchAttempt(change: JobChange, number: number): Steps<void> {
    const followed = change.to !== undefined && !change.newAttempt ? { state: change.to } : {}
    const patch: AttemptPatch = { ...followed, ...change.attemptPatch }
    const sets: [column: keyof AttemptTable, value: unknown][] = []
    for (const [key, value] of Object.entries(patch)) {
      if (value === undefined) continue
      const column = ATTEMPT_COLUMNS[key as keyof AttemptPatch]
      sets.push([column, key === 'cause' ? JSON.stringify(value) : value])
    }
    if (sets.length === 0) return
    const update = () =>
      this.#db
        .updateTable('attempts')
        .set(Object.fromEntries(sets.map(([column]) => [column, 0])))
        .where('job_id', '=', '')
        .where('number', '=', 0)
    const shape = `attempt ${sets.map(([column]) => column)}`
    yield this.#texts.bind(shape, update, [...sets.map(([, value]) => value), change.jobId, number])
  }

  *#insertEvents(jobId: string, attempt: number, at: number, events: readonly NewEvent[]): Steps<void> {
    const insert = () => this.#db.insertInto('events').values({ job_id: '', attempt: 0, at: 0, type: '', data: '' })
    for (const { type, data } of events) {
      yield this.#texts.bind('event insert', insert, [jobId, attempt, at, type, JSON.stringify(data)])
    }
  }
}

/** What is known of an attempt that began by itself. */
function begunAttempt({ jobId, at, to }: JobChange, { number: _, ...known }: NewAttempt): JobChange {
  return { jobId, at, attemptPatch: { ...known, ...(to === undefined ? {} : { state: to }) } }
}

/** Columns of the job that the change sets, in a fixed order: the same kind of change is the same statement. */
function jobColumns(change: JobChange): readonly (readonly [column: keyof JobTable, value: unknown])[] {
  const { to, newAttempt, patch } = change
  const sets: [column: keyof JobTable, value: unknown][] = [['updated_at', change.at]]
  if (to !== undefined) sets.push(['state', to], ['is_open', isEndState(to) ? 0 : 1])
  if (newAttempt) sets.push(['attempt', newAttempt.number])
  if (patch) {
    for (const key of Object.keys(JOB_COLUMNS) as (keyof typeof JOB_COLUMNS)[]) {
      const value = patch[key]
      if (value === undefined) continue
      sets.push([JOB_COLUMNS[key], typeof value === 'object' && value !== null ? JSON.stringify(value) : value])
    }
  }
  return sets
}
