import { isEndState } from '../../task/states.ts'
import type { Io, Plan } from '../executor.ts'
import { askScheduler } from './ask-scheduler.ts'
import type { BatchRefs } from './compile-batch.ts'
import type { NativeJob, Scheduler } from './scheduler.ts'

/** What came of looking for an attempt by its name. */
export type Found =
  | { readonly kind: 'found'; readonly ids: readonly string[] }
  /** All that could know was asked and has none (of every part: an array in parts is found whole or not). */
  | { readonly kind: 'none' }
  | { readonly kind: 'could_not_ask'; readonly reason: string }

/** Looks for an attempt in queue and history; a duplicate that still waits is cancelled: what runs has the claim. */
export async function findSubmitted<Options>(
  scheduler: Scheduler<Options>,
  plan: Plan<BatchRefs>,
  io: Io,
  site: { readonly user: string; readonly accounting: boolean },
): Promise<Found> {
  const ids: string[] = []
  for (const { nativeName } of plan.refs.scripts) {
    const known: NativeJob[] = []
    for (const query of site.accounting ? [scheduler.queue, scheduler.history] : [scheduler.queue]) {
      const answer = await askScheduler(query, { name: nativeName, user: site.user }, io)
      if (answer.kind === 'could_not_ask') return answer
      known.push(...answer.jobs.filter((job) => job.name === nativeName))
    }
    const chosen = choose(known)
    if (chosen === undefined) return { kind: 'none' }
    ids.push(chosen.id)
    const duplicates = [...new Set(known.filter((job) => job.id !== chosen.id && job.state === 'queued').map((job) => job.id))]
    if (duplicates.length > 0) await io.transport.run(scheduler.cancelCommand(duplicates, 'end'))
  }
  return { kind: 'found', ids }
}

/** The one that runs or has run, else the first that was submitted. */
function choose(jobs: readonly NativeJob[]): NativeJob | undefined {
  const begun = jobs.filter((job) => job.state !== 'queued' && !isEndState(job.state))
  const live = jobs.filter((job) => !isEndState(job.state))
  const [first] =
    [begun, live, jobs].find((group) => group.length > 0)?.toSorted((a, b) => (a.submittedAt ?? 0) - (b.submittedAt ?? 0)) ?? []
  return first
}
