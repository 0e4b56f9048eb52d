// Long because it is one state machine: every transition of a job, in one place where they can be checked against each other.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import type { StepRow } from './accounting.ts'
import { type ClusterState, forgetJob } from './cluster-state.ts'
import { batchEnvironment, outputPath } from './job-environment.ts'
import { type ProcessEnd, RunningJob } from './running-job.ts'
import { schedule } from './scheduling.ts'
import { ENDED, type SlurmJob, type SlurmState } from './slurm-job.ts'
import { printInstant } from './slurm-times.ts'

/** How a run is ended from outside. */
export interface EndOptions {
  readonly state: SlurmState
  readonly reason?: string
  /** Rest of slurmstepd's line: `DUE TO TIME LIMIT`. */
  readonly why?: string
  readonly exitCode?: number
  readonly exitSignal?: number
  readonly afterwards?: SlurmJob['afterwards']
  /** KILL at once, as a dying machine does, in place of TERM and KILL after KillWait. */
  readonly atOnce?: boolean
  /** Word of the accounting row, where it is not `state`. */
  readonly recordedAs?: string
  /** slurmstepd writes nothing. */
  readonly quiet?: boolean
}

/** What moves jobs from state to state: starts scripts, ends them, looks at limits. All instants are the fake clock's. */
export class JobLife {
  readonly #state: ClusterState
  readonly #running = new Map<SlurmJob, RunningJob>()
  readonly #kills = new Map<SlurmJob, number>()
  readonly #tick: NodeJS.Timeout
  readonly #spool: string
  readonly #token: string
  #scheduled: NodeJS.Immediate | undefined
  #runs = 0
  /** Ends that a controller which is away has not heard of. */
  readonly #unreported: (() => void)[] = []
  #paused = false

