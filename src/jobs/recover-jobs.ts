import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError, toErrorJson } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import { isInLine } from './in-line.ts'
import type { JobControl } from './job-context.ts'
import type { OpenTarget } from './target-set.ts'

/** Between two tries to reach the target of a job, ms. */
const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 60_000

/** How long targets have in all to answer before the supervisor listens to its clients, who wait meanwhile, ms. */
const PATIENCE_MS = 5_000

type Reach = (row: JobRow) => Promise<OpenTarget>

/** Takes over every job that has not ended from an earlier supervisor; those of targets that do not answer soon, when they do. */
export async function recoverJobs(control: JobControl): Promise<void> {
  const open = await control.store.openJobs()
  const { begin } = await control.graph.restore(open)
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const timer = setTimeout(() => late.reject(notYet()), PATIENCE_MS)
  // What is open already is never late.
  const reach: Reach = async (row) => control.targets.opened(row) ?? (await Promise.race([control.targets.open(row), late.promise]))
  // All at once: one that hangs is not to keep the others waiting.
  const targets = new Map(open.filter((row) => !isInLine(row)).map((row) => [row.target, row]))
  for (const row of targets.values()) control.targets.open(row).catch(() => {})
  try {
    for (const row of open) {
      try {
        await adopt(row, control, reach)
      } catch (error) {
        const { message, transient } = toErrorJson(error)
        control.log.warn(`job ${row.id}: ${message}`)
        if (transient) control.own(adoptLater(row, control))
      }
    }
  } finally {
    clearTimeout(timer)
  }
  begin()
}

const notYet = (): DroverError =>
  new DroverError('transport_failed', `its target has not answered within ${PATIENCE_MS / 1000} s; it is taken over when it does`, {
    level: 'transport',
    transient: true,
  })

/** Tries again until the target can be reached; the job keeps its state meanwhile. */
async function adoptLater(row: JobRow, control: JobControl): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    await sleep(waitMs, undefined, { signal: control.signal })
    try {
      return await adopt(row, control, (at) => control.targets.open(at))
    } catch (error) {
      const { message, transient } = toErrorJson(error)
      if (transient) continue
      control.log.warn(`job ${row.id}: ${message}`)
      return
    }
  }
}

async function adopt(row: JobRow, control: JobControl, reach: Reach): Promise<void> {
  const { store, writer, companions } = control
  const full = await store.job(row.id)
  if (full?.task === undefined) return
  const task = JSON.parse(full.task) as ResolvedTask
  await companions.add(row.id, task)
  // The graph releases it when its conditions hold.
  if (isInLine(row)) return
  const target = await reach(full)
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
