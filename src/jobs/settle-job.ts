import { InputError } from '../errors.ts'
import { type Cause, isEndState } from '../task/states.ts'
import { jobExit } from './exit-code.ts'
import { findJob } from './find-job.ts'
import type { JobControl } from './job-context.ts'

/**
 * A person's word about a `lost` job; returns its id.
 *
 * @throws InputError `conflict` for a job that is not lost
 */
export async function settleJob(
  selector: string,
  options: { readonly as: 'succeeded' | 'failed' | 'cancelled'; readonly reason: string },
  control: JobControl,
): Promise<string> {
  const { store, writer, targets, secrets } = control
  const { as, reason } = options
  const row = await findJob(store, selector)
  if (row.state !== 'lost') {
    throw new InputError('conflict', `job ${row.id} is ${row.state}: only a lost job is settled by hand`, {
      hint: isEndState(row.state) ? `drover retry ${row.id} starts it anew.` : `drover cancel ${row.id} ends it.`,
    })
  }
  const at = control.now()
  const kind = as === 'cancelled' ? 'cancelled' : 'driver'
  const cause: Cause | undefined = as === 'succeeded' ? undefined : { kind, message: `settled by a person: ${reason}`, by: 'user' }
  const exitCode = as === 'succeeded' ? 0 : jobExit(as, cause)?.code
  const made = await writer.apply({
    jobId: row.id,
    at,
    from: 'lost',
    attempt: row.attempt,
    to: as,
    patch: { cause: cause ?? null, exitCode: exitCode ?? null, endedAt: at },
    attemptPatch: { state: as, endedAt: at, ...(cause === undefined ? {} : { cause }) },
    events: [
      { type: 'settled', data: { as, reason } },
      { type: 'state', data: { from: 'lost', to: as, cause: cause ?? null, proof: 'a person said so', reason } },
    ],
  })
  if (!made) throw new InputError('conflict', `job ${row.id} changed at the same moment; look again`, { hint: `drover show ${row.id}` })
  targets.opened(row)?.forget(row.id)
  secrets.remove(row.id)
  control.settled(row.id, as)
  return row.id
}
