import { InputError } from '../errors.ts'
import { isEndState } from '../task/states.ts'
import { endUnstarted } from './end-unstarted.ts'
import { findJob } from './find-job.ts'
import { isInLine } from './in-line.ts'
import type { JobControl } from './job-context.ts'

/**
 * Asks a job, or elements of one, to end; idempotent, does not wait. The request is on record before anything is told to
 * stop, so that what then ends is never taken for a failure.
 */
export async function cancelJob(
  selector: string,
  options: { readonly elements?: readonly number[]; readonly by?: string },
  control: JobControl,
): Promise<void> {
  const { store, writer, targets } = control
  const by = options.by ?? 'user'
  for (;;) {
    const row = await findJob(store, selector)
    if (isEndState(row.state)) return
    if (options.elements !== undefined) {
      if (row.elementCount === undefined)
        throw new InputError('invalid_argument', `job ${row.id} is no array: it has no elements to cancel`)
      const events = [{ type: 'cancel_requested', data: { by, elements: options.elements } }]
      await writer.apply({ jobId: row.id, at: control.now(), events })
      await (await targets.open(row)).cancelElements(row.id, options.elements)
      return
    }
    const waits = isInLine(row) || row.state === 'staging'
    if (waits && targets.opened(row)?.active(row.id) === undefined) {
      const message = `cancelled by ${by} before it started`
      if (await endUnstarted(row, 'cancelled', { kind: 'cancelled', by, message }, control, by)) return
      continue
    }
    const at = control.now()
    if (row.cancelRequestedAt === undefined) {
      const events = [{ type: 'cancel_requested', data: { by } }]
      await writer.apply({ jobId: row.id, at, patch: { cancelRequestedAt: at, cancelBy: by }, events })
    }
    await (await targets.open(row)).cancel(row.id)
    return
  }
}
