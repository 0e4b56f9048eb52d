import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { ExecutorSet, WorkerExecutor } from '../../workflow/calls/worker-call.ts'
import { type Assignment, bestAssignment, isLocation } from './assignments.ts'

/** What `createExecutorSet` takes. */
export interface ExecutorSetOptions {
  /** Name of the executor of everything that is not assigned. */
  readonly default: string
  readonly executors: Readonly<Record<string, WorkerExecutor>>
  /** Executor's name by worker, pattern of `worker.task`, or location; see `bestAssignment` for which wins. */
  readonly assignments?: Readonly<Record<string, string>>
}

/**
 * Several executors for one run.
 * Throws InputError `invalid_argument` when the default, or an assignment, names an executor that isn't there.
 */
export function createExecutorSet(options: ExecutorSetOptions): ExecutorSet {
  const executors = new Map(Object.entries(options.executors))
  refuseUnknown('the default executor', options.default, executors)
  const assignments: Assignment[] = Object.entries(options.assignments ?? {}).map(([key, executor]) => ({ key, executor }))
  for (const { key, executor } of assignments) refuseUnknown(`"${key}" is assigned to`, executor, executors)
  const byPlace = assignments.some(({ key }) => isLocation(key))
  const known = new Map<string, string>()
  return {
    executors,
    assign(worker, task, loc) {
      if (byPlace && loc !== undefined) return bestAssignment(assignments, { worker, task, loc })?.executor ?? options.default
      // A name's executor is asked once per element of a map.
      const name = `${worker}\0${task}`
      const executor = known.get(name) ?? bestAssignment(assignments, { worker, task, loc: undefined })?.executor ?? options.default
      known.set(name, executor)
      return executor
    },
  }
}

/** One executor for a whole run, named after its kind. */
export function singleExecutor(executor: WorkerExecutor): ExecutorSet {
  return createExecutorSet({ default: executor.kind, executors: { [executor.kind]: executor } })
}

function refuseUnknown(what: string, name: string, executors: ReadonlyMap<string, WorkerExecutor>): void {
  if (executors.has(name)) return
  const nearest = nearestName(name, executors.keys())
  throw new InputError('invalid_argument', `${what} "${name}", and there is no executor of that name`, {
    hint: nearest === undefined ? `There are: ${[...executors.keys()].join(', ') || 'none'}.` : `Did you mean "${nearest}"?`,
  })
}
