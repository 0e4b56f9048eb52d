import { DroverError } from '../../errors.ts'
import type { Drover, Job, TargetView } from '../../jobs/drover.ts'
import { defineTask } from '../../task/define-task.ts'
import type { TaskInput } from '../../task/task-input.ts'
import { type FileSight, fileSightOf } from './file-sight.ts'
import type { WorkerCommand } from './job-script.ts'
import type { SupervisorRequests } from './supervisor-requests.ts'
import { type FoundWorker, findWorkerCommand } from './worker-command.ts'

/** Where calls run, and what is there. */
export interface JobTargetOptions {
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
  /** Whether the target's jobs see the run's directory. Default `auto`: see `fileSightOf`. */
  readonly files?: FileSight | 'auto'
  /** Directory of the client: its project's configuration counts, and relative paths in `task` start there. Default: the process's. */
  readonly clientDirectory?: string
  /** Where secrets of `task` without a value come from. Default: the process's own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** The target of an executor of jobs, its workers, and what it sees of a run's files. Each is found out once, when it is first asked. */
export class JobTarget {
  readonly #options: JobTargetOptions
  readonly #requests: SupervisorRequests
  readonly #workers = new Map<string, Promise<FoundWorker>>()
  readonly #sights = new Map<string, Promise<FileSight>>()
  #view: Promise<TargetView> | undefined

  constructor(options: JobTargetOptions, requests: SupervisorRequests) {
    this.#options = options
    this.#requests = requests
  }

  /** Throws where the task could not run there. Not tried again: a person waits for it. */
  async plan(document: TaskInput): Promise<void> {
    await this.#options.drover.plan(this.#define(document), this.#client())
  }

  /** Makes the job; sent again with the same key it makes no second one. */
  async submit(document: TaskInput, key: string): Promise<Job> {
    const file = this.#define(document)
    const [job] = await this.#requests.patiently((drover) => drover.submit(file, { ...this.#client(), key }))
    if (job === undefined) throw new DroverError('internal', 'the supervisor took the task and named no job', { level: 'internal' })
    return job
  }

  /** Throws DroverError `unknown_target`. */
  view(): Promise<TargetView> {
    this.#view ??= this.#look()
    this.#view.catch(() => {
      this.#view = undefined
    })
    return this.#view
  }

  /** Whether its jobs see the checkpoints directory `root`. */
  sight(root: string): Promise<FileSight> {
    const { files = 'auto' } = this.#options
    if (files !== 'auto') return Promise.resolve(files)
    let sight = this.#sights.get(root)
    if (sight === undefined) {
      sight = this.view().then((view) => fileSightOf(view, root))
      sight.catch(() => this.#sights.delete(root))
      this.#sights.set(root, sight)
    }
    return sight
  }

  /** How a worker is called; rejects as `findWorkerCommand`. */
  worker(name: string): Promise<FoundWorker> {
    let found = this.#workers.get(name)
    if (found === undefined) {
      const { registry, command } = this.#options
      found = findWorkerCommand(registry, name).then((by) => (command === undefined ? by : { ...by, command }))
      this.#workers.set(name, found)
    }
    return found
  }

  async #look(): Promise<TargetView> {
    return await this.#requests.patiently(async (drover) => {
      const { target } = this.#options
      let all = await drover.targets(this.#client())
      if (all.find(({ name }) => name === target)?.site === null) {
        // Nobody has asked it yet for what it is; a plan does.
        await this.plan({ name: 'look', target, run: 'true' })
        all = await drover.targets(this.#client())
      }
      const view = all.find(({ name }) => name === target)
      if (view !== undefined) return view
      throw new DroverError('unknown_target', `there is no target "${target}"`, {
        level: 'config',
        hint: `There are: ${all.map(({ name }) => name).join(', ')}.`,
      })
    })
  }

  #client(): { readonly clientDirectory: string } {
    return { clientDirectory: this.#options.clientDirectory ?? process.cwd() }
  }

  #define(document: TaskInput): ReturnType<typeof defineTask> {
    const { environment } = this.#options
    return defineTask(document, { baseDirectory: this.#client().clientDirectory, ...(environment === undefined ? {} : { environment }) })
  }
}
