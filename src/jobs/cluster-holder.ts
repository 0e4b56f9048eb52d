import type { Holder } from '../executors/cluster/cluster-target.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import { executorOf } from '../executors/registry.ts'
import type { JobRow, Store } from '../store/store.ts'
import type { OpenTarget } from './target-set.ts'

/** The job that holds a cluster's nodes, as the store has it, with the target it is on. */
export async function readHolder(jobId: string, store: Store, open: (row: JobRow) => Promise<OpenTarget>): Promise<Holder | undefined> {
  const row = await store.job(jobId)
  if (row?.task === undefined) return undefined
  const target = await open(row)
  const task = JSON.parse(row.task) as ResolvedTask
  const attempt = (await store.attempts(jobId)).find(({ number }) => number === row.attempt)
  const { gpuType } = task.perNode
  return {
    state: row.state,
    ...(row.cause === undefined ? {} : { cause: row.cause }),
    ...(row.nativeId === undefined ? {} : { nativeId: row.nativeId }),
    ...(attempt?.directory === undefined ? {} : { directory: attempt.directory }),
    nodes: task.numNodes,
    ...(gpuType === undefined ? {} : { gpuType }),
    transport: target.transport,
    site: target.site,
    held: executorOf(target.executor.kind).held,
  }
}
