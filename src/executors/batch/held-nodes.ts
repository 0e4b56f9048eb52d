import type { NodeFacts, SiteFacts } from '../../targets/site-facts.ts'

/** How a scheduler's allocation is used by one job after another, from its head node. */
export interface HeldNodes {
  /** Options of the holder that hold whatever the configuration says; undefined: left out. */
  readonly options?: Readonly<Record<string, unknown>>
  /** POSIX sh, run once on the head node: prints what `parse` reads, among it a line `node <name> <address>` for each node in its order. */
  facts(root: string): string
  /** The nodes in the order of the allocation. Throws DroverError `transport_failed` on a text that says nothing of them. */
  parse(text: string, site: SiteFacts, now: number): HeldAllocation
  /** POSIX sh, before a launch in the same shell: variables of the holder that would change it. */
  readonly prelude: string
  /** Words before a command that start it once on each of these nodes, in this order. */
  launch(of: { readonly nodes: readonly string[]; readonly memoryBytes?: number; readonly name: string }): readonly string[]
  /** Variable in which a launched process finds its index. */
  readonly rankVariable: string
}

/** What was found on the nodes of an allocation. */
export interface HeldAllocation {
  readonly nodes: readonly NodeFacts[]
  /** When the scheduler ends it, epoch ms; undefined: not known, or never. */
  readonly endsAt?: number
}
