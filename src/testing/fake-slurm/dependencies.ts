import { type ClusterState, isEnded } from './cluster-state.ts'
import type { Dependency, SlurmJob } from './slurm-job.ts'

const KINDS = ['after', 'afterany', 'afterok', 'afternotok', 'aftercorr', 'singleton'] as const

/** Dependencies of a job, and whether one (`?`) or all (`,`) of them must come true. Undefined: Slurm refuses the text. */
export function parseDependencies(text: string): Dependency[] | undefined {
  const found: Dependency[] = []
  for (const part of text.split(',')) {
    const [word = '', ...ids] = part.split(':')
    const kind = KINDS.find((one) => one === word)
    if (kind === undefined || (kind === 'singleton') !== (ids.length === 0)) return undefined
    if (kind === 'singleton') found.push({ kind, id: 0, state: 'unfulfilled' })
    for (const id of ids) {
      const [, job, task] = /^(\d+)(?:_(\d+|\*))?(?:\+\d+)?$/.exec(id) ?? []
      if (job === undefined) return undefined
      found.push({ kind, id: Number(job), state: 'unfulfilled', ...(task !== undefined && task !== '*' ? { task: Number(task) } : {}) })
    }
  }
  return found
}

/** `afterok:7(unfulfilled)` of what is still open; `(null)` of nothing. */
export function printDependencies(job: SlurmJob): string {
  const open = job.dependencies.filter(({ state }) => state !== 'done')
  return open.map((one) => `${dependencyName(one)}(${one.state})`).join(',') || '(null)'
}

function dependencyName({ kind, id, task, ofArray }: Dependency): string {
  return kind === 'singleton' ? kind : `${kind}:${id}${task !== undefined ? `_${task}` : ofArray ? '_*' : ''}`
}

/** Looks at the other jobs again. A job nobody knows counts as fulfilled, also for afterok (Slurm 22.05.8 starts the dependent). */
export function dependencyState(state: ClusterState, job: SlurmJob): 'met' | 'waiting' | 'never' {
  for (const dependency of job.dependencies) {
    if (state.arrays.has(dependency.id)) dependency.ofArray = true
    if (dependency.state === 'unfulfilled') dependency.state = lookAt(state, job, dependency)
  }
  if (job.dependencies.some((one) => one.state === 'failed')) return 'never'
  return job.dependencies.every((one) => one.state === 'done') ? 'met' : 'waiting'
}

function lookAt(state: ClusterState, job: SlurmJob, { kind, id, task }: Dependency): Dependency['state'] {
  if (kind === 'singleton') {
    const earlier = [...state.jobs.values()].some(
      (other) =>
        other.id < job.id && other.request.name === job.request.name && other.arrayJobId !== (job.arrayJobId ?? -1) && !isEnded(other),
    )
    return earlier ? 'unfulfilled' : 'done'
  }
  const wanted = kind === 'aftercorr' ? job.arrayTask : task
  const array = [...(state.arrays.get(id) ?? [])]
  const plain = state.jobs.get(id)
  const records =
    array.length === 0
      ? plain
        ? [plain]
        : []
      : wanted === undefined
        ? array
        : array.filter((record) => record.arrayTask === wanted || record.pendingTasks?.includes(wanted))
  if (records.length === 0) return 'done'
  if (kind === 'after') return records.every((record) => record.state !== 'PENDING') ? 'done' : 'unfulfilled'
  if (!records.every(isEnded)) return 'unfulfilled'
  const good = records.every((record) => record.state === 'COMPLETED')
  if (kind === 'afterany') return 'done'
  return good === (kind !== 'afternotok') ? 'done' : 'failed'
}
