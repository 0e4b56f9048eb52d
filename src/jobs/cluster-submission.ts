import { InputError } from '../errors.ts'
import { describeEnd } from '../executors/cluster/cluster-end.ts'
import { CLUSTER_KIND, holderOf } from '../executors/cluster/cluster-target.ts'
import { executorOf } from '../executors/registry.ts'
import { isSettled } from '../task/states.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { readClusters } from './cluster-entries.ts'
import type { SubmitOptions } from './drover.ts'
import type { JobControl } from './job-context.ts'

/** What clusters make of a submission. */
export interface ClusterSubmission {
  /** The cluster is there: this job holds it. */
  readonly standing?: string
  /** In place of the client's own: of two that bring up one name at one moment, one does. */
  readonly key?: string
}

/**
 * Looks at what a file has to do with clusters before anything is recorded.
 *
 * @throws InputError `unsupported` for nodes that cannot be held; `conflict` for a job on a cluster that has ended;
 * `invalid_argument` for a cluster with the name of a target
 */
export async function readClusterSubmission(file: TaskFile, options: SubmitOptions, control: JobControl): Promise<ClusterSubmission> {
  const { store, targets } = control
  const { clientDirectory } = options
  // Each definition is a reading of all configuration files.
  const definitions = new Map(
    [...new Set(file.tasks.map(({ target }) => target))].map((target) => [
      target,
      targets.definition({ target, ...(clientDirectory === undefined ? {} : { clientDirectory }) }),
    ]),
  )
  for (const { holder, target } of file.tasks) {
    const definition = definitions.get(target)
    if (definition === undefined) continue
    if (definition.kind === CLUSTER_KIND) {
      const row = await store.job(holderOf(definition))
      if (row !== undefined && !isSettled(row.state)) continue
      throw new InputError('conflict', describeEnd(target, row), {
        hint: `Bring it up again: drover cluster up ${target} --on ${String(definition.options['on'])}`,
      })
    }
    if (holder !== undefined && executorOf(definition.kind).held === undefined)
      throw new InputError('unsupported', `cannot hold nodes of target "${target}": it is of kind ${definition.kind}`, {
        hint:
          definition.kind === 'local' || definition.kind === 'ssh'
            ? `Its machines need not be held: drover run --on ${target}`
            : 'Choose another target with --on.',
      })
  }
  const [task] = file.tasks
  if (task?.holder === undefined || file.tasks.length > 1) return {}
  const { name = '' } = task
  if (targets.isConfigured(name, clientDirectory))
    throw new InputError('invalid_argument', `"${name}" is a target: a cluster needs a name of its own`)
  const former = readClusters(targets.home).get(name)
  const row = former === undefined ? undefined : await store.job(holderOf(former))
  if (row !== undefined && !isSettled(row.state)) return { standing: row.id }
  return { key: `cluster ${name} after ${former === undefined ? 'none' : holderOf(former)}` }
}
