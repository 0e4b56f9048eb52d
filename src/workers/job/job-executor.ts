/**
 * Worker calls as jobs of a Drover target. One thing in one file: the way of a call from its record through job or array to its end,
 * where each step must leave what the next controller needs.
 */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../../errors.ts'
import type { Drover, TargetView } from '../../jobs/drover.ts'
import { defineTask } from '../../task/define-task.ts'
import { callArgsOf } from '../../workflow/calls/call-args.ts'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { clearMarks } from '../process/call-directory.ts'
import { CallGroups, groupOf } from './call-groups.ts'
import { describeJobEnd } from './call-outcome.ts'
import { type FileSight, fileSightOf } from './file-sight.ts'
import { JobCancels } from './job-cancels.ts'
import { checkJobTask, compileJobDocument, type JobTask, jobNameOf, stageDirectory, writingRanksOf } from './job-document.ts'
import { type JobRecord, readJobRecord, writeJobRecord } from './job-record.ts'
import type { WorkerCommand, WritingRanks } from './job-script.ts'
import { JobWatch } from './job-watch.ts'
import { buildStage, writeBeside } from './staged-call.ts'
import { StagedReturn } from './staged-return.ts'
import { Turns } from './turns.ts'
import { type FoundWorker, findWorkerCommand, refuseWorkerName } from './worker-command.ts'

/** What `createJobExecutor` takes. */
export interface JobExecutorOptions {
  /** Stays open at `close`. */
  readonly drover: Drover
  readonly target: string
  /** Folder with one folder per worker, absolute. */
  readonly registry?: string
  /**
   * For all workers of this executor: words, or shell text; the path of the call's arguments is put behind it. Default: by what lies
   * in the worker's folder, see `findWorkerCommand`.
   */
  readonly command?: WorkerCommand
  /** Resources, walltime, container, launcher, environment, …: keys of a task file. */
  readonly task?: JobTask
  /** Whether the target's jobs see the run's directory. Default `auto`: see `fileSightOf`. */
  readonly files?: FileSight | 'auto'
  /** With a launcher: `first_rank` (default) lets only one process have the call's own outputs; `all` gives them to every one. */
  readonly ranks?: 'first_rank' | 'all'
  /** Most calls at one time. Default 10,000. */
  readonly maxParallel?: number
  /** False: each call is a job of its own. Default true: calls of one map become an array. */
  readonly arrays?: boolean
  /** Most elements of an array at one time. */
  readonly maxElements?: number
  /** Pause after the last call of a map before its array is made, ms. Default 25. */
  readonly gatherMs?: number
  /** Directory of the client: its project's configuration counts, and relative paths in `task` start there. Default: the process's. */
  readonly clientDirectory?: string
  /** Where secrets of `task` without a value come from. Default: the process's own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** How long a supervisor or node that can't be reached is tried again, ms. Default 15 minutes. */
  readonly patienceMs?: number
}

const MAX_PARALLEL = 10_000
const PATIENCE_MS = 900_000
/** How long a cancelled call is waited for, ms; Drover has the request on record and ends the job when it can. */
const CANCEL_PATIENCE_MS = 60_000
/** A submission that a dying controller sent can be carried out this much later, ms; then its job can be found by name. */
const LATE_SUBMIT_MS = 3_000
/** Requests to the supervisor at one time, and files written at one time. */
const REQUESTS = 16
const WRITES = 32

const LOC_ORDER = new Intl.Collator('en', { numeric: true })

/** A call's place: its job, and which element of it. */
interface Placed {
  readonly jobId: string
  readonly element: number | null
  readonly sight: FileSight
}

interface Waiting {
  readonly call: WorkerCall
  readonly io: CallIo
  readonly placed: PromiseWithResolvers<Placed | WorkerEnd>
}

/** Runs calls of workers as jobs of a target. Throws InputError for a task key it does not take. */
export function createJobExecutor(options: JobExecutorOptions): FileExecutor {
  checkJobTask((options.task ?? {}) as Readonly<Record<string, unknown>>)
  return new JobExecutor(options)
}

class JobExecutor implements FileExecutor {
  readonly kind = 'job'
  readonly maxParallel: number
  readonly #options: JobExecutorOptions
  readonly #task: JobTask
  readonly #writing: WritingRanks
  readonly #closing = new AbortController()
  readonly #patienceMs: number
  readonly #watch: JobWatch
  readonly #cancels: JobCancels
  readonly #returns: StagedReturn
  readonly #groups: CallGroups<Waiting>
  readonly #requests = new Turns(REQUESTS)
  readonly #writes = new Turns(WRITES)
  readonly #workers = new Map<string, Promise<FoundWorker>>()
  readonly #sights = new Map<string, Promise<FileSight>>()
  #target: Promise<TargetView> | undefined