  constructor(state: ClusterState, token: string) {
    this.#state = state
    this.#token = token
    this.#spool = `${state.settings.directory}/spool`
    mkdirSync(this.#spool, { recursive: true })
    this.#tick = setInterval(() => this.look(), 50)
    this.#tick.unref()
  }

  /** Processes of a running job. */
  runningOf(job: SlurmJob): RunningJob | undefined {
    return this.#running.get(job)
  }

  /** While paused (a controller that is down or hung) nothing starts and no limit is enforced; processes go on. */
  pause(paused: boolean): void {
    this.#paused = paused
    if (paused) return
    for (const report of this.#unreported.splice(0)) report()
    this.look()
  }

  /** Writes the job's accounting row. */
  record(job: SlurmJob, word?: string): void {
    if (this.#state.settings.accounting) this.#state.accounting.record(job, this.#stepRows(job), word)
  }

  /** Lets the scheduler look soon; many submissions cost one pass. */
  wake(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined
      this.look()
    })
  }

  /** Enforces what is due and schedules. */
  look(): void {
    if (this.#paused) return
    const now = this.#state.clock.now()
    for (const [job, at] of this.#kills) if (at <= now) this.#running.get(job)?.signalAll('SIGKILL')
    for (const job of [...this.#state.jobs.values()]) this.#lookAt(job, now)
    for (const job of this.#running.keys()) if (job.completing) this.#reap(job)
    schedule(this.#state, {
      start: (job, nodes) => this.#start(job, nodes),
      cancelInvalid: (job) => this.cancel(job, undefined),
      preempt: (job) => this.preempt(job),
      record: (job) => this.record(job),
    })
  }

  #lookAt(job: SlurmJob, now: number): void {
    if (job.state === 'RUNNING' && !job.completing && job.startMs !== undefined) {
      const limitMs = job.minutes * 60_000 + job.suspendedMs
      const { signal } = job.request
      if (signal && !job.warned && now - job.startMs >= limitMs - signal.beforeMs) {
        job.warned = true
        if (signal.batch) this.#running.get(job)?.signalBatch(signal.name)
        else this.#running.get(job)?.signalSteps(signal.name)
      }
      if (now - job.startMs > limitMs) this.end(job, { state: 'TIMEOUT', reason: 'TimeLimit', why: ' DUE TO TIME LIMIT' })
    } else if (ENDED.has(job.state) && !job.completing && now - (job.endMs ?? now) > this.#state.settings.minJobAgeMs) {
      forgetJob(this.#state, job)
    }
  }

  #start(job: SlurmJob, nodes: readonly string[]): void {
    const { settings, clock } = this.#state
    job.state = 'RUNNING'
    job.waitedFor = job.reason
    job.reason = 'None'
    job.nodes = nodes
    job.startMs = clock.now()
    job.endMs = undefined
    job.expectedStartMs = undefined
    job.suspendedMs = 0
    job.warned = false
    Object.assign(job, { exitCode: 0, exitSignal: 0, shownSignal: 0 })
    const running = new RunningJob(`${this.#token}.${job.id}.${++this.#runs}`)
    this.#running.set(job, running)
    this.record(job)
    if (job.het && job.het.offset > 0) return
    const scriptPath = `${this.#spool}/job${String(job.id).padStart(5, '0')}.${this.#runs}`
    writeFileSync(scriptPath, job.request.script, { mode: 0o700, encoding: 'latin1' })
    const { request } = job
    const stdout = outputPath(job, request.output, settings.user.name)
    const stderr = request.error === undefined ? stdout : outputPath(job, request.error, settings.user.name)
    const start = { scriptPath, script: request.script, args: request.args, workDir: request.workDir, append: request.append }
    running.start({ ...start, env: batchEnvironment(this.#state, job), stdout, stderr, node: nodes[0] ?? '' }, (end) => {
      rmSync(scriptPath, { force: true })
      running.batchEndMs = clock.now()
      this.#batchEnded(job, running, end)
    })
  }

  /** The script has ended by itself, or because it was told to. */
  #batchEnded(job: SlurmJob, running: RunningJob, end: ProcessEnd): void {
    if (this.#running.get(job) !== running) return
    if (this.#paused) {
      this.#unreported.push(() => this.#batchEnded(job, running, end))
      return
    }
    if (!job.completing) {
      const failed = end.code !== 0 || end.signal !== 0
      job.state = failed ? 'FAILED' : 'COMPLETED'
      job.reason = end.signal !== 0 ? 'JobLaunchFailure' : failed ? 'NonZeroExitCode' : 'None'
      Object.assign(job, { exitCode: end.code, exitSignal: end.signal, shownSignal: end.signal })
      job.endMs = this.#state.clock.now()
      job.completing = true
      job.afterwards = 'end'
      this.record(job)
      running.signalSteps('SIGTERM')
      this.#endHet(job, job.state)
    }
    // Nothing outlives the script: what it left behind in its own step is killed at once.
    running.signalAll('SIGKILL')
    this.#reap(job)
  }

  #endHet(job: SlurmJob, state: SlurmState): void {
    if (!job.het || job.het.offset > 0) return
    for (const other of this.#state.jobs.values()) {
      if (other !== job && other.het?.id === job.het.id && other.state === 'RUNNING') this.end(other, { state, atOnce: true })
    }
  }

  /** Ends a run; the job stays COMPLETING until no process of it is left. */
  end(job: SlurmJob, options: EndOptions): void {
    const { clock, settings } = this.#state
    const running = this.#running.get(job)
    const now = clock.now()
    if (job.suspendedAtMs !== undefined) this.resume(job)
    job.state = options.state
    job.reason = options.reason ?? 'None'
    job.exitCode = options.exitCode ?? 0
    job.exitSignal = options.exitSignal ?? 0
    job.shownSignal = options.exitSignal ?? (options.exitCode === undefined && options.state !== 'NODE_FAIL' ? 15 : 0)
    job.endMs = now
    job.completing = true
    job.afterwards = options.afterwards ?? 'end'
    this.record(job, options.recordedAs)
    if (!running) {
      this.#reap(job)
      return
    }
    const when = printInstant(now)
    for (const step of running.steps) if (step.endMs === undefined) step.abort(`CANCELLED AT ${when}${options.why ?? ''} ***`)
    const line = `slurmstepd-${job.nodes[0]}: error: *** JOB ${job.id} ON ${job.nodes[0]} CANCELLED AT ${when}${options.why ?? ''} ***`
    if (!options.quiet) running.say(line)
    if (options.atOnce) running.signalAll('SIGKILL')
    else {
      for (const signal of ['SIGCONT', 'SIGTERM'] as const) {
        running.signalBatch(signal)
        running.signalSteps(signal)
      }
    }
    this.#kills.set(job, options.atOnce ? now : now + settings.killWaitMs)
    this.#endHet(job, options.state)
    if (running.batchEnded || job.het) this.#reap(job)
  }

  /** When no process is left, the nodes are free and the job is over, or waits again. */
  #reap(job: SlurmJob): void {
    const running = this.#running.get(job)
    if (!job.completing) return
    if (running) {
      const batchGone = running.batchEnded || (job.het !== undefined && job.het.offset > 0)
      if (!batchGone || running.steps.some((step) => step.endMs === undefined)) return
      if (running.processes().length > 0) {
        running.signalAll('SIGKILL')
        return
      }
    }
    job.completing = false
    if (running && job.afterwards === 'end') this.record(job, job.state)
    this.#running.delete(job)
    this.#kills.delete(job)
    if (job.afterwards !== 'end') this.#requeue(job, job.afterwards === 'requeuehold')
    this.wake()
  }

  #requeue(job: SlurmJob, held: boolean): void {
    const { clock, settings, accounting } = this.#state
    accounting.beginRun(job)
    job.state = 'PENDING'
    job.reason = held ? 'job requeued in held state' : 'BeginTime'
    job.held = held
    job.restarts++
    job.submitMs = clock.now()
    job.beginMs = clock.now() + settings.requeueDelayMs
    job.eligibleMs = job.beginMs
    job.nodes = []
    job.endMs = undefined
    job.startMs = undefined
    job.afterwards = 'end'
    job.waitedFor = 'None'
    Object.assign(job, { exitCode: 0, exitSignal: 0, shownSignal: 0, cancelledBy: undefined })
    this.record(job)
  }

  /** `scancel`: a waiting job is cancelled at once, a running one is ended. `by`: uid, undefined for Slurm itself. */
  cancel(job: SlurmJob, by: number | undefined = this.#state.settings.user.uid): void {
    const now = this.#state.clock.now()
    if (job.completing && job.afterwards !== 'end') {
      job.afterwards = 'end'
      job.state = 'CANCELLED'
      job.cancelledBy = by
      return
    }
    if (ENDED.has(job.state) || job.completing) return
    job.cancelledBy = by
    if (job.state !== 'PENDING') {
      this.end(job, { state: 'CANCELLED' })
      return
    }
    job.waitedFor = job.reason
    job.state = 'CANCELLED'
    job.endMs = now
    job.eligibleMs ??= undefined
    this.record(job)
    job.startMs = now
    this.wake()
  }

  /** What slurmstepd writes when TERM or KILL is sent to a script, whatever the script makes of it. */
  sayCancelled(job: SlurmJob): void {
    const [node] = job.nodes
    const when = printInstant(this.#state.clock.now())
    this.#running.get(job)?.say(`slurmstepd-${node}: error: *** JOB ${job.id} ON ${node} CANCELLED AT ${when} ***`)
  }

  /** Cancels waiting elements alone. They leave no record and no row: Slurm 22.05.8 drops them from the array. */
  cancelTasks(job: SlurmJob, tasks: ReadonlySet<number>): void {
    const left = job.pendingTasks?.filter((task) => !tasks.has(task)) ?? []
    if (left.length === 0) {
      this.cancel(job)
      return
    }
    job.pendingTasks = left
    this.record(job)
  }

  /** `scontrol requeue`, also of a job that has ended. */
  requeue(job: SlurmJob, held = false): void {
    const afterwards = held ? 'requeuehold' : 'requeue'
    if (ENDED.has(job.state) && !job.completing) {
      job.afterwards = afterwards
      job.endMs = this.#state.clock.now()
      this.record(job, 'REQUEUED')
      this.#requeue(job, held)
      this.wake()
      return
    }
    this.end(job, { state: 'PENDING', why: ' DUE TO JOB REQUEUE', afterwards, recordedAs: 'REQUEUED', exitCode: 0 })
  }

  /** As PreemptMode of its partition says. */
  preempt(job: SlurmJob): void {
    const mode = this.#state.settings.partitions.find((one) => one.name === job.request.partition)?.preempt
    const afterwards = mode === 'cancel' || !job.request.requeue ? 'end' : 'requeue'
    this.end(job, { state: 'PREEMPTED', why: ' DUE TO PREEMPTION', afterwards })
  }

  /** Keeps a waiting job from starting. */
  hold(job: SlurmJob, reason: 'JobHeldUser' | 'JobHeldAdmin' = 'JobHeldUser'): void {
    Object.assign(job, { held: true, reason, priority: 0 })
    this.record(job)
  }

  /** Lets a held job go. */
  release(job: SlurmJob): void {
    Object.assign(job, { held: false, reason: 'None', beginMs: undefined, priority: releasedPriority(job) })
    job.waitedFor = 'JobHeldUser'
    this.wake()
  }

  /**
   * What a controller that was started again does: it reports the cancelled jobs it remembers once more, without saying who
   * cancelled them, so that sacct turns from `CANCELLED by UID` 0:0 to `CANCELLED` 0:15 (measured on 22.05.8).
   */
  restarted(): void {
    for (const job of this.#state.jobs.values()) {
      if (job.state !== 'CANCELLED' || job.completing || !this.#state.settings.accounting) continue
      job.cancelledBy = undefined
      job.exitSignal = job.shownSignal
      this.#state.accounting.record(job, undefined)
    }
  }

  /** Stops all processes of a running job. */
  suspend(job: SlurmJob): void {
    job.state = 'SUSPENDED'
    job.suspendedAtMs = this.#state.clock.now()
    this.#running.get(job)?.signalAll('SIGSTOP')
    this.record(job)
  }

  /** Lets a suspended job go on. */
  resume(job: SlurmJob): void {
    job.suspendedMs += this.#state.clock.now() - (job.suspendedAtMs ?? this.#state.clock.now())
    job.suspendedAtMs = undefined
    job.state = 'RUNNING'
    this.#running.get(job)?.signalAll('SIGCONT')
    this.record(job)
  }

  /** Drops a job's processes and forgets it, as a controller that lost its state. */
  drop(job: SlurmJob): void {
    this.#running.get(job)?.signalAll('SIGKILL')
    this.#running.delete(job)
    this.#kills.delete(job)
    forgetJob(this.#state, job)
  }

  /** Ends every process and waits until none is left. */
  async close(): Promise<void> {
    clearInterval(this.#tick)
    clearImmediate(this.#scheduled)
    this.#paused = true
    const all = [...this.#running.values()]
    this.#running.clear()
    const deadline = Date.now() + 10_000
    for (;;) {
      const left = all.filter((running) => running.processes().length > 0)
      if (left.length === 0 || Date.now() > deadline) return
      for (const running of left) running.signalAll('SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  #stepRows(job: SlurmJob): readonly StepRow[] {
    const running = this.#running.get(job)
    if (!running || job.startMs === undefined) return []
    const common = { startMs: job.startMs, endMs: job.endMs }
    const { batchEnd: end } = running
    const batchState =
      end === undefined
        ? job.endMs === undefined
          ? 'RUNNING'
          : 'CANCELLED'
        : end.signal === 15 && job.state !== 'FAILED'
          ? 'CANCELLED'
          : end.code || end.signal
            ? 'FAILED'
            : 'COMPLETED'
    const batch = { step: 'batch', name: 'batch', state: job.state === 'OUT_OF_MEMORY' ? job.state : batchState }
    const exit = job.state === 'OUT_OF_MEMORY' ? '0:125' : end ? `${end.code}:${end.signal}` : job.endMs === undefined ? '0:0' : ''
    return [
      { ...batch, exit, startMs: job.startMs, endMs: running.batchEndMs ?? job.endMs, nodes: job.nodes.slice(0, 1) },
      {
        step: 'extern',
        name: 'extern',
        state: job.endMs === undefined ? 'RUNNING' : 'COMPLETED',
        exit: '0:0',
        ...common,
        nodes: job.nodes,
      },
      ...running.steps.map((step) => ({ ...step, step: String(step.id) })),
    ]
  }
}

/** A released job stands where its id says: behind earlier ones. */
function releasedPriority(job: SlurmJob): number {
  return 4_294_901_760 - job.id
}
