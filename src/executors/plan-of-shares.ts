import type { NodeShare, Plan, PlanFor, PlanPlace, ResolvedTask } from './executor.ts'
import { keyOutcomes } from './key-outcomes.ts'

/** The own part of a plan whose ranks were given shares of nodes. */
export interface ShareRefs {
  /** Nodes in order of rank, each with its devices. */
  readonly nodes: readonly { readonly node: string; readonly gpus: readonly number[] }[]
}

/** The frozen plan of places that lie where Drover's slots gave a job room. */
export function planOfShares(
  kind: string,
  task: ResolvedTask,
  as: PlanFor,
  places: readonly PlanPlace[],
  shares: readonly NodeShare[],
  positions: readonly number[],
): Plan<ShareRefs> {
  const width = task.array ? places.reduce((sum, place) => sum + place.slots, 0) : 1
  const demandOf = (each: number): number => each * (task.array ? width : shares.length)
  const plan: Plan<ShareRefs> = {
    version: 1,
    kind,
    target: task.target,
    jobId: as.jobId,
    attempt: as.attempt,
    places,
    ...(task.code === undefined ? {} : { code: task.code }),
    mounts: task.mounts,
    ...(task.bundlesFrom === undefined ? {} : { bundlesFrom: task.bundlesFrom }),
    secretNames: task.secretNames,
    ranks: shares.map(({ node }, rank) => ({ rank, node })),
    elements: positions,
    width,
    demand: { cpus: demandOf(task.perNode.cpus), memoryBytes: demandOf(task.perNode.memoryBytes ?? 0), gpus: demandOf(task.perNode.gpus) },
    graceMs: task.graceMs,
    keys: keyOutcomes(task, places[0]?.attemptDir ?? '', width, shares.map(({ node }) => node).join(', ')),
    warnings: [],
    refs: { nodes: shares.map(({ node, gpus }) => ({ node, gpus })) },
  }
  return Object.freeze(plan)
}