  constructor(options: JobExecutorOptions) {
    const { drover, task = {}, patienceMs = PATIENCE_MS } = options
    this.#options = options
    this.#task = task
    this.maxParallel = options.maxParallel ?? MAX_PARALLEL
    const writing = writingRanksOf(task)
    this.#writing = writing === 'first_rank' ? (options.ranks ?? 'first_rank') : writing
    this.#patienceMs = patienceMs
    const asking = limited(drover, this.#requests)
    this.#watch = new JobWatch({ drover: asking, patienceMs })
    this.#cancels = new JobCancels(asking)
    this.#returns = new StagedReturn(drover, patienceMs, this.#closing.signal)
    this.#groups = new CallGroups(this.maxParallel, options.gatherMs, (items) => void this.#submit(items))
  }

  async check(worker: string, _tasks: readonly CheckedTask[]): Promise<string | undefined> {
    const refused = refuseWorkerName(worker)
    if (refused !== undefined) return refused
    try {
      const [call, found] = [specimen(worker), await this.#worker(worker)]
      const { target } = this.#options
      const sight = this.#options.files === 'staged' ? 'staged' : 'shared'
      const document = { calls: [call], key: '', target, task: this.#task, worker: found, sight, writing: this.#writing } as const
      await this.#options.drover.plan(this.#define(compileJobDocument(document)), this.#client())
      return undefined
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      return `worker "${worker}" cannot run as jobs on target "${this.#options.target}": ${error.display}`
    }
  }

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    if (io.signal.aborted) return { outcome: 'cancelled' }
    try {
      const earlier = await this.#resume(call, io, 'unended')
      if (earlier !== undefined) return earlier
      if (!clearMarks(call)) return failedToStart(call, `its directory ${call.directory} is gone`)
      const placed = await this.#place(call, io)
      return 'outcome' in placed ? placed : await this.#await(call, placed, io)
    } catch (error) {
      return this.#failure(call, error)
    }
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    try {
      return await this.#resume(call, io, 'any')
    } catch (error) {
      return this.#failure(call, error)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(
      new DroverError('aborted', 'the executor of jobs was closed; its jobs run on', { level: 'internal', transient: true }),
    )
    for (const { placed } of this.#groups.close()) placed.reject(this.#closing.signal.reason)
    this.#watch.close()
  }

  // ── from a call to its job ─────────────────────────────────────────────────────────────────────────────────────

  /** The job that an earlier controller had made for the call, if there is one. */
  async #resume(call: WorkerCall, io: CallIo, which: 'unended' | 'any'): Promise<WorkerEnd | undefined> {
    const record = await readJobRecord(call.directory)
    if (record === undefined || record.attempt !== call.attempt || (which === 'unended' && record.ended)) return undefined
    let jobId = record.job ?? (await this.#findJob(record.name))
    if (jobId === undefined && record.ageMs < LATE_SUBMIT_MS) {
      await sleep(LATE_SUBMIT_MS - record.ageMs, undefined, { signal: this.#closing.signal })
      jobId = await this.#findJob(record.name)
    }
    if (jobId === undefined || !(await this.#exists(jobId))) return undefined
    return await this.#await(call, { jobId, element: record.element, sight: record.files }, io, record)
  }

  async #findJob(name: string): Promise<string | undefined> {
    const [job] = await this.#patiently(() => this.#options.drover.list({ name, limit: 1 }))
    return job?.id
  }

  async #exists(jobId: string): Promise<boolean> {
    return await this.#patiently(async () => {
      try {
        await this.#options.drover.get(jobId)
        return true
      } catch (error) {
        if (error instanceof DroverError && error.code === 'unknown_job') return false
        throw error
      }
    })
  }

  async #place(call: WorkerCall, io: CallIo): Promise<Placed | WorkerEnd> {
    const waiting: Waiting = { call, io, placed: Promise.withResolvers() }
    const group = (await this.#gathers()) ? groupOf(call) : undefined
    if (group === undefined) void this.#submit([waiting])
    else this.#groups.add(group, waiting)
    return await waiting.placed.promise
  }

  async #gathers(): Promise<boolean> {
    if (this.#options.arrays === false || (this.#task.num_nodes ?? 1) > 1) return false
    const { capabilities } = await this.#targetView()
    return capabilities.arrays !== 'none'
  }

  /** Makes one job of calls of one group. What fails, fails for all of them; `run` says what that is. */
  async #submit(items: readonly Waiting[]): Promise<void> {
    // Elements in the order of the map, however they arrived.
    const inOrder = items.toSorted((a, b) => LOC_ORDER.compare(a.call.loc, b.call.loc))
    const wanted = inOrder.filter(({ io, placed }) => {
      if (io.signal.aborted) placed.resolve({ outcome: 'cancelled' })
      return !io.signal.aborted
    })
    const [first] = wanted
    if (first === undefined) return
    try {
      const calls = wanted.map(({ call }) => call)
      const sight = await this.#sight(first.call.root)
      const key = await this.#keyOf(calls)
      const name = jobNameOf(first.call, key)
      const record = (call: WorkerCall, index: number, job: string | null): JobRecord => ({
        attempt: call.attempt,
        key,
        name,
        job,
        element: calls.length > 1 ? index : null,
        files: sight,
        ended: false,
      })
      // On record before anything is asked for, so that whoever comes after finds the job by its name.
      await Promise.all(calls.map((call, index) => this.#writes.take(() => writeJobRecord(call.directory, record(call, index, null)))))
      const jobId = await this.#submitJob(calls, key, sight)
      await Promise.all(calls.map((call, index) => this.#writes.take(() => this.#write(call, record(call, index, jobId)))))
      for (const [index, { placed }] of wanted.entries()) placed.resolve({ jobId, element: calls.length > 1 ? index : null, sight })
    } catch (error) {
      for (const { placed } of wanted) placed.reject(error)
    }
  }

  /** Of one call whose record has a key that made no job yet: that key. */
  async #keyOf(calls: readonly WorkerCall[]): Promise<string> {
    const [first] = calls
    const known = calls.length === 1 && first !== undefined ? await readJobRecord(first.directory) : undefined
    if (known !== undefined && known.element === null && !known.ended && known.attempt === first?.attempt) return known.key
    const names = calls.map(({ runId, loc, attempt }) => `${runId}/${loc}/${attempt}`)
    const what = calls.length === 1 ? names[0] : `${names[0]}+${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16)}`
    return `workflow:${what}:${crypto.randomUUID()}`
  }

  async #submitJob(calls: readonly WorkerCall[], key: string, sight: FileSight): Promise<string> {
    const [first] = calls
    if (first === undefined) throw new DroverError('internal', 'a job of no calls', { level: 'internal' })
    const worker = await this.#worker(first.worker)
    const stage = sight === 'staged' ? stageDirectory(first) : undefined
    const { target, maxElements } = this.#options
    try {
      const beside = { otherRanks: this.#writing === 'first_rank', variables: worker.variables === true }
      if (stage !== undefined) await buildStage(calls, stage, beside)
      else await Promise.all(calls.map((call) => this.#writes.take(() => writeBeside(call.root, call, call.args, beside))))
      const file = this.#define(
        compileJobDocument({
          ...{ calls, key, target, task: this.#task, worker, sight, writing: this.#writing },
          ...(stage === undefined ? {} : { stage }),
          ...(maxElements === undefined ? {} : { maxElements }),
        }),
      )
      const [job] = await this.#patiently(() => this.#options.drover.submit(file, { ...this.#client(), key }))
      if (job === undefined) throw new DroverError('internal', 'the supervisor took the task and named no job', { level: 'internal' })
      return job.id
    } finally {
      // What was packaged lies in a bundle.
      if (stage !== undefined) await rm(stage, { recursive: true, force: true })
    }
  }

  // ── from a job to the call's end ───────────────────────────────────────────────────────────────────────────────

  async #await(call: WorkerCall, { jobId, element, sight }: Placed, io: CallIo, known?: JobRecord): Promise<WorkerEnd> {
    const gaveUp = Promise.withResolvers<undefined>()
    let patience: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      patience = setTimeout(() => gaveUp.resolve(undefined), CANCEL_PATIENCE_MS)
      // Where the request can't be made the call is waited for all the same, as long as the patience lasts.
      this.#cancels.ask(jobId, element).catch(() => undefined)
    }
    if (io.signal.aborted) onAbort()
    else io.signal.addEventListener('abort', onAbort, { once: true })
    try {
      const watched = element === null ? this.#watch.ended(jobId) : this.#watch.elementEnded(jobId, element)
      const ending = await Promise.race([watched, gaveUp.promise])
      if (ending === undefined || io.signal.aborted) return { outcome: 'cancelled' }
      const bring = sight === 'staged' && known?.ended !== true ? () => this.#returns.bring(jobId, call) : undefined
      const end = await describeJobEnd(call, { jobId, element, ending, drover: this.#options.drover, signal: this.#closing.signal }, bring)
      const record = known ?? (await readJobRecord(call.directory))
      if (record !== undefined) await this.#write(call, { ...record, job: jobId, ended: true })
      return end
    } finally {
      clearTimeout(patience)
      io.signal.removeEventListener('abort', onAbort)
    }
  }

  /** A record that can't be written any more is no reason to lose a call that runs: its job is found by name. */
  async #write(call: WorkerCall, record: JobRecord): Promise<void> {
    await writeJobRecord(call.directory, record).catch(() => undefined)
  }

  /** The end of a call that could not be made a job, or whose job can't be asked for any more. */
  async #failure(call: WorkerCall, error: unknown): Promise<WorkerEnd> {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
    if (error instanceof DroverError && error.code === 'supervisor_unreachable')
      return {
        outcome: 'failed',
        cause: 'lost',
        message: `${call.worker}.${call.task}: whether its job runs is not known, the supervisor could not be reached: ${error.display}`,
      }
    if (error instanceof DroverError && error.level !== 'internal') return failedToStart(call, error.display, error.transient)
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code))
      return failedToStart(call, error.message)
    throw error
  }

  // ── what is known of the target and its workers ────────────────────────────────────────────────────────────────

  #client(): { readonly clientDirectory: string } {
    return { clientDirectory: this.#options.clientDirectory ?? process.cwd() }
  }

  #define(document: Parameters<typeof defineTask>[0]): ReturnType<typeof defineTask> {
    const { environment } = this.#options
    return defineTask(document, { baseDirectory: this.#client().clientDirectory, ...(environment === undefined ? {} : { environment }) })
  }

  #targetView(): Promise<TargetView> {
    this.#target ??= this.#patiently(async () => {
      const { drover, target } = this.#options
      const look = async (): Promise<readonly TargetView[]> => await drover.targets(this.#client())
      let all = await look()
      if (all.find(({ name }) => name === target)?.site === null) {
        // Nobody has asked it yet for what it is; a plan does.
        await drover.plan(this.#define({ name: 'look', target, run: 'true' }), this.#client())
        all = await look()
      }
      const view = all.find(({ name }) => name === target)
      if (view !== undefined) return view
      throw new DroverError('unknown_target', `there is no target "${this.#options.target}"`, {
        level: 'config',
        hint: `There are: ${all.map(({ name }) => name).join(', ')}.`,
      })
    })
    this.#target.catch(() => {
      this.#target = undefined
    })
    return this.#target
  }

  #sight(root: string): Promise<FileSight> {
    const { files = 'auto' } = this.#options
    if (files !== 'auto') return Promise.resolve(files)
    let sight = this.#sights.get(root)
    if (sight === undefined) {
      sight = this.#targetView().then((view) => fileSightOf(view, root))
      sight.catch(() => this.#sights.delete(root))
      this.#sights.set(root, sight)
    }
    return sight
  }

  #worker(worker: string): Promise<FoundWorker> {
    let found = this.#workers.get(worker)
    if (found === undefined) {
      const { registry, command } = this.#options
      found = findWorkerCommand(registry, worker).then((by) => (command === undefined ? by : { ...by, command }))
      this.#workers.set(worker, found)
    }
    return found
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing
    const until = performance.now() + this.#patienceMs
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        return await this.#requests.take(work)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof DroverError && error.transient) || performance.now() > until) throw error
      }
      await sleep(pauseMs, undefined, { signal })
    }
  }
}

/** Short requests take turns, so that a thousand ends at one moment are not a thousand connections. Streams do not. */
function limited(drover: Drover, turns: Turns): Pick<Drover, 'get' | 'cancel' | 'events' | 'elements'> {
  return {
    get: (selector) => turns.take(() => drover.get(selector)),
    cancel: (selector, options) => turns.take(() => drover.cancel(selector, options)),
    events: (query) => drover.events(query),
    elements: (selector, query) => drover.elements(selector, query),
  }
}

function failedToStart(call: Pick<WorkerCall, 'worker' | 'task'>, why: string, transient = false): WorkerEnd {
  const message = `cannot start ${call.worker}.${call.task}: ${why}`
  return { outcome: 'failed', cause: 'start', message, ...(transient ? { transient } : {}) }
}

/** A call that no run has, for a plan. */
function specimen(worker: string): WorkerCall {
  const [runId, loc] = ['run', '-.N0']
  const directory = `${runId}/${loc}`
  return {
    ...{ runId, loc, worker, task: 'task', attempt: 1, root: '/checkpoints', directory: `/checkpoints/${directory}` },
    argsPath: `${directory}/definition`,
    args: callArgsOf({ runId, directory, task: 'task', inputs: new Map(), outputs: [] }),
  }
}
