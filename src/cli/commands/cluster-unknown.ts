import { InputError } from '../../errors.ts'
import type { ClusterView } from '../../jobs/drover.ts'

/** Refusal of a name that no cluster has. */
export function unknownCluster(name: string, views: readonly ClusterView[]): InputError {
  return new InputError('unknown_target', `there is no cluster "${name}"`, {
    hint:
      views.length === 0 ? `Bring it up: drover cluster up ${name} --on TARGET` : `Clusters: ${views.map((view) => view.name).join(', ')}.`,
  })
}
