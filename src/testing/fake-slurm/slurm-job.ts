/** Base states of a job, with the codes of squeue. */
export const STATE_CODES = {
  PENDING: 'PD',
  RUNNING: 'R',
  SUSPENDED: 'S',
  COMPLETED: 'CD',
  CANCELLED: 'CA',
  FAILED: 'F',
  TIMEOUT: 'TO',
  NODE_FAIL: 'NF',
  PREEMPTED: 'PR',
  BOOT_FAIL: 'BF',
  DEADLINE: 'DL',
  OUT_OF_MEMORY: 'OOM',
  COMPLETING: 'CG',
  CONFIGURING: 'CF',
  RESIZING: 'RS',
  RESV_DEL_HOLD: 'RD',
  REQUEUED: 'RQ',
  REQUEUE_FED: 'RF',
  REQUEUE_HOLD: 'RH',
  REVOKED: 'RV',
  SIGNALING: 'SI',
  SPECIAL_EXIT: 'SE',
  STAGE_OUT: 'SO',
  STOPPED: 'ST',
} as const

/** A state word of Slurm. */
export type SlurmState = keyof typeof STATE_CODES

/** States after which a job runs no more. */
export const ENDED: ReadonlySet<SlurmState> = new Set<SlurmState>([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
])

/** One condition of `--dependency`. */
export interface Dependency {
  readonly kind: 'after' | 'afterany' | 'afterok' | 'afternotok' | 'aftercorr' | 'singleton'
  /** Raw or array job id; 0 for singleton. */
  readonly id: number
  readonly task?: number
  state: 'unfulfilled' | 'failed' | 'done'
  /** All of an array: printed with `_*`. */
  ofArray?: boolean
}

/** What was asked for at submission. */
export interface JobRequest {
  name: string
  partition: string
  account: string | undefined
  qos: string
  comment: string | undefined
  features: string | undefined
  reservation: string | undefined
  minutes: number
  nodes: number
  tasks: number
  tasksPerNode: number
  cpusPerTask: number
  /** Whether --ntasks, --ntasks-per-node, --cpus-per-task were given: only then does the job find their variables. */
  tasksAsked: boolean
  tasksPerNodeAsked: boolean
  cpusPerTaskAsked: boolean
  /** MiB on each node; undefined: `memoryPerCpu`. */
  memoryPerNode: number | undefined
  memoryPerCpu: number
  gpusPerNode: number
  /** As squeue's %b prints it. */
  gresText: string
  exclusive: boolean
  nodelist: readonly string[]
  output: string | undefined
  error: string | undefined
  append: boolean
  workDir: string
  /** Path of the script and its arguments, as `%o` and Command print it. */
  command: string
  /** One character per byte. */
  script: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
  requeue: boolean
  killOnInvalid: boolean | undefined
  signal: { readonly name: NodeJS.Signals; readonly beforeMs: number; readonly batch: boolean } | undefined
  submitLine: string
}

/** One record of the controller: a job, an element of an array that was split off, or all elements still waiting. */
export interface SlurmJob {
  readonly request: JobRequest
  id: number
  arrayJobId: number | undefined
  /** Index of this element; undefined for a plain job and for the record of the waiting ones. */
  arrayTask: number | undefined
  /** Indices waiting in this record, ascending; undefined in any other record. */
  pendingTasks: number[] | undefined
  throttle: number
  arrayTasks: readonly number[] | undefined
  het: { readonly id: number; readonly offset: number; readonly size: number } | undefined
  state: SlurmState
  /** Its processes are being ended; squeue says COMPLETING whatever `state` is. */
  completing: boolean
  reason: string
  held: boolean
  priority: number
  dependencies: Dependency[]
  submitMs: number
  eligibleMs: number | undefined
  beginMs: number | undefined
  startMs: number | undefined
  expectedStartMs: number | undefined
  endMs: number | undefined
  /** As sacct prints it. */
  exitCode: number
  exitSignal: number
  /** As scontrol prints it: a cancelled job has 0:15 there. */
  shownSignal: number
  nodes: readonly string[]
  restarts: number
  suspendedAtMs: number | undefined
  suspendedMs: number
  cancelledBy: number | undefined
  /** Reason it waited for when it started: what sacct keeps. */
  waitedFor: string
  minutes: number
  warned: boolean
  /** What becomes of it when its processes are gone. */
  afterwards: 'end' | 'requeue' | 'requeuehold'
  warnedAtMs: number | undefined
}

/** `123`, `123_4`, `123_[5-9%2]`, `46+1`: the id as users see it. `tasks`: the text of the waiting indices. */
export function publicId(job: SlurmJob, tasks: string | undefined): string {
  if (job.het) return `${job.het.id}+${job.het.offset}`
  if (job.arrayJobId === undefined) return String(job.id)
  if (job.arrayTask !== undefined) return `${job.arrayJobId}_${job.arrayTask}`
  return tasks === undefined ? String(job.id) : `${job.arrayJobId}_[${tasks}]`
}

/** The word squeue shows. */
export function shownState(job: SlurmJob): SlurmState {
  return job.completing ? 'COMPLETING' : job.state
}

/** How long it has run, suspended time left out. Milliseconds. */
export function runMs(job: SlurmJob, nowMs: number): number {
  if (job.startMs === undefined || job.state === 'PENDING') return 0
  const end = job.endMs ?? job.suspendedAtMs ?? nowMs
  return Math.max(0, Math.floor(end / 1000) * 1000 - Math.floor(job.startMs / 1000) * 1000 - job.suspendedMs)
}
