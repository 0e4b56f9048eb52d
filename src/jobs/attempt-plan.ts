import { dealPositions } from '../executors/deal-positions.ts'
import type { AttemptPlace, NodeShare, Plan, PlanFor, ResolvedTask } from '../executors/executor.ts'

/** A place as it is kept: all but the texts of its files, which lie there. */
export interface KeptPlace extends AttemptPlace {
  readonly workDirs: readonly string[]
}

/** What the store keeps of a plan. */
export interface AttemptPlan {
  readonly version: 2
  readonly places: readonly KeptPlace[]
  readonly ranks: Plan['ranks']
  readonly elements: readonly number[]
  readonly width: number
  readonly demand: Plan['demand']
  readonly gpus: readonly number[]
  /** On a target of several machines. */
  readonly shares?: readonly NodeShare[]
  readonly graceMs: number
  readonly hasSetup: boolean
  /** The scheduler started it again: its restart count, and the attempt that was submitted. */
  readonly requeued?: { readonly restart: number; readonly submittedAs: number }
}

/** The kept part of a plan. */
export function attemptPlan(plan: Plan, task: ResolvedTask, gpus: readonly number[], shares?: readonly NodeShare[]): AttemptPlan {
  return {
    version: 2,
    places: plan.places.map(({ node, attemptDir, ranks, slots, workDirs, tasks }) => ({
      node,
      attemptDir,
      ranks,
      slots,
      workDirs,
      ...(tasks === undefined ? {} : { tasks }),
    })),
    ranks: plan.ranks,
    elements: plan.elements,
    width: plan.width,
    demand: plan.demand,
    gpus,
    ...(shares ? { shares } : {}),
    graceMs: plan.graceMs,
    hasSetup: task.setup !== undefined,
  }
}

/** Reads the kept form back; undefined for an attempt that was never planned, or by a version that is not known. */
export function readAttemptPlan(text: string | undefined): AttemptPlan | undefined {
  if (text === undefined) return undefined
  const plan = JSON.parse(text) as AttemptPlan
  return plan.version === 2 ? plan : undefined
}

/** At which place each element runs; undefined where there is one place. */
export function placesOfElements({ places, elements, shares }: AttemptPlan): ReadonlyMap<number, number> | undefined {
  if (places.length < 2 || shares === undefined) return undefined
  const dealt = dealPositions(
    elements,
    shares.map((share) => share.width),
  )
  return new Map(dealt.flatMap((positions, place) => positions.map((position) => [position, place] as const)))
}

/** What the attempt was given, for planning it again. */
export function grantedTo({ gpus, shares }: AttemptPlan): Pick<PlanFor, 'assignedGpus' | 'shares'> {
  return { assignedGpus: gpus, ...(shares ? { shares } : {}) }
}

/** Work directories by rank, each with its node. */
export function workDirsOf(plan: AttemptPlan): readonly { readonly node: string; readonly directory: string }[] {
  return plan.places.flatMap(({ node, workDirs }) => workDirs.map((directory) => ({ node, directory })))
}
