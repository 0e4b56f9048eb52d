import type { ResolvedTask } from '../executors/executor.ts'
import { GROUP_END } from '../task/exit-codes.ts'
import { isEndState, type State } from '../task/states.ts'
import { cancelJob } from './cancel-job.ts'
import type { JobControl } from './job-context.ts'
import type { OwnedWork } from './owned-work.ts'

interface Waiting {
  /** Primary tasks that have not ended. */
  readonly primaries: Set<string>
  readonly delayMs: number
}

/**
 * Jobs of parallel groups that are there for others (a cache, a server beside a training): when the primary tasks of the
 * group have all ended they are cancelled after the group's termination delay. SkyPilot job groups, `primary_tasks`.
 */
export class Companions {
  readonly #control: () => JobControl
  readonly #work: OwnedWork
  readonly #waiting = new Map<string, Waiting>()

  constructor(control: () => JobControl, work: OwnedWork) {
    this.#control = control
    this.#work = work
  }

  /** Takes in a job at its submit or at a take-over; one that is no companion is left alone. */
  async add(jobId: string, { companionOf }: ResolvedTask): Promise<void> {
    if (companionOf === undefined) return
    const { store } = this.#control()
    const waiting: Waiting = { primaries: new Set(companionOf.jobs), delayMs: companionOf.delayMs }
    this.#waiting.set(jobId, waiting)
    for (const primary of companionOf.jobs) {
      const row = await store.job(primary)
      if (row === undefined || isEndState(row.state)) this.#ended(jobId, primary)
    }
  }

  /** `lost` is no end: the group stays up. */
  settled(jobId: string, state: State): void {
    this.#waiting.delete(jobId)
    if (isEndState(state)) for (const companion of [...this.#waiting.keys()]) this.#ended(companion, jobId)
  }

  #ended(companion: string, primary: string): void {
    const waiting = this.#waiting.get(companion)
    if (!waiting?.primaries.delete(primary) || waiting.primaries.size > 0) return
    this.#work.after(waiting.delayMs, async () => {
      if (this.#waiting.delete(companion)) await cancelJob(companion, { by: GROUP_END }, this.#control())
    })
  }
}
