import type { PortRef } from '../model/graph-data.ts'
import { eagerRefs } from './program.ts'
import type { NodeRun, Scope } from './scope.ts'

/*
 * Which results a retry takes back: those of the nodes that were named, and of all that was made from them. Each output and each input
 * carries the number of the last retry that it depends on; a result from before that number does not count. What decides whether
 * a scope is run at all (the body, a loop's wish to go on) counts for everything in it.
 */

/** The last retry that what a port holds depends on; 0: none. */
export function retryOf(scope: Scope, ref: PortRef): number {
  if (ref.node < 0) return Math.max(scope.retry, scope.inputRetries.get(ref.port) ?? 0)
  const node = scope.program.node(ref.node)
  if (node.type === 'input') return Math.max(scope.retry, scope.inputRetries.get(node.name) ?? 0)
  const run = scope.runs[ref.node]
  return run?.portRetries?.get(ref.port) ?? run?.retry ?? 0
}

/** The last retry that a node which is about to start depends on. */
export function retryOfNode(run: NodeRun, retries: ReadonlyMap<string, number>): number {
  let retry = Math.max(run.scope.retry, retries.get(run.loc) ?? 0)
  for (const ref of eagerRefs(run.scope.program.node(run.index))) retry = Math.max(retry, retryOf(run.scope, ref))
  return retry
}

/** What holds for all inside a node: its own retry and that of its body, not those of its inputs. */
export function retryInside(run: NodeRun, body: PortRef, retries: ReadonlyMap<string, number>): number {
  return Math.max(run.scope.retry, retries.get(run.loc) ?? 0, retryOf(run.scope, body))
}

/** The retries of these ports, as `scope` holds what they refer to. */
export function portRetries(scope: Scope, ports: Iterable<readonly [string, PortRef]>, least = 0): ReadonlyMap<string, number> {
  return new Map(Array.from(ports, ([port, ref]) => [port, Math.max(least, retryOf(scope, ref))]))
}

/** The retries of a scope's outputs, by port. */
export function outputRetries(scope: Scope, least = 0): ReadonlyMap<string, number> {
  return portRetries(scope, scope.program.node(scope.program.output).inputs, Math.max(least, scope.retry))
}

export function mostOf(retries: ReadonlyMap<string, number>, least: number): number {
  let most = least
  for (const retry of retries.values()) if (retry > most) most = retry
  return most
}
