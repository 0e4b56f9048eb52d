import { InputError } from '../errors.ts'
import type { ClientOptions, Drover, Job, JobEvent, LogChunk, LogQuery, SubmitOptions } from '../jobs/drover.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { type OpenDroverOptions, openDrover as open } from './open-drover.ts'

/** A submitted job: its facts at submission, and ways to follow it. */
export interface JobHandle {
  readonly id: string
  readonly name: string
  /** The job as it is now. */
  current(): Promise<Job>
  /** Resolves once the job is settled; never throws because it failed: look at `state`, `cause`, `exit_code`. */
  result(options?: { readonly signal?: AbortSignal }): Promise<Job>
  logs(query?: LogQuery): AsyncIterable<LogChunk>
  /** From the job's first event on; ends when it is settled. */
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<JobEvent>
  cancel(): Promise<Job>
}

/** What `openDrover` gives: everything the command line can do. */
export interface DroverLibrary extends Drover {
  /** Submits a file of one task. Throws `invalid_argument` for a file of several (use `submit`). */
  run(file: TaskFile, options?: SubmitOptions): Promise<JobHandle>
  /** A handle of an earlier job, by id, unique prefix, name or `last`. */
  job(selector: string): Promise<JobHandle>
}

function createHandle(drover: Drover, job: Job): JobHandle {
  const { id, name } = job
  return {
    id,
    name,
    current: () => drover.get(id),
    result: (options = {}) => drover.wait(id, options),
    logs: (query) => drover.logs(id, query),
    events: (options = {}) => drover.events({ ...options, jobs: [id], after: 0 }),
    cancel: () => drover.cancel(id),
  }
}

/** Opens Drover as a library; `close` (or `await using`) ends what it holds. Jobs run on. */
export async function openDrover(options: OpenDroverOptions = {}): Promise<DroverLibrary> {
  const drover = await open(options)
  // A program's project is where it runs, as a command's is.
  const here = (): ClientOptions => ({ clientDirectory: process.cwd() })
  const own = {
    submit: (file: TaskFile, options: SubmitOptions = {}) => drover.submit(file, { ...here(), ...options }),
    plan: (file: TaskFile, options: ClientOptions = {}) => drover.plan(file, { ...here(), ...options }),
    targets: (options: ClientOptions = {}) => drover.targets({ ...here(), ...options }),
    checkTarget: (name: string, options: ClientOptions = {}) => drover.checkTarget(name, { ...here(), ...options }),
    async run(file: TaskFile, submitOptions: SubmitOptions = {}): Promise<JobHandle> {
      if (file.tasks.length !== 1)
        throw new InputError('invalid_argument', `run takes one task, and the file has ${file.tasks.length}`, {
          hint: 'Use submit for several.',
        })
      const [job] = await own.submit(file, submitOptions)
      if (job === undefined) throw new InputError('internal', 'the supervisor accepted the task and named no job')
      return createHandle(drover, job)
    },
    job: async (selector: string): Promise<JobHandle> => createHandle(drover, await drover.get(selector)),
  }
  return new Proxy(drover, {
    get(target, key) {
      if (typeof key === 'string' && Object.hasOwn(own, key)) return Reflect.get(own, key)
      if (key === Symbol.asyncDispose) return () => target.close()
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as DroverLibrary
}
