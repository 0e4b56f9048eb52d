import type { ResolvedTask } from '../executors/executor.ts'
import { taskOptions } from '../executors/task-options.ts'

/** True where the scheduler may start an attempt again by itself; switched on by the option `scheduler_requeue`. */
export function mayRequeue({ definition, spec }: ResolvedTask): boolean {
  return { ...definition?.options, ...taskOptions(spec, definition?.kind ?? '') }['scheduler_requeue'] === true
}
