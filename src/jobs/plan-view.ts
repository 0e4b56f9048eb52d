import type { Plan, ResolvedTask } from '../executors/executor.ts'
import type { TaskSpec } from '../task/task-spec.ts'
import type { PlanView } from './drover.ts'

/** The printable form of a plan. */
export function planView(plan: Plan, task: ResolvedTask, spec: TaskSpec): PlanView {
  return {
    name: task.name,
    target: plan.target,
    kind: plan.kind,
    keys: plan.keys,
    warnings: plan.warnings,
    places: plan.places.map((place) => ({
      node: place.node,
      attempt_dir: place.attemptDir,
      ranks: place.ranks,
      command: place.command,
      files: place.files.map((file) => ({ path: file.path, mode: file.mode.toString(8).padStart(4, '0'), content: file.content })),
      env: place.env,
    })),
    secret_names: plan.secretNames,
    prologue: task.definition?.prologue ?? null,
    demand: { cpus: plan.demand.cpus, memory_bytes: plan.demand.memoryBytes, gpus: plan.demand.gpus },
    after: spec.after.map(({ task: name, condition }) => ({ task: name, condition })),
    native: plan.refs,
  }
}
