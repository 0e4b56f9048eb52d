import { NATIVE_OUTPUT, parseForeignOutput } from '../executors/foreign-output.ts'
import type { JobRow, Store } from '../store/store.ts'
import { isSettled } from '../task/states.ts'
import { placesOfElements, readAttemptPlan } from './attempt-plan.ts'
import type { ChangeWriter } from './change-writer.ts'
import type { AttemptLogs, LogSource } from './log-reader.ts'
import type { TargetRuntime } from './target-runtime.ts'

/** A follower looks again at the latest after this time; files of this machine tell sooner. */
const LOOK_AGAIN_MS = 100

/** The log source of one stored job. */
export function jobLogSource(jobId: string, store: Store, writer: ChangeWriter, open: (job: JobRow) => Promise<TargetRuntime>): LogSource {
  let started = false
  return {
    async attempt(number): Promise<AttemptLogs | undefined> {
      const job = await store.job(jobId)
      const attempt = (await store.attempts(jobId)).find((candidate) => candidate.number === number)
      if (job === undefined || attempt === undefined) return undefined
      const plan = readAttemptPlan(attempt.plan)
      // Not planned yet: nothing to read, and more will come unless the job has ended without a start.
      const target = await open(job)
      const ended = number < job.attempt || isSettled(job.state)
      started = false
      if (plan === undefined) return { transport: target.transport, places: [], hasSetup: false, ended }
      started = true
      const base = { transport: target.transport, places: plan.places, hasSetup: plan.hasSetup, ended }
      const [place] = plan.places
      if (place !== undefined && place.ranks.length === 0 && plan.elements.length === 0) {
        const [noted] = await target.transport.read([
          { path: `${place.attemptDir}/${NATIVE_OUTPUT}`, offset: 0, maxBytes: 4 * 1024 * 1024 },
        ])
        return { ...base, foreign: noted === undefined ? [] : parseForeignOutput(Buffer.from(noted.bytes).toString('utf8')) }
      }
      if (plan.elements.length === 0) return base
      const mine = new Set(plan.elements)
      const rows = await store.elements(jobId)
      const elements = rows.filter(
        // A row of an earlier attempt: in this one the element has not begun. One of a later attempt: it has ended in this one.
        (row) =>
          mine.has(row.position) && (row.attempt > number || (row.attempt === number && row.state !== 'created' && row.state !== 'queued')),
      )
      const places = placesOfElements(plan)
      return {
        ...base,
        elements: elements.map((row) => ({
          position: row.position,
          ended: row.attempt > number || isSettled(row.state),
          place: places?.get(row.position) ?? 0,
        })),
      }
    },
    async newest() {
      return (await store.job(jobId))?.attempt ?? 1
    },
    async settled() {
      const job = await store.job(jobId)
      return job === undefined || isSettled(job.state)
    },
    async changed(signal) {
      // Before its start a job has no file that could grow: only a change of the job itself matters.
      using waiter = writer.nextChange(signal, [jobId], started ? LOOK_AGAIN_MS : undefined)
      await waiter.changed
    },
  }
}
