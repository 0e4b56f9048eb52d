import { printArrayTasks } from './array-tasks.ts'
import type { SlurmClock } from './slurm-clock.ts'
import type { SlurmJob } from './slurm-job.ts'

/** One row of the accounting database: one run of a job (a requeued one has several), or of a step of it. */
export interface AccountingRow {
  readonly rawId: number
  readonly publicId: string
  readonly arrayJobId: number
  readonly arrayTask: number
  readonly name: string
  readonly state: string
  readonly exit: string
  readonly submitMs: number
  readonly eligible: boolean
  readonly startMs: number | undefined
  readonly endMs: number | undefined
  readonly nodes: readonly string[]
  readonly reason: string
  readonly restarts: number
  readonly job: SlurmJob
  readonly account: string
  readonly steps: readonly StepRow[]
}

/** One step in the database: `batch`, `extern`, `0`. */
export interface StepRow {
  readonly step: string
  readonly name: string
  readonly state: string
  readonly exit: string
  readonly startMs: number
  readonly endMs: number | undefined
  readonly nodes: readonly string[]
}

/** What sacct reads. Rows outlive the controller's memory, and may come late. */
export class Accounting {
  lagMs = 0
  readonly #clock: SlurmClock
  #rows = new Map<object, AccountingRow>()
  #due: { readonly atMs: number; readonly key: object; readonly row: AccountingRow }[] = []
  readonly #keys = new WeakMap<SlurmJob, object>()

  constructor(clock: SlurmClock) {
    this.#clock = clock
  }

  /** Writes what is known of this run of the job. `state`: the word, where it is not the job's own (`REQUEUED`). Without `steps` those of before stay. */
  record(job: SlurmJob, steps: readonly StepRow[] | undefined, state: string = job.state): void {
    let key = this.#keys.get(job)
    if (!key) {
      key = {}
      this.#keys.set(job, key)
    }
    const row = rowOf(job, steps ?? this.#rows.get(key)?.steps ?? [], state)
    if (this.lagMs > 0) this.#due.push({ atMs: this.#clock.now() + this.lagMs, key, row })
    else {
      this.#due = this.#due.filter((late) => late.key !== key)
      this.#rows.set(key, row)
    }
  }

  /** The job begins another run: what follows goes to a row of its own. */
  beginRun(job: SlurmJob): void {
    this.#keys.delete(job)
  }

  /** Rows that have arrived, in sacct's order: by submission, arrays after plain jobs, then by index. */
  rows(): readonly AccountingRow[] {
    const now = this.#clock.now()
    for (const late of this.#due.filter(({ atMs }) => atMs <= now)) this.#rows.set(late.key, late.row)
    this.#due = this.#due.filter(({ atMs }) => atMs > now)
    const second = (row: AccountingRow): number => Math.floor(row.submitMs / 1000)
    return [...this.#rows.values()].sort(
      (a, b) => second(a) - second(b) || a.arrayJobId - b.arrayJobId || a.arrayTask - b.arrayTask || a.rawId - b.rawId,
    )
  }

  /** Forgets everything, as a site's purge does. */
  purge(): void {
    this.#rows = new Map()
    this.#due = []
  }
}

function rowOf(job: SlurmJob, steps: readonly StepRow[], state: string): AccountingRow {
  const waiting = job.pendingTasks && printArrayTasks(job.pendingTasks, job.throttle, 0)
  const publicId = job.het
    ? `${job.het.id}+${job.het.offset}`
    : job.arrayJobId === undefined
      ? String(job.id)
      : `${job.arrayJobId}_${job.arrayTask ?? `[${waiting}]`}`
  return {
    rawId: job.id,
    publicId,
    arrayJobId: job.arrayJobId ?? 0,
    arrayTask: job.arrayTask ?? Number.MAX_SAFE_INTEGER,
    name: job.request.name,
    state: state === 'CANCELLED' && job.cancelledBy !== undefined ? `CANCELLED by ${job.cancelledBy}` : state,
    exit: `${job.exitCode}:${job.exitSignal}`,
    submitMs: job.submitMs,
    eligible: job.eligibleMs !== undefined,
    startMs: job.state === 'PENDING' && state === job.state ? undefined : job.startMs,
    endMs: job.endMs,
    nodes: job.nodes,
    reason: job.waitedFor,
    restarts: job.restarts,
    job,
    account: job.request.account ?? '',
    steps,
  }
}
