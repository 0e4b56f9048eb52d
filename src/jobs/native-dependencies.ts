import type { ResolvedTask } from '../executors/executor.ts'
import { executorOf } from '../executors/registry.ts'
import type { JobRow, Store } from '../store/store.ts'
import { targetKey } from '../targets/target.ts'
import { isEndState, isSettled } from '../task/states.ts'
import { mayRequeue } from './may-requeue.ts'

/** Who asked for the end of a job that its scheduler would hold for ever: its dependency can't be met any more. */
export const UNMET_DEPENDENCY = 'unmet_dependency'

/** A job of the scheduler that another one waits for. */
export interface NativeUpstream {
  readonly id: string
  readonly condition: 'ok' | 'any' | 'failed'
}

const taskOf = (row: JobRow): ResolvedTask | undefined => (row.task === undefined ? undefined : (JSON.parse(row.task) as ResolvedTask))

/** An end of this job in the scheduler is its end for Drover: it is not tried again. */
function isFinal(task: ResolvedTask): boolean {
  return task.retries.max === 0 && !('requeue' in { ...task.definition?.options, ...task.spec.options }) && !mayRequeue(task)
}

function isMet(row: JobRow, condition: NativeUpstream['condition']): boolean {
  return condition === 'any' || (condition === 'ok' ? row.state === 'succeeded' : row.state === 'failed')
}

/**
 * Jobs that the target's own scheduler is to wait for before it starts this one, so that a chain goes on while nobody watches.
 * Undefined where only Drover can tell: an upstream on another target, one with retries, one not handed over yet, or one whose
 * end does not meet its condition.
 */
export async function nativeAfter(row: JobRow, store: Store): Promise<readonly NativeUpstream[] | undefined> {
  const own = taskOf(row)?.definition
  if (own === undefined || executorOf(own.kind).capabilities.dependencies !== 'native') return undefined
  const after: NativeUpstream[] = []
  for (const { upstream, condition } of row.attempt === 1 ? await store.dependencies(row.id) : []) {
    const other = await store.job(upstream)
    if (other === undefined) return undefined
    if (isEndState(other.state)) {
      if (isMet(other, condition)) continue
      return undefined
    }
    const task = taskOf(other)
    const here = task?.definition !== undefined && targetKey(task.definition) === targetKey(own)
    if (isSettled(other.state) || task === undefined || !here || !isFinal(task) || other.nativeId === undefined) return undefined
    if (other.cancelRequestedAt !== undefined) return undefined
    after.push(...other.nativeId.split(' ').map((id) => ({ id, condition })))
  }
  return after
}
