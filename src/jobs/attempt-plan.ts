import type { Plan, ResolvedTask } from '../executors/executor.ts'

/** What the store keeps of a plan: all but the texts of its files, which lie in the attempt directory. */
export interface AttemptPlan {
  readonly version: 1
  readonly attemptDir: string
  readonly workDirs: readonly string[]
  readonly ranks: Plan['ranks']
  readonly elements: readonly number[]
  readonly width: number
  readonly demand: Plan['demand']
  readonly gpus: readonly number[]
  readonly graceMs: number
  readonly hasSetup: boolean
}

/** The kept part of a plan. */
export function attemptPlan(plan: Plan, task: ResolvedTask, gpus: readonly number[]): AttemptPlan {
  return {
    version: 1,
    attemptDir: plan.attemptDir,
    workDirs: plan.workDirs,
    ranks: plan.ranks,
    elements: plan.elements,
    width: plan.width,
    demand: plan.demand,
    gpus,
    graceMs: plan.graceMs,
    hasSetup: task.setup !== undefined,
  }
}

/** Reads the kept form back; undefined for an attempt that was never planned. */
export function readAttemptPlan(text: string | undefined): AttemptPlan | undefined {
  if (text === undefined) return undefined
  const plan = JSON.parse(text) as AttemptPlan
  return plan.version === 1 ? plan : undefined
}
