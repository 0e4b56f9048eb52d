import { InputError } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow, Store } from '../store/store.ts'
import { isSettled } from '../task/states.ts'
import { findJob } from './find-job.ts'
import type { JobControl } from './job-context.ts'
import { launcherSecrets } from './launcher-secrets.ts'

/**
 * Begins a new attempt of an ended job under the same id. `elements`: positions, `failed`, or absent for all that have not
 * succeeded (all, when all have).
 *
 * @throws InputError `conflict` for a job that has not ended, `missing_secret` when its secrets are needed again
 */
export async function retryJob(
  selector: string,
  options: { readonly elements?: readonly number[] | 'failed'; readonly secrets?: Readonly<Record<string, string>> },
  control: JobControl,
): Promise<JobRow> {
  const { store, writer, targets, graph, secrets } = control
  const row = await findJob(store, selector)
  if (!isSettled(row.state) || row.task === undefined)
    throw new InputError('conflict', `job ${row.id} is ${row.state}: only an ended job is retried`, {
      hint: `drover cancel ${row.id} ends it first.`,
    })
  const task = JSON.parse(row.task) as ResolvedTask
  const target = await targets.open(row)
  if (task.secretNames.length > 0) {
    const own = await launcherSecrets(task.spec.launcher, (name) => targets.databaseUri(name, task.clientDirectory))
    const values = { ...own, ...secrets.read(row.id), ...options.secrets }
    const missing = task.secretNames.filter((name) => values[name] === undefined)
    if (missing.length > 0)
      throw new InputError('missing_secret', `job ${row.id} needs the secrets ${missing.join(', ')} again`, {
        hint: `drover retry ${row.id} ${missing.map((name) => `--secret ${name}`).join(' ')}`,
      })
    secrets.write(row.id, values)
  }
  const next = task.array ? { ...task, array: { ...task.array, ...(await positionsToRetry(row, options.elements, store)) } } : task
  target.forget(row.id)
  const made = await writer.apply({
    jobId: row.id,
    at: control.now(),
    from: row.state,
    attempt: row.attempt,
    to: 'queued',
    newAttempt: { number: row.attempt + 1 },
    patch: {
      cause: null,
      exitCode: null,
      endedAt: null,
      startedAt: null,
      nativeId: null,
      nativeWord: null,
      reason: null,
      notBefore: null,
      cancelRequestedAt: null,
      cancelBy: null,
      collected: null,
      usage: null,
      task: JSON.stringify(next),
    },
    events: [{ type: 'state', data: { from: row.state, to: 'queued', why: 'retry asked by user' } }],
  })
  if (!made) throw new InputError('conflict', `job ${row.id} changed at the same moment; look again`, { hint: `drover show ${row.id}` })
  const fresh = await findJob(store, row.id)
  graph.renew(row.id)
  target.enqueue(fresh, next)
  return fresh
}

async function positionsToRetry(
  row: JobRow,
  wanted: readonly number[] | 'failed' | undefined,
  store: Store,
): Promise<{ readonly positions?: readonly number[] }> {
  if (Array.isArray(wanted)) return { positions: [...wanted] }
  const rows = await store.elements(row.id)
  const done = new Set(rows.filter((element) => element.state === 'succeeded').map((element) => element.position))
  if (wanted === undefined && done.size === row.elementCount) return {}
  const positions =
    wanted === 'failed'
      ? rows.filter((element) => element.state === 'failed').map((element) => element.position)
      : Array.from({ length: row.elementCount ?? 0 }, (_, index) => index).filter((index) => !done.has(index))
  if (positions.length === 0) throw new InputError('invalid_argument', `job ${row.id} has no failed elements`)
  return { positions }
}
