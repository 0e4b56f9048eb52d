import type { Target } from '../../targets/target.ts'
import type { Cause, State } from '../../task/states.ts'
import type { Transport } from '../../transports/transport.ts'
import type { HeldNodes } from '../batch/held-nodes.ts'
import type { SiteFacts } from '../executor.ts'

/** The kind of a held cluster's target. No configuration file names it: `drover cluster up` makes the target. */
export const CLUSTER_KIND = 'cluster'

/** The job that holds a cluster's nodes, as its supervisor knows it. */
export interface Holder {
  readonly state: State
  readonly cause?: Cause
  readonly nativeId?: string
  /** Attempt directory, absolute; undefined before it was staged. */
  readonly directory?: string
  /** As the cluster was asked for. */
  readonly nodes: number
  /** The kind of GPU it was asked for with. */
  readonly gpuType?: string
  /** The target that the nodes are from. */
  readonly transport: Transport
  readonly site: SiteFacts
  /** Undefined where its kind cannot be held. */
  readonly held: HeldNodes | undefined
}

/** The target of a cluster: as that of its nodes, with the job that holds them. Another `up` of the name is another target. */
export function clusterTarget(name: string, parent: Target, holderJobId: string): Target {
  return {
    name,
    kind: CLUSTER_KIND,
    root: parent.root,
    ...(parent.prologue === undefined ? {} : { prologue: parent.prologue }),
    options: { holder: holderJobId, on: parent.name, parent },
    limits: {},
  }
}

/** Id of the job that holds the nodes of a cluster's target. */
export function holderOf(target: Target): string {
  return String(target.options['holder'] ?? '')
}

/** The target that the nodes of a cluster are from. */
export function parentOf(target: Target): Target {
  return target.options['parent'] as Target
}
