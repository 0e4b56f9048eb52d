import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import type { Cause } from '../task/states.ts'
import { jobExit } from './exit-code.ts'
import type { JobControl } from './job-context.ts'
import { notifyOf } from './notify.ts'

/**
 * Ends a job that was never handed over: nothing of it runs, which is the proof. False when it moved meanwhile.
 * `by`: the end is a cancel, and by whom.
 */
export async function endUnstarted(
  row: JobRow,
  to: 'failed' | 'cancelled',
  cause: Cause,
  control: JobControl,
  by?: string,
): Promise<boolean> {
  const { store, writer, targets, secrets } = control
  const at = control.now()
  const exitCode = jobExit(to, cause)?.code
  const made = await writer.apply({
    jobId: row.id,
    at,
    from: row.state,
    attempt: row.attempt,
    to,
    patch: { cause, endedAt: at, exitCode: exitCode ?? null, ...(by === undefined ? {} : { cancelRequestedAt: at, cancelBy: by }) },
    attemptPatch: { state: to, cause, endedAt: at },
    events: [
      ...(by === undefined ? [] : [{ type: 'cancel_requested', data: { by } }]),
      { type: 'state', data: { from: row.state, to, cause, proof: 'never handed over to the target' } },
    ],
  })
  if (!made) return false
  targets.opened(row)?.dequeue(row.id)
  secrets.remove(row.id)
  const full = await store.job(row.id)
  const task = full?.task === undefined ? undefined : (JSON.parse(full.task) as ResolvedTask)
  control.own(notifyOf(task, row.id, { started: false, ended: true }, control))
  control.settled(row.id, to)
  return true
}
