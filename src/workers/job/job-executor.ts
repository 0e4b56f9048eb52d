import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../../errors.ts'
import { callArgsOf } from '../../workflow/calls/call-args.ts'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { clearMarks } from '../process/call-directory.ts'
import { failedToStart } from '../process/call-end.ts'
import { CallJobs, type CallJobsOptions, type CallPlace } from './call-jobs.ts'
import { describeJobEnd } from './call-outcome.ts'
import { JobCancels } from './job-cancels.ts'
import { type JobRecord, readJobRecord, updateJobRecord } from './job-record.ts'
import { JobTarget, type JobTargetOptions } from './job-target.ts'
import { JobWatch } from './job-watch.ts'
import { StagedReturn } from './staged-return.ts'
import { SupervisorRequests } from './supervisor-requests.ts'
import { refuseWorkerName } from './worker-command.ts'

/** What `createJobExecutor` takes. */
export interface JobExecutorOptions extends JobTargetOptions, CallJobsOptions {
  /** Most calls at one time. Default 10,000. */
  readonly maxParallel?: number
  /** How long a supervisor or node that can't be reached is tried again, ms. Default 15 minutes. */
  readonly patienceMs?: number
}

const MAX_PARALLEL = 10_000
const PATIENCE_MS = 900_000
/** How long a cancelled call is waited for, ms; Drover has the request on record and ends the job when it can. */
const CANCEL_PATIENCE_MS = 60_000
/** A submission that a dying controller sent can be carried out this much later, ms; then its job can be found by name. */
const LATE_SUBMIT_MS = 3_000

/** Runs calls of workers as jobs of a target. Throws InputError for a task key it does not take. */
export function createJobExecutor(options: JobExecutorOptions): FileExecutor {
  return new JobExecutor(options)
}

/** A call from its start, or from the record that an earlier controller left, to its end. */
class JobExecutor implements FileExecutor {
  readonly kind = 'job'
  readonly maxParallel: number
  readonly #options: JobExecutorOptions
  readonly #closing = new AbortController()
  readonly #requests: SupervisorRequests
  readonly #jobs: CallJobs
  readonly #watch: JobWatch
  readonly #cancels: JobCancels
  readonly #returns: StagedReturn

  constructor(options: JobExecutorOptions) {
    const { drover, maxParallel = MAX_PARALLEL, patienceMs = PATIENCE_MS } = options
    const { signal } = this.#closing
    this.#options = options
    this.maxParallel = maxParallel
    this.#requests = new SupervisorRequests(drover, patienceMs, signal)
    this.#jobs = new CallJobs(options, maxParallel, new JobTarget(options, this.#requests))
    this.#watch = new JobWatch({ drover: this.#requests.inTurn, patienceMs })
    this.#cancels = new JobCancels(this.#requests.inTurn)
    this.#returns = new StagedReturn(drover, patienceMs, signal)
  }

  async check(worker: string, _tasks: readonly CheckedTask[]): Promise<string | undefined> {
    const refused = refuseWorkerName(worker)
    if (refused !== undefined) return refused
    try {
      await this.#jobs.plan(specimen(worker), this.#options.files === 'staged' ? 'staged' : 'shared')
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
      const place = await this.#jobs.place(call, io)
      return place === undefined ? { outcome: 'cancelled' } : await this.#await(call, place, io)
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
    this.#jobs.close(this.#closing.signal.reason)
    this.#watch.close()
  }

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
    const [job] = await this.#requests.patiently((drover) => drover.list({ name, limit: 1 }))
    return job?.id
  }

  async #exists(jobId: string): Promise<boolean> {
    return await this.#requests.patiently(async (drover) => {
      try {
        await drover.get(jobId)
        return true
      } catch (error) {
        if (error instanceof DroverError && error.code === 'unknown_job') return false
        throw error
      }
    })
  }

  async #await(call: WorkerCall, { jobId, element, sight }: CallPlace, io: CallIo, known?: JobRecord): Promise<WorkerEnd> {
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
      if (record !== undefined) await updateJobRecord(call.directory, { ...record, job: jobId, ended: true })
      return end
    } finally {
      clearTimeout(patience)
      io.signal.removeEventListener('abort', onAbort)
    }
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
