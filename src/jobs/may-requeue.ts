import type { ResolvedTask } from '../executors/executor.ts'

/** True where the scheduler may start an attempt again by itself; switched on by the option `scheduler_requeue`. */
export function mayRequeue({ definition, spec }: ResolvedTask): boolean {
  return { ...definition?.options, ...spec.options }['scheduler_requeue'] === true
}
