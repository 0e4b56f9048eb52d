import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { LocalTask } from '../../workflow/builder/local-task.ts'
import type { ExecutorSet, ValueExecutor, WorkerExecutor } from '../../workflow/calls/worker-call.ts'
import { createShellExecutor } from '../shell/shell-executor.ts'
import { createUvExecutor } from '../uv/uv-executor.ts'
import { lazyExecutor } from './lazy-executor.ts'

/** What `createDefaultExecutors` takes. */
export interface DefaultExecutorsOptions {
  /** Folders of worker folders, absolute. */
  readonly registries: readonly string[]
  /** Most calls at one time of each executor. Default: the number of cores. */
  readonly maxParallel?: number
  /** False: one interpreter per call. Default true. */
  readonly warm?: boolean
  /** Told once why a worker can't be kept warm. Default: nobody. */
  readonly onNote?: (note: string) => void
}

/**
 * The executors of a run for which nobody named any: `uv` for workers whose folder holds a `main.py`, `shell` for all others
 * (a script of the registry, or `tkr-<worker>` on PATH).
 */
export function createDefaultExecutors(options: DefaultExecutorsOptions): ExecutorSet {
  const { registries, warm, onNote } = options
  const most = options.maxParallel ?? availableParallelism()
  const executors = new Map<string, WorkerExecutor>([
    [
      'uv',
      lazyExecutor('uv', most, () =>
        createUvExecutor({
          registries,
          maxParallel: most,
          ...(warm === undefined ? {} : { warm }),
          ...(onNote === undefined ? {} : { onNote }),
        }),
      ),
    ],
    ['shell', lazyExecutor('shell', most, () => createShellExecutor({ registries, maxParallel: most }))],
  ])
  const known = new Map<string, string>()
  return {
    executors,
    assign(worker) {
      const executor = known.get(worker) ?? (isPythonWorker(worker, registries) ? 'uv' : 'shell')
      known.set(worker, executor)
      return executor
    },
  }
}

/** As `findWorker` of the uv executor looks for it. */
function isPythonWorker(worker: string, registries: readonly string[]): boolean {
  const places = ['main.py', `tkr_${worker}_impl/main.py`, `tkr_${worker.replaceAll('-', '_')}_impl/main.py`, 'src/main.py']
  return registries.some((registry) => places.some((place) => existsSync(join(registry, worker, place))))
}

/** A set that also runs the local functions of a workflow, in this process. */
export function withLocalTasks(set: ExecutorSet, tasks: ReadonlyMap<string, LocalTask>): ExecutorSet {
  if (tasks.size === 0) return set
  const local: ValueExecutor = {
    kind: 'local',
    maxParallel: LOCAL_PARALLEL,
    check: async (worker, asked) => {
      const missing = asked.find(({ task }) => !tasks.has(`${worker}.${task}`))
      return missing && `the workflow has no local task "${missing.task}"; it has: ${[...tasks.keys()].join(', ')}`
    },
    invoke: async (call, io) => {
      const task = tasks.get(`${call.worker}.${call.task}`)
      if (task === undefined) throw new Error(`the workflow has no local task "${call.task}"`)
      return await task.invoke(call.inputs, io.signal)
    },
    close: async () => {},
  }
  return {
    executors: new Map<string, WorkerExecutor>([...set.executors, ['local', local]]),
    assign: (worker, task, loc) => (tasks.has(`${worker}.${task}`) ? 'local' : set.assign(worker, task, loc)),
  }
}

/** Functions that wait for something outside go on side by side. */
const LOCAL_PARALLEL = 100
