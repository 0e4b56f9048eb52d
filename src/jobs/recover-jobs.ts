import { toErrorJson } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import type { JobControl } from './job-context.ts'

/** Takes over every job that has not ended from an earlier supervisor. */
export async function recoverJobs(control: JobControl): Promise<void> {
  const open = await control.store.openJobs()
  const { begin } = await control.graph.restore(open)
  for (const row of open) {
    try {
      await adopt(row, control)
    } catch (error) {
      control.log.warn(`job ${row.id}: ${toErrorJson(error).message}`)
    }
  }
  begin()
}

async function adopt(row: JobRow, control: JobControl): Promise<void> {
  const { store, writer, targets, companions } = control
  const full = await store.job(row.id)
  if (full?.task === undefined) return
  const task = JSON.parse(full.task) as ResolvedTask
  await companions.add(row.id, task)
  // The graph releases it when its conditions hold.
  if (row.state === 'created' || row.state === 'queued') return
  const target = await targets.open(row)
  const attempt = (await store.attempts(row.id)).find((candidate) => candidate.number === row.attempt)
  if (row.state !== 'staging' && attempt !== undefined && (await target.adopt(full, attempt, task))) {
    if (full.cancelRequestedAt !== undefined) control.own(target.cancel(row.id))
    return
  }
  // Nothing was handed over yet: staging begins anew.
  const made = await writer.apply({
    jobId: row.id,
    at: control.now(),
    from: row.state,
    attempt: row.attempt,
    to: 'queued',
    events: [{ type: 'state', data: { from: row.state, to: 'queued', why: 'the supervisor ended during staging' } }],
  })
  if (made) target.enqueue({ ...full, state: 'queued' }, task)
}
