import type { NativeObservation } from '../executor.ts'
import type { Holder } from './cluster-target.ts'

/** Ends of an allocation that are the ends of what ran in it, too; any other is the holder's own trouble. */
const SHARED: ReadonlySet<string> = new Set(['timeout', 'node_failure', 'preempted', 'out_of_memory'])

/** One sentence: what became of a cluster. */
export function describeEnd(name: string, holder: Pick<Holder, 'state' | 'cause'> | undefined): string {
  if (holder === undefined) return `cluster ${name} is gone, and the record of the job that held it was removed`
  const { state, cause } = holder
  if (state === 'cancelled') return `cluster ${name} was ended`
  if (state === 'succeeded') return `cluster ${name} has ended after its idle time`
  const why = cause === undefined ? '' : `: ${cause.message}`
  if (state === 'lost') return `nobody knows what became of cluster ${name}${why}`
  return `cluster ${name} has ended${why}`
}

/**
 * What the end of a cluster says of its jobs: never a success, whatever the holder's own end. What a job's records prove
 * stands above it.
 */
export function endOfHolder(name: string, holder: Pick<Holder, 'state' | 'cause'> | undefined): NativeObservation {
  if (holder === undefined || holder.state === 'lost') return { kind: 'missing' }
  const reason = describeEnd(name, holder)
  if (holder.state === 'cancelled') return { kind: 'state', word: 'CLUSTER_CANCELLED', state: 'cancelled', reason }
  const kind = holder.cause?.kind ?? 'ended'
  return { kind: 'state', word: `CLUSTER_${kind.toUpperCase()}`, state: 'failed', cause: SHARED.has(kind) ? kind : 'driver', reason }
}
