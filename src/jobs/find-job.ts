import { InputError } from '../errors.ts'
import type { JobRow, Store } from '../store/store.ts'

/**
 * The job that a person means: an id, the beginning of one, a name (its newest job), or `last`.
 *
 * @throws InputError `unknown_job`, or `ambiguous_job` with the ids that fit
 */
export async function findJob(store: Store, selector: string): Promise<JobRow> {
  const unknown = (): InputError =>
    new InputError('unknown_job', `there is no job "${selector}"`, { hint: 'drover list shows the newest jobs.' })
  // Lists leave the stored task out; one job comes whole.
  const whole = async (row: JobRow): Promise<JobRow> => (await store.job(row.id)) ?? row
  if (selector === 'last') {
    const [newest] = await store.jobs({ limit: 1 })
    if (newest === undefined) throw unknown()
    return whole(newest)
  }
  const exact = await store.job(selector)
  if (exact !== undefined) return exact
  const found = await store.findJobs(selector, 5)
  const chosen = found.find((row) => row.name === selector) ?? (found.length === 1 ? found[0] : undefined)
  if (chosen !== undefined) return whole(chosen)
  if (found.length > 1)
    throw new InputError('ambiguous_job', `"${selector}" fits several jobs: ${found.map((row) => row.id).join(', ')}`, {
      hint: 'Give more of the id.',
    })
  throw unknown()
}
