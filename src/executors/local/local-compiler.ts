import { masterPortOf } from '../../launchers/master-port.ts'
import { arrayPositions } from '../array-positions.ts'
import { compilePlace, dealDevices } from '../compile-place.ts'
import type { Plan, ResolvedTask, SiteFacts } from '../executor.ts'
import { keyOutcomes } from '../key-outcomes.ts'
import { workDirOf } from '../work-dir.ts'

/** The local executor's own part of a plan. */
export interface LocalRefs {
  /** Device indices given to the job, by rank; for an array by slot. */
  readonly gpus: readonly (readonly number[])[]
}

const LOOPBACK = '127.0.0.1'

/** Compiles a task for this machine: one place, whose driver starts all ranks (see `compilePlace`). */
export function compileLocal(
  task: ResolvedTask,
  site: SiteFacts,
  as: { readonly jobId: string; readonly attempt: number; readonly assignedGpus?: readonly number[] },
): Plan<LocalRefs> {
  const attemptDir = `${site.root}/jobs/${as.jobId}/${as.attempt}`
  const { code, perNode } = task
  const ranks = Array.from({ length: task.numNodes }, (_, rank) => ({
    rank,
    node: site.hostname,
    ip: LOOPBACK,
    workDir: workDirOf(task, site.root, as.jobId, rank),
  }))
  const positions = arrayPositions(task)
  const width = task.array ? Math.max(1, Math.min(task.array.width, positions.length)) : 1
  const gpus = dealDevices(as.assignedGpus ?? [], perNode.gpus, task.array ? width : task.numNodes)
  const shares = task.array ? width : task.numNodes
  const plan: Plan<LocalRefs> = {
    version: 1,
    kind: 'local',
    target: task.target,
    jobId: as.jobId,
    attempt: as.attempt,
    places: [
      compilePlace({
        task,
        facts: site,
        jobId: as.jobId,
        attempt: as.attempt,
        kind: 'local',
        node: '',
        attemptDir,
        ranks,
        nodes: ranks.map(({ node, ip }) => ({ node, ip })),
        devices: gpus,
        positions,
        width,
        gate: false,
        ...(task.spec.launcher === undefined ? {} : { env: { DROVER_MASTER_PORT: String(masterPortOf(as.jobId, as.attempt)) } }),
      }),
    ],
    ...(code === undefined ? {} : { code }),
    mounts: task.mounts,
    secretNames: task.secretNames,
    ranks: ranks.map(({ rank, node }) => ({ rank, node })),
    elements: positions,
    width,
    demand: {
      cpus: Math.min(perNode.cpus * shares, site.cpus),
      memoryBytes: Math.min((perNode.memoryBytes ?? 0) * shares, site.memoryBytes),
      gpus: Math.min(perNode.gpus * shares, site.gpus.length),
    },
    graceMs: task.graceMs,
    keys: keyOutcomes(task, attemptDir, width, `${task.numNodes} node runner${task.numNodes === 1 ? '' : 's'} on this machine`),
    warnings:
      perNode.cpus * task.numNodes > site.cpus
        ? [`${task.numNodes} nodes of ${perNode.cpus} cores share the ${site.cpus} cores of this machine`]
        : [],
    refs: { gpus },
  }
  return Object.freeze(plan)
}
