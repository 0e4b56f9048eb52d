import { compileHeldStep } from '../../driver/held-agent-script.ts'
import { heldPaths } from '../../driver/held-paths.ts'
import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'
import { masterPortOf } from '../../launchers/master-port.ts'
import { factsOf, type NodeFacts } from '../../targets/site-facts.ts'
import { arrayPositions } from '../array-positions.ts'
import type { HeldNodes } from '../batch/held-nodes.ts'
import { compilePlace, dealDevices } from '../compile-place.ts'
import { dealPositions } from '../deal-positions.ts'
import type { NodeShare, Plan, PlanFor, PlannedFile, PlanPlace, ResolvedTask, SiteFacts } from '../executor.ts'
import { planOfShares, type ShareRefs } from '../plan-of-shares.ts'
import { exampleShares } from '../ssh/ssh-compiler.ts'
import { workDirOf } from '../work-dir.ts'
import { CLUSTER_KIND } from './cluster-target.ts'

const CUDA_DEVICES = 'CUDA_VISIBLE_DEVICES'

/**
 * Compiles a task for the nodes of a held cluster. A task of one node, or each node's part of an array, is a place whose driver
 * is launched there; several nodes are one place whose driver runs on the head node and launches each phase on them.
 * What the agent starts is `held.sh`:
 *
 *   unset SLURM_CPUS_PER_TASK …
 *   exec srun --overlap … --nodelist=node2 sh …/held-step.sh
 *
 * @throws InputError `unsupported` where the cluster has too few nodes
 */
export function compileCluster(held: HeldNodes, task: ResolvedTask, site: SiteFacts, as: PlanFor): Plan<ShareRefs> {
  const all = site.nodes ?? []
  if (!task.array && task.numNodes > all.length)
    throw new InputError(
      'unsupported',
      `task ${task.name}: it asks for ${task.numNodes} nodes, and cluster "${task.target}" has ${all.length}`,
      { hint: 'Lower num_nodes, or bring up a larger cluster.' },
    )
  const positions = arrayPositions(task)
  const shares = inOrder(as.shares ?? exampleShares(task, all, positions), all)
  const places =
    task.array || shares.length === 1 ? ownPlaces(held, task, site, as, shares, positions) : [joinedPlace(held, task, site, as, shares)]
  return planOfShares(CLUSTER_KIND, task, as, places, shares, positions)
}

/** In the order of the allocation, in which the launcher numbers what it starts. */
function inOrder(shares: readonly NodeShare[], all: readonly NodeFacts[]): readonly NodeShare[] {
  const at = new Map(all.map(({ node }, index) => [node, index]))
  return shares.toSorted((a, b) => (at.get(a.node) ?? 0) - (at.get(b.node) ?? 0))
}

const addressOf = (site: SiteFacts, node: string): string => {
  const facts = factsOf(site, node)
  return 'ip' in facts ? facts.ip : facts.hostname
}

const launcherEnv = ({ spec }: ResolvedTask, { jobId, attempt }: PlanFor): Readonly<Record<string, string>> =>
  spec.launcher === undefined ? {} : { DROVER_MASTER_PORT: String(masterPortOf(jobId, attempt)) }

/** What the agent starts, and the files by which what runs is told to stop. */
function heldFiles(place: PlanPlace, start: readonly string[], more: readonly PlannedFile[] = []): PlanPlace {
  const script = (path: string, content: string): PlannedFile => ({ path, mode: 0o700, content })
  return {
    ...place,
    files: [
      script(heldPaths.start, `#!/bin/sh\n${start.join('\n')}\n`),
      script(heldPaths.step, compileHeldStep(place.attemptDir)),
      ...more,
      { path: heldPaths.stop, mode: 0o600, content: '' },
      ...place.files,
    ],
    command: ['sh', `${place.attemptDir}/${heldPaths.start}`],
  }
}

