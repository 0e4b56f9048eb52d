import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { findJobProcesses, signalProcess } from '../fake-slurm/job-processes.ts'
import { jobEnvironment, outputPaths } from './pjm-environment.ts'
import { moveTo, PJM_ENDED, type PjmEnd, type PjmJob, type StepDependency } from './pjm-job.ts'
import { type PjmState, subJobs } from './pjm-state.ts'

/** How pjdel ends a job: CCL with PC 1 [D]; EC, SN and REASON are not public. */
const DELETED: PjmEnd = { word: 'CCL', ec: 0, pc: 1, sn: 0, reason: '-' }
/** The end at the elapse limit [V]. */
const TIMED_OUT: PjmEnd = { word: 'EXT', ec: 0, pc: 11, sn: 24, reason: 'ELAPSE LIMIT EXCEEDED' }

interface Run {
  readonly child: ChildProcess | undefined
  readonly mark: string
  readonly sessions: ReadonlySet<number>
  /** How it ends, once that was decided from outside. */
  decided: PjmEnd | undefined
  killAt: number | undefined
  /** Set when its script has ended. */
  result: { readonly code: number; readonly signal: number } | undefined
}

/** Starts scripts as real processes, ends them, looks at limits. */
export class PjmLife {
  readonly #state: PjmState
  readonly #token: string
  readonly #bin: string
  readonly #spool: string
  readonly #runs = new Map<PjmJob, Run>()
  readonly #tick: NodeJS.Timeout
  #paused = false

