import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { CallIo, CheckedTask, ValueCall, ValueExecutor } from '../../workflow/calls/worker-call.ts'
import type { Value } from '../../workflow/values/value.ts'
import type { MemoryTask, MemoryWorker } from '../sdk/memory-worker.ts'
import { findLauncher } from '../shell/find-launcher.ts'

/** What `createMemoryExecutor` takes. */
export interface MemoryExecutorOptions {
  /** Workers written in TypeScript: `worker('math').task(…).inMemory()`. */
  readonly workers: readonly MemoryWorker[]
  /** Folders of external workers, only to say which executor could run one. */
  readonly registries?: readonly string[]
  /** Calls at one time. Default 1: tasks share this process's one thread; more is for tasks that wait. */
  readonly maxParallel?: number
}

/** Runs TypeScript tasks in this process, values in memory. Throws InputError `invalid_argument` when two workers have one name. */
export function createMemoryExecutor(options: MemoryExecutorOptions): ValueExecutor {
  const workers = new Map(options.workers.map((worker) => [worker.name, worker]))
  const twice = options.workers.find((worker) => workers.get(worker.name) !== worker)
  if (twice !== undefined) throw new InputError('invalid_argument', `two workers in memory have the name "${twice.name}"`)
  const find = (worker: string, task: string): MemoryTask | undefined => workers.get(worker)?.tasks.get(task)
  return {
    kind: 'memory',
    maxParallel: options.maxParallel ?? 1,
    async check(worker, tasks) {
      const known = workers.get(worker)
      if (known === undefined) return unknownWorker(worker, [...workers.keys()], options.registries ?? [])
      for (const task of tasks) {
        const refused = refuseTask(known, task)
        if (refused !== undefined) return refused
      }
      return undefined
    },
    async invoke(call: ValueCall, io: CallIo): Promise<ReadonlyMap<string, Value>> {
      const task = find(call.worker, call.task)
      if (task === undefined) throw new InputError('invalid_argument', `${call.worker}.${call.task} is no task in memory`)
      return task.run({ inputs: call.inputs, signal: io.signal })
    },
    async close() {},
  }
}

function refuseTask(worker: MemoryWorker, asked: CheckedTask): string | undefined {
  const task = worker.tasks.get(asked.task)
  if (task === undefined) {
    const nearest = nearestName(asked.task, worker.tasks.keys())
    const hint = nearest === undefined ? `It has: ${[...worker.tasks.keys()].join(', ') || 'none'}.` : `Did you mean "${nearest}"?`
    return `worker "${worker.name}" has no task "${asked.task}". ${hint}`
  }
  const input = asked.inputs.find((port) => !task.inputs.includes(port))
  if (input !== undefined) return `${worker.name}.${asked.task} has no input "${input}". It has: ${task.inputs.join(', ') || 'none'}.`
  const { outputs } = task
  const output = outputs === undefined ? undefined : asked.outputs.find((port) => !outputs.includes(port))
  return output === undefined ? undefined : `${worker.name}.${asked.task} has no output "${output}". It has: ${(outputs ?? []).join(', ')}.`
}

function unknownWorker(worker: string, known: readonly string[], registries: readonly string[]): string {
  const nearest = nearestName(worker, known)
  const start = `worker "${worker}" is no TypeScript worker of this run`
  const folder = registries.map((registry) => join(registry, worker)).find((path) => existsSync(path))
  const inner = folder === undefined ? [] : [folder, join(folder, `tkr_${worker.replaceAll('-', '_')}_impl`), join(folder, 'src')]
  if (inner.some((path) => ['main.py', 'pyproject.toml'].some((name) => existsSync(join(path, name))))) {
    return `${start}: it is a Python worker in ${folder}. Assign it to a uv executor.`
  }
  const launcher = findLauncher(worker, { registries, searchPath: process.env['PATH'] ?? '' })
  // A bare name on PATH, like /usr/bin/test, is hardly meant.
  const meant = 'path' in launcher && (folder !== undefined || basename(launcher.path).startsWith('tkr'))
  if (meant) return `${start}: it is the program ${launcher.path}. Assign it to a shell executor.`
  return `${start}. ${nearest === undefined ? `There are: ${known.join(', ') || 'none'}.` : `Did you mean "${nearest}"?`}`
}