/** A place of its own for each node, with a driver for what runs there. */
function ownPlaces(
  held: HeldNodes,
  task: ResolvedTask,
  site: SiteFacts,
  as: PlanFor,
  shares: readonly NodeShare[],
  positions: readonly number[],
): readonly PlanPlace[] {
  const dealt = dealPositions(
    positions,
    shares.map((share) => share.width),
  )
  const several = shares.length > 1
  return shares.map((share, rank) => {
    const { node, gpus } = share
    const facts = factsOf(site, node)
    const ip = addressOf(site, node)
    const attemptDir = `${facts.root}/jobs/${as.jobId}/${as.attempt}${several ? `-${rank}` : ''}`
    const workDir = workDirOf(task, facts.root, as.jobId, rank)
    const own = dealt[rank] ?? []
    const width = task.array ? Math.max(1, Math.min(share.width, own.length)) : 1
    const memoryBytes = task.perNode.memoryBytes === undefined ? undefined : task.perNode.memoryBytes * width
    const place = compilePlace({
      task,
      facts,
      jobId: as.jobId,
      attempt: as.attempt,
      kind: CLUSTER_KIND,
      node,
      attemptDir,
      // An element of an array is a job of one node, whichever place it has.
      ranks: [
        {
          rank,
          node,
          ip,
          workDir,
          env: task.array && several ? { DROVER_NODE_RANK: '0', SKYPILOT_NODE_RANK: '0', SKYPILOT_SETUP_NODE_RANK: '0' } : {},
        },
      ],
      nodes: [{ node, ip }],
      devices: dealDevices(gpus, task.perNode.gpus, width),
      positions: own,
      width,
      gate: false,
      // The scheduler's end meets all processes at once: a driver in an allocation knows that. Slots tell it by themselves.
      ...(task.array
        ? {}
        : {
            allocation: { nodes: 1, workDir, nodeList: `echo ${quoteShell(`${node} ${ip}`)}`, launch: [], rankVariable: held.rankVariable },
          }),
      env: { ...launcherEnv(task, as), ...(task.array ? {} : devicesEnv(site, gpus)) },
    })
    const launch = held.launch({
      nodes: [node],
      name: `d-${as.jobId}-${as.attempt}`,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    })
    return heldFiles(place, [held.prelude, `exec ${quoteArgv([...launch, 'sh', `${attemptDir}/${heldPaths.step}`])}`])
  })
}

/** One place for all: its driver runs on the head node, whichever nodes the job was given. */
function joinedPlace(held: HeldNodes, task: ResolvedTask, site: SiteFacts, as: PlanFor, shares: readonly NodeShare[]): PlanPlace {
  const nodes = shares.map(({ node }) => ({ node, ip: addressOf(site, node) }))
  const [first] = nodes
  const facts = factsOf(site, first?.node ?? '')
  const attemptDir = `${facts.root}/jobs/${as.jobId}/${as.attempt}`
  const workDir = workDirOf(task, facts.root, as.jobId, 0)
  const { memoryBytes } = task.perNode
  const launch = held.launch({
    nodes: nodes.map(({ node }) => node),
    name: `d-${as.jobId}-${as.attempt}`,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  })
  const place = compilePlace({
    task,
    // Devices differ by rank: held-rank.sh names them.
    facts: { ...facts, gpus: [], tools: Object.fromEntries(Object.entries(facts.tools).filter(([tool]) => tool !== 'nvidia-smi')) },
    jobId: as.jobId,
    attempt: as.attempt,
    kind: CLUSTER_KIND,
    node: first?.node ?? '',
    attemptDir,
    ranks: nodes.map(({ node, ip }, rank) => ({ rank, node, ip, workDir })),
    nodes,
    devices: [],
    positions: [],
    width: 1,
    gate: false,
    allocation: {
      nodes: nodes.length,
      workDir,
      nodeList: nodes.map(({ node, ip }) => `echo ${quoteShell(`${node} ${ip}`)}`).join('\n'),
      launch: [...launch, 'sh', `${attemptDir}/${heldPaths.rank}`],
      always: true,
      rankVariable: held.rankVariable,
    },
    env: launcherEnv(task, as),
  })
  const devices = shares.map(({ gpus }, rank) => {
    const env = devicesEnv(site, gpus)
    const words = Object.entries(CUDA_DEVICES in task.envs || task.secretNames.includes(CUDA_DEVICES) ? {} : env)
    return `  ${rank}) ${words.map(([name, value]) => `export ${name}=${quoteShell(value)}`).join('; ') || ':'} ;;`
  })
  const rankScript = `#!/bin/sh\ncase $${held.rankVariable} in\n${devices.join('\n')}\nesac\nexec "$@"\n`
  return heldFiles(
    place,
    [held.prelude, `exec ${quoteArgv(['sh', `${attemptDir}/${heldPaths.step}`])}`],
    [{ path: heldPaths.rank, mode: 0o700, content: rankScript }],
  )
}

/** Which devices of its node a rank sees; nothing where no node has any. */
function devicesEnv(site: SiteFacts, gpus: readonly number[]): Readonly<Record<string, string>> {
  const any = (site.nodes ?? []).some((node) => node.gpus.length > 0 || node.tools['nvidia-smi'] !== undefined)
  return any ? { [CUDA_DEVICES]: gpus.join(','), CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}
}
