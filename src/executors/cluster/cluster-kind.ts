import { heldPaths } from '../../driver/held-paths.ts'
import { DroverError, InputError } from '../../errors.ts'
import type { GpuFacts } from '../../targets/gpu-match.ts'
import type { SiteFacts } from '../../targets/site-facts.ts'
import type { Target } from '../../targets/target.ts'
import { isSettled } from '../../task/states.ts'
import type { Transport } from '../../transports/transport.ts'
import type { ExecutorKind } from '../registry.ts'
import { clusterCapabilities } from './cluster-capabilities.ts'
import { describeEnd } from './cluster-end.ts'
import { createClusterExecutor } from './cluster-executor.ts'
import { CLUSTER_KIND, type Holder, holderOf } from './cluster-target.ts'

const MOST_BYTES = 4 * 1024 * 1024
const LAST_LINE = '\ndrover-end\n'

/** The nodes of a cluster as the facts of a target. */
export interface HeldSite {
  readonly site: SiteFacts
  /** When the scheduler ends it, epoch ms; undefined: not known, or never. */
  readonly endsAt: number | undefined
}

/** What the agent wrote of its nodes; undefined: it has not yet. */
export async function readHeldSite({ transport, site, held, directory, gpuType }: Holder, now: number): Promise<HeldSite | undefined> {
  if (directory === undefined || held === undefined) return undefined
  const [piece] = await transport.read([{ path: `${directory}/${heldPaths.nodes}`, offset: 0, maxBytes: MOST_BYTES }])
  const text = Buffer.from(piece?.bytes ?? new Uint8Array()).toString('utf8')
  if (!text.endsWith(LAST_LINE)) return undefined
  const { nodes: found, endsAt } = held.parse(text, site, now)
  // Devices that no tool names are of the kind that was asked for.
  const named = (gpu: GpuFacts): GpuFacts =>
    gpu.name === 'GPU' && gpuType !== undefined && gpuType !== '*' ? { ...gpu, name: gpuType } : gpu
  const nodes = found.map((node) => ({ ...node, gpus: node.gpus.map(named) }))
  const [head] = nodes
  if (head === undefined) return undefined
  return { site: { ...head, root: site.root, nodes, sharedHome: true }, endsAt }
}

/** Nodes that are known by their number alone: of a cluster that ended before it said which they were. */
function unknownNodes({ site, nodes }: Holder): SiteFacts {
  const { scheduler: _, ...login } = site
  return { ...login, sharedHome: true, nodes: Array.from({ length: nodes }, (_node, index) => ({ ...login, node: `#${index}`, ip: '' })) }
}

/** It belongs to the target that the nodes are from. */
function borrowed(transport: Transport): Transport {
  return new Proxy(transport, {
    get: (of, key) => {
      if (key === 'close') return async () => {}
      const value: unknown = Reflect.get(of, key, of)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
}

/** The kind of held clusters: nodes of a scheduler's allocation that jobs share. */
export const clusterKind: ExecutorKind = {
  kind: CLUSTER_KIND,
  summary: 'nodes held by a job of a scheduler (drover cluster up): their cores, memory and GPUs as slots',
  capabilities: clusterCapabilities,
  optionNames: ['holder', 'on', 'parent'],
  async connect(target, world) {
    const holder = await world.holder?.(holderOf(target))
    if (holder === undefined) throw gone(target, undefined)
    const { held, directory } = holder
    if (held === undefined) throw new DroverError('internal', `the nodes of cluster "${target.name}" cannot be used`, { level: 'internal' })
    const ended = isSettled(holder.state)
    const found = await readHeldSite(holder, world.now())
    if (found === undefined && !ended)
      throw new InputError('conflict', `cluster "${target.name}" has no nodes yet (it is ${holder.state})`, {
        hint: `Wait for them: drover cluster up ${target.name}`,
      })
    // Jobs of an ended cluster are told so one by one.
    return {
      executor: createClusterExecutor({
        name: target.name,
        held,
        directory: directory ?? '/nonexistent',
        holder: async () => world.holder?.(holderOf(target)),
      }),
      transport: borrowed(holder.transport),
      site: found?.site ?? unknownNodes(holder),
    }
  },
}

function gone(target: Target, holder: Holder | undefined): InputError {
  return new InputError('unknown_target', describeEnd(target.name, holder), {
    hint: `Bring it up: drover cluster up ${target.name} --on ${String(target.options['on'] ?? 'TARGET')}`,
  })
}