  constructor(state: PjmState, token: string) {
    this.#state = state
    this.#token = token
    this.#bin = `${state.settings.directory}/bin`
    this.#spool = `${state.settings.directory}/spool`
    mkdirSync(this.#spool, { recursive: true })
    this.#tick = setInterval(() => this.look(), 50)
    this.#tick.unref()
  }

  /** Pids of a job's processes. */
  processesOf(job: PjmJob): readonly number[] {
    const run = this.#runs.get(job)
    return run === undefined ? [] : findJobProcesses(`FAKE_PJM_JOB=${run.mark}\0`, run.sessions)
  }

  /** While paused nothing starts and no limit is looked at; processes go on. */
  pause(paused: boolean): void {
    this.#paused = paused
    if (!paused) this.look()
  }

  /** Starts what has room and ends what is due. */
  look(): void {
    if (this.#paused) return
    const now = this.#state.now()
    for (const [job, run] of this.#runs) this.#lookAt(job, run, now)
    let free = this.#state.settings.nodes
    for (const job of this.#runs.keys()) free -= job.request.nodes
    for (const job of this.#state.jobs.values()) {
      if (job.isParent || job.word !== 'QUE' || this.#waitsForStep(job)) continue
      if (job.skip && this.#isSkipped(job, job.skip)) {
        this.#settle(job, { word: 'CCL', ec: 0, pc: 6, sn: 0, reason: '-' })
        continue
      }
      if (job.request.nodes > free) continue
      free -= job.request.nodes
      this.#start(job)
    }
  }

  /** Sub-jobs of a step job run one at a time, in order [D]. */
  #waitsForStep(job: PjmJob): boolean {
    if (job.model !== 'ST') return false
    const parent = this.#state.jobs.get(String(job.id))
    if (!parent) return false
    return subJobs(this.#state, parent).some((each) => (each.number ?? 0) < (job.number ?? 0) && !PJM_ENDED.has(each.word))
  }

  #isSkipped(job: PjmJob, skip: StepDependency): boolean {
    const parent = this.#state.jobs.get(String(job.id))
    if (!parent) return false
    const before = subJobs(this.#state, parent).filter((each) => each !== job && skip.steps.includes(each.number ?? -1))
    return before.some((each) => compare(skip.form === 'ec' ? each.ec : each.pc, skip))
  }

  #start(job: PjmJob): void {
    const { settings } = this.#state
    const now = this.#state.now()
    moveTo(job, 'RNA')
    job.startMs = now
    const mark = `${this.#token}.${job.publicId}`
    const { request } = job
    const scriptPath = `${this.#spool}/${job.publicId}`
    writeFileSync(scriptPath, request.script, { mode: 0o700, encoding: 'latin1' })
    let files: number[] = []
    try {
      if (!existsSync(request.cwd)) throw new Error('NO CURRENT DIR')
      const { stdout, stderr } = outputPaths(job)
      files = [openSync(stdout, 'w'), stderr === stdout ? -1 : openSync(stderr, 'w')]
      const [out = 0, err = -1] = files
      const [, interpreter = '/bin/sh', argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*?))?[ \t]*(?:\n|$)/.exec(request.script) ?? []
      const child = spawn(interpreter, [...(argument ? [argument] : []), scriptPath, ...request.args], {
        cwd: request.cwd,
        env: { ...jobEnvironment(settings, job, this.#bin), FAKE_PJM_JOB: mark },
        stdio: ['ignore', out, err < 0 ? out : err],
        detached: true,
      })
      const run: Run = {
        child,
        mark,
        sessions: new Set(child.pid === undefined ? [] : [child.pid]),
        decided: undefined,
        killAt: undefined,
        result: undefined,
      }
      this.#runs.set(job, run)
      moveTo(job, 'RUN')
      child.once('error', () => {
        run.decided ??= { word: 'EXT', ec: 0, pc: 21, sn: 0, reason: '-' }
        run.result ??= { code: 0, signal: 0 }
      })
      child.once('exit', (code, signal) => {
        rmSync(scriptPath, { force: true })
        run.result ??= { code: code ?? 0, signal: signal ? constants.signals[signal] : 0 }
        this.look()
      })
    } catch (error) {
      const missing = error instanceof Error && error.message === 'NO CURRENT DIR'
      this.#settle(job, { word: 'EXT', ec: 0, pc: 16, sn: 0, reason: missing ? 'NO CURRENT DIR' : 'FILE IO ERROR' })
    } finally {
      for (const file of files) if (file >= 0) closeSync(file)
    }
  }

  #lookAt(job: PjmJob, run: Run, now: number): void {
    if (run.result === undefined) {
      if (run.decided === undefined && now - (job.startMs ?? now) > job.request.elapseMs) {
        run.decided = TIMED_OUT
        this.#signal(job, 'SIGXCPU')
        run.killAt = now + this.#state.settings.killWaitMs
      }
      if (run.killAt !== undefined && run.killAt <= now) this.#signal(job, 'SIGKILL')
      return
    }
    // What the script left behind goes with the job.
    if (this.processesOf(job).length > 0) {
      this.#signal(job, 'SIGKILL')
      return
    }
    const { code, signal } = run.result
    this.#runs.delete(job)
    this.#settle(job, run.decided ?? { word: 'EXT', ec: signal ? 0 : code, pc: 0, sn: signal, reason: '-' })
  }

  #settle(job: PjmJob, end: PjmEnd): void {
    moveTo(job, 'RNO')
    moveTo(job, end.word)
    Object.assign(job, { ec: end.ec, pc: end.pc, sn: end.sn, reason: end.reason, endMs: this.#state.now() })
  }

  #signal(job: PjmJob, signal: NodeJS.Signals): void {
    for (const pid of this.processesOf(job)) signalProcess(pid, signal)
  }

  /** `pjdel`: what waits is cancelled at once; what runs goes on for a while. */
  delete(job: PjmJob): void {
    const run = this.#runs.get(job)
    if (PJM_ENDED.has(job.word)) return
    if (run === undefined) {
      this.#settle(job, DELETED)
      return
    }
    if (run.decided !== undefined) return
    run.decided = DELETED
    moveTo(job, 'RNO')
    this.#signal(job, this.#state.settings.deleteSignal)
    run.killAt = this.#state.now() + this.#state.settings.killWaitMs
  }

  /** Ends a job at once, in any way; also one that has ended is given another end. */
  end(job: PjmJob, end: PjmEnd): void {
    const run = this.#runs.get(job)
    if (run === undefined) {
      this.#settle(job, end)
      return
    }
    run.decided = end
    this.#signal(job, 'SIGKILL')
  }

  /** Its processes end with their machine, without an end being noted. */
  killProcesses(job: PjmJob): void {
    this.#signal(job, 'SIGKILL')
    this.#runs.delete(job)
  }

  /** Ends every process and waits until none is left. */
  async close(): Promise<void> {
    clearInterval(this.#tick)
    this.#paused = true
    const deadline = Date.now() + 10_000
    for (;;) {
      const left = [...this.#runs.keys()].filter((job) => this.processesOf(job).length > 0)
      if (left.length === 0 || Date.now() > deadline) return
      for (const job of left) this.#signal(job, 'SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

function compare(value: number, { operator, values }: StepDependency): boolean {
  const [first = 0] = values
  switch (operator) {
    case '==':
      return values.includes(value)
    case '!=':
      return !values.includes(value)
    case '<':
      return value < first
    case '>':
      return value > first
    case '<=':
      return value <= first
    default:
      return value >= first
  }
}
