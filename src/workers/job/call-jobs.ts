import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { CallIo, WorkerCall } from '../../workflow/calls/worker-call.ts'
import { CallGroups, groupOf } from './call-groups.ts'
import type { FileSight } from './file-sight.ts'
import { checkJobTask, compileJobDocument, type JobTask, jobNameOf, stageDirectory, writingRanksOf } from './job-document.ts'
import { type JobRecord, readJobRecord, updateJobRecord, writeJobRecord } from './job-record.ts'
import type { WritingRanks } from './job-script.ts'
import type { JobTarget } from './job-target.ts'
import { buildStage, writeBeside } from './staged-call.ts'
import { Turns } from './turns.ts'

/** How calls become jobs. */
export interface CallJobsOptions {
  readonly target: string
  /** Resources, walltime, container, launcher, environment, …: keys of a task file. */
  readonly task?: JobTask
  /** With a launcher: `first_rank` (default) lets only one process have the call's own outputs; `all` gives them to every one. */
  readonly ranks?: 'first_rank' | 'all'
  /** False: each call is a job of its own. Default true: calls of one map become an array. */
  readonly arrays?: boolean
  /** Most elements of an array at one time. */
  readonly maxElements?: number
  /** Pause after the last call of a map before its array is made, ms. Default 25. */
  readonly gatherMs?: number
}

/** A call's place: its job, and which element of it. */
export interface CallPlace {
  readonly jobId: string
  /** Position in the job's array; null: the job is this call alone. */
  readonly element: number | null
  readonly sight: FileSight
}

/** Files written at one time. */
const WRITES = 32
const LOC_ORDER = new Intl.Collator('en', { numeric: true })

interface Waiting {
  readonly call: WorkerCall
  readonly io: CallIo
  readonly placed: PromiseWithResolvers<CallPlace | undefined>
}

/** Makes jobs of calls: one for each, or one array for those of a map, on record before it is asked for. */
export class CallJobs {
  readonly #options: CallJobsOptions
  readonly #task: JobTask
  readonly #writing: WritingRanks
  readonly #target: JobTarget
  readonly #groups: CallGroups<Waiting>
  readonly #writes = new Turns(WRITES)

  /** `most`: calls in one array. Throws InputError for a task key it does not take. */
  constructor(options: CallJobsOptions, most: number, target: JobTarget) {
    const { task = {}, ranks = 'first_rank', gatherMs } = options
    checkJobTask(task as Readonly<Record<string, unknown>>)
    this.#options = options
    this.#task = task
    const writing = writingRanksOf(task)
    this.#writing = writing === 'first_rank' ? ranks : writing
    this.#target = target
    this.#groups = new CallGroups(most, gatherMs, (items) => void this.#submit(items))
  }

  /** Throws where a call as this one could not become a job of the target. */
  async plan(call: WorkerCall, sight: FileSight): Promise<void> {
    const worker = await this.#target.worker(call.worker)
    const { target } = this.#options
    await this.#target.plan(compileJobDocument({ calls: [call], key: '', target, task: this.#task, worker, sight, writing: this.#writing }))
  }

  /** Makes the call a job, or part of one. Undefined: it was cancelled before. Rejects with what failed, for all calls of one job. */
  async place(call: WorkerCall, io: CallIo): Promise<CallPlace | undefined> {
    const waiting: Waiting = { call, io, placed: Promise.withResolvers() }
    const group = (await this.#gathers()) ? groupOf(call) : undefined
    if (group === undefined) void this.#submit([waiting])
    else this.#groups.add(group, waiting)
    return await waiting.placed.promise
  }

  /** Rejects with `reason` what no job was asked for yet. */
  close(reason: unknown): void {
    for (const { placed } of this.#groups.close()) placed.reject(reason)
  }

  async #gathers(): Promise<boolean> {
    if (this.#options.arrays === false || (this.#task.num_nodes ?? 1) > 1) return false
    const { capabilities } = await this.#target.view()
    return capabilities.arrays !== 'none'
  }

  /** Makes one job of calls of one group. What fails, fails for all of them. */
  async #submit(items: readonly Waiting[]): Promise<void> {
    // Elements in the order of the map, however they arrived.
    const inOrder = items.toSorted((a, b) => LOC_ORDER.compare(a.call.loc, b.call.loc))
    const wanted = inOrder.filter(({ io, placed }) => {
      if (io.signal.aborted) placed.resolve(undefined)
      return !io.signal.aborted
    })
    const [first] = wanted
    if (first === undefined) return
    try {
      const calls = wanted.map(({ call }) => call)
      const sight = await this.#target.sight(first.call.root)
      const key = await keyOf(calls)
      const name = jobNameOf(first.call, key)
      const elementOf = (index: number): number | null => (calls.length > 1 ? index : null)
      const record = ({ attempt }: WorkerCall, index: number, job: string | null): JobRecord => {
        return { attempt, key, name, job, element: elementOf(index), files: sight, ended: false }
      }
      // On record before anything is asked for, so that whoever comes after finds the job by its name.
      await Promise.all(calls.map((call, index) => this.#writes.take(() => writeJobRecord(call.directory, record(call, index, null)))))
      const jobId = await this.#submitJob(calls, first.call, key, sight)
      await Promise.all(calls.map((call, index) => this.#writes.take(() => updateJobRecord(call.directory, record(call, index, jobId)))))
      for (const [index, { placed }] of wanted.entries()) placed.resolve({ jobId, element: elementOf(index), sight })
    } catch (error) {
      for (const { placed } of wanted) placed.reject(error)
    }
  }

  async #submitJob(calls: readonly WorkerCall[], first: WorkerCall, key: string, sight: FileSight): Promise<string> {
    const worker = await this.#target.worker(first.worker)
    const stage = sight === 'staged' ? stageDirectory(first) : undefined
    const { target, maxElements } = this.#options
    try {
      const beside = { otherRanks: this.#writing === 'first_rank', variables: worker.variables === true }
      if (stage !== undefined) await buildStage(calls, stage, beside)
      else await Promise.all(calls.map((call) => this.#writes.take(() => writeBeside(call.root, call, call.args, beside))))
      const document = compileJobDocument({
        ...{ calls, key, target, task: this.#task, worker, sight, writing: this.#writing },
        ...(stage === undefined ? {} : { stage }),
        ...(maxElements === undefined ? {} : { maxElements }),
      })
      const job = await this.#target.submit(document, key)
      return job.id
    } finally {
      // What was packaged lies in a bundle.
      if (stage !== undefined) await rm(stage, { recursive: true, force: true })
    }
  }
}

/** The key of a job. Of one call whose record has a key that made no job yet: that key. */
async function keyOf(calls: readonly WorkerCall[]): Promise<string> {
  const [first] = calls
  const known = calls.length === 1 && first !== undefined ? await readJobRecord(first.directory) : undefined
  if (known !== undefined && known.element === null && !known.ended && known.attempt === first?.attempt) return known.key
  const names = calls.map(({ runId, loc, attempt }) => `${runId}/${loc}/${attempt}`)
  const what = calls.length === 1 ? names[0] : `${names[0]}+${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16)}`
  return `workflow:${what}:${crypto.randomUUID()}`
}
