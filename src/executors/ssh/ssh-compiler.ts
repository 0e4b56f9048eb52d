import { InputError } from '../../errors.ts'
import { masterPortOf } from '../../launchers/master-port.ts'
import { matchesGpu } from '../../targets/gpu-match.ts'
import { factsOf, type NodeFacts } from '../../targets/site-facts.ts'
import { arrayPositions } from '../array-positions.ts'
import { compilePlace, dealDevices } from '../compile-place.ts'
import { dealPositions } from '../deal-positions.ts'
import type { NodeShare, Plan, PlanFor, PlanPlace, ResolvedTask, SiteFacts } from '../executor.ts'
import { planOfShares, type ShareRefs } from '../plan-of-shares.ts'
import { workDirOf } from '../work-dir.ts'

/** Shares as a job of this size would get on an empty target: for a plan that is only shown. */
export function exampleShares(task: ResolvedTask, all: readonly NodeFacts[], positions: readonly number[]): readonly NodeShare[] {
  const { cpus, memoryBytes = 0, gpus } = task.perNode
  const devices = (facts: NodeFacts): readonly number[] =>
    facts.gpus.filter((gpu) => matchesGpu(gpu, task.perNode)).map(({ index }) => index)
  const share = (facts: NodeFacts, width: number): NodeShare => ({ node: facts.node, gpus: devices(facts).slice(0, gpus * width), width })
  const able = all.filter((facts) => facts.cpus >= cpus && facts.memoryBytes >= memoryBytes && devices(facts).length >= gpus)
  const nodes = able.length >= (task.array ? 1 : task.numNodes) ? able : all
  if (!task.array) return nodes.slice(0, task.numNodes).map((facts) => share(facts, 1))
  const width = Math.max(1, Math.min(task.array.width, positions.length))
  return nodes.slice(0, width).map((facts, index) => share(facts, Math.ceil((width - index) / nodes.length)))
}

/**
 * Compiles a task for machines reached by SSH: a place on each node, with a driver for its rank; for an array a driver for its
 * part of the elements.
 *
 * @throws InputError `unsupported` where the target has too few nodes
 */
export function compileSsh(task: ResolvedTask, site: SiteFacts, as: PlanFor): Plan<ShareRefs> {
  const all = site.nodes ?? []
  if (!task.array && task.numNodes > all.length)
    throw new InputError(
      'unsupported',
      `task ${task.name}: it asks for ${task.numNodes} nodes, and target "${task.target}" has ${all.length}`,
      {
        hint: 'Lower num_nodes, or add nodes to the target.',
      },
    )
  const positions = arrayPositions(task)
  const shares = as.shares ?? exampleShares(task, all, positions)
  const dealt = dealPositions(
    positions,
    shares.map((share) => share.width),
  )
  const nodes = shares.map((share) => {
    const facts = factsOf(site, share.node)
    return { facts, node: share.node, ip: 'ip' in facts ? facts.ip : facts.hostname }
  })
  const several = shares.length > 1
  const places = shares.map((share, rank): PlanPlace => {
    const { facts, ip } = nodes[rank] ?? { facts: site, ip: '' }
    const attemptDir = `${facts.root}/jobs/${as.jobId}/${as.attempt}${several ? `-${rank}` : ''}`
    const own = dealt[rank] ?? []
    const width = task.array ? Math.max(1, Math.min(share.width, own.length)) : 1
    // An element of an array is a job of one node, whichever place it has.
    const env = task.array && several ? { DROVER_NODE_RANK: '0', SKYPILOT_NODE_RANK: '0', SKYPILOT_SETUP_NODE_RANK: '0' } : {}
    return compilePlace({
      task,
      facts,
      jobId: as.jobId,
      attempt: as.attempt,
      kind: 'ssh',
      node: share.node,
      attemptDir,
      ranks: [
        {
          rank,
          node: share.node,
          ip,
          workDir: workDirOf(task, facts.root, as.jobId, rank),
          env,
        },
      ],
      // An element of an array is a job of one node.
      nodes: task.array ? [{ node: share.node, ip }] : nodes.map((each) => ({ node: each.node, ip: each.ip })),
      devices: dealDevices(share.gpus, task.perNode.gpus, task.array ? width : 1),
      positions: own,
      width,
      ...(task.spec.launcher === undefined ? {} : { env: { DROVER_MASTER_PORT: String(masterPortOf(as.jobId, as.attempt)) } }),
      // No node begins while another has no room.
      gate: several,
      lease: {
        directory: `${facts.root}/leases`,
        cpus: Math.min(task.perNode.cpus * width, facts.cpus),
        memoryBytes: Math.min((task.perNode.memoryBytes ?? 0) * width, facts.memoryBytes),
        gpus: share.gpus,
        limits: { cpus: facts.cpus, memoryBytes: facts.memoryBytes },
      },
    })
  })
  return planOfShares('ssh', task, as, places, shares, positions)
}
