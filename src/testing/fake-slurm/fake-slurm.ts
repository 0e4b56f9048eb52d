// Long because it is the interface, of one member per fault; what the members do lies in the files beside it.
import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { type CommandCall, redirected } from '../fake-commands/command-call.ts'
import { FakeCommands } from '../fake-commands/fake-commands.ts'
import type { FakeScheduler } from '../fake-commands/fake-scheduler.ts'
import { type ClusterState, createClusterState, findRecords, forgetJob, parseIdSelector } from './cluster-state.ts'
import { JobLife } from './job-life.ts'
import { type OutageKind, outageAnswer } from './outages.ts'
import { sacct } from './sacct-command.ts'
import { sacctmgr } from './sacctmgr-command.ts'
import { sbatch } from './sbatch-command.ts'
import { scancel } from './scancel-command.ts'
import { scontrol } from './scontrol-command.ts'
import { sinfo } from './sinfo-command.ts'
import { type CommandContext, CommandFailure, type SlurmCommand } from './slurm-command.ts'
import { publicId, type SlurmJob, type SlurmState, shownState } from './slurm-job.ts'
import { type FakeSlurmOptions, resolveSlurmSettings } from './slurm-options.ts'
import { squeue } from './squeue-command.ts'
import { srun } from './srun-command.ts'

/** A job as tests look at it. */
export interface FakeSlurmJob {
  /** Raw id, as `%A` of squeue. */
  readonly id: number
  /** `123`, `123_4`, `123_[5-9%2]`. */
  readonly publicId: string
  readonly name: string
  /** As squeue says it, COMPLETING included. */
  readonly state: SlurmState
  readonly reason: string
  readonly exitCode: number
  readonly exitSignal: number
  readonly nodes: readonly string[]
  readonly restarts: number
  /** Pids of its processes. */
  readonly pids: readonly number[]
  readonly submitMs: number
  readonly startMs: number | undefined
  readonly endMs: number | undefined
}

/** An id in any form a user may type: `5`, `'5_3'`. */
export type FakeJobId = number | string

/** A fake Slurm 22.05: commands on PATH, one controller in this process, jobs that are real processes of this machine. */
export interface FakeSlurm extends FakeScheduler {
  /** A job or element the controller knows; undefined when it has none. */
  job(id: FakeJobId): FakeSlurmJob | undefined
  /** All records of the controller; waiting elements of an array are one record. */
  jobs(): readonly FakeSlurmJob[]
  /** Puts a job into a state; an end state ends its processes by KILL. */
  setState(
    id: FakeJobId,
    state: SlurmState,
    options?: { readonly reason?: string; readonly exitCode?: number; readonly exitSignal?: number },
  ): void
  /** The start that squeue --start shows for a waiting job. */
  setExpectedStart(id: FakeJobId, ms: number): void
  hold(id: FakeJobId, reason?: 'JobHeldUser' | 'JobHeldAdmin'): void
  release(id: FakeJobId): void
  suspend(id: FakeJobId): void
  resume(id: FakeJobId): void
  /** As `scontrol requeue`: REQUEUED, then PENDING BeginTime for about two minutes. */
  requeue(id: FakeJobId): void
  /** As its partition's preemption says; without one, requeued if it may be. */
  preempt(id: FakeJobId): void
  /** Its machine dies: NODE_FAIL; requeued unless it was submitted with --no-requeue. */
  nodeFail(id: FakeJobId): void
  /** OUT_OF_MEMORY 0:125. */
  oom(id: FakeJobId): void
  /** TIMEOUT at once. */
  timeout(id: FakeJobId): void
  /** Breaks Slurm, until `recover` or for a span of real time. */
  outage(kind: OutageKind, options?: { readonly forMs?: number }): void
  /** The command's next output (stdout) is this text. */
  garble(command: string, text: string): void
  /** The controller forgets an ended job, as after MinJobAge; accounting keeps it. */
  forget(id: FakeJobId): void
  /** Accounting forgets everything. */
  purgeHistory(): void
  /**
   * The controller forgets all jobs from this raw id on (default: all) and gives their ids out again, as one that was killed
   * before it saved its state. Accounting keeps their rows as they were; their processes are killed.
   */
  reuseIds(from?: number): void
  /** Rows reach accounting this much later. */
  accountingLag(ms: number): void
  /** The next sbatch makes its job, and then reports `Socket timed out`. */
  submitThenHang(): void
  /** The next sbatch reports `Socket timed out`, and no job is made. */
  submitHangsUnmade(): void
}

const COMMANDS: Readonly<Record<string, SlurmCommand>> = { sbatch, squeue, sacct, scancel, scontrol, sinfo, srun, sacctmgr }

/** Starts a fake Slurm in a directory. It holds no timer that keeps a process alive; `close` it all the same. */
export async function createFakeSlurm(options: FakeSlurmOptions): Promise<FakeSlurm> {
  const { username, uid, gid } = userInfo()
  const settings = resolveSlurmSettings(options, { name: username, uid, gid })
  const state = createClusterState(settings)
  const life = new JobLife(state, randomBytes(6).toString('hex'))
  const faults = new CommandFaults(state, life)
  const commands = await FakeCommands.open(settings.directory, Object.keys(COMMANDS), (call) => faults.answer(call))

  const find = (id: FakeJobId): SlurmJob => {
    const job = lookUp(state, id)
    if (!job) throw new Error(`the fake Slurm has no job ${id}`)
    return job
  }
  const view = (job: SlurmJob): FakeSlurmJob => viewJob(job, life)
  const end = (id: FakeJobId, how: Parameters<JobLife['end']>[1]): void => life.end(find(id), how)

  return {
    path: commands.path,
    env: commands.env,
    now: () => state.clock.now(),
    advance(ms) {
      state.clock.advance(ms)
      life.look()
    },
    job: (id) => {
      const job = lookUp(state, id)
      return job && view(job)
    },
    jobs: () => [...state.jobs.values()].map(view),
    setState(id, word, given = {}) {
      const job = find(id)
      if (word === 'PENDING' || word === 'RUNNING') Object.assign(job, { state: word, reason: given.reason ?? job.reason })
      else life.end(job, { state: word, atOnce: true, exitCode: given.exitCode ?? 0, ...given })
    },
    setExpectedStart: (id, ms) => Object.assign(find(id), { expectedStartMs: ms }),
    hold: (id, reason = 'JobHeldUser') => life.hold(find(id), reason),
    release: (id) => life.release(find(id)),
    suspend: (id) => life.suspend(find(id)),
    resume: (id) => life.resume(find(id)),
    requeue: (id) => life.requeue(find(id)),
    preempt: (id) => life.preempt(find(id)),
    nodeFail(id) {
      const job = find(id)
      const why = ' DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS'
      life.end(job, { state: 'NODE_FAIL', reason: 'NodeDown', why, atOnce: true, afterwards: job.request.requeue ? 'requeue' : 'end' })
    },
    oom: (id) => end(id, { state: 'OUT_OF_MEMORY', reason: 'OutOfMemory', exitSignal: 125, atOnce: true, quiet: true }),
    timeout: (id) => end(id, { state: 'TIMEOUT', reason: 'TimeLimit', why: ' DUE TO TIME LIMIT' }),
    outage: (kind, given) => faults.break(kind, given?.forMs),
    recover: (given) => faults.recover(given?.lost ?? false),
    delay: (command, ms) => faults.delays.set(command, ms),
    truncateNextOutput: (command, bytes) => faults.edits.set(command, (text) => Buffer.from(text).subarray(0, bytes).toString()),
    garble: (command, text) => faults.edits.set(command, () => text),
    forget: (id) => forgetJob(state, find(id)),
    purgeHistory: () => state.accounting.purge(),
    reuseIds(from = settings.firstJobId) {
      for (const job of [...state.jobs.values()]) if (job.id >= from) life.drop(job)
      state.nextId = from
    },
    accountingLag: (ms) => Object.assign(state.accounting, { lagMs: ms }),
    submitThenHang: () => faults.nextSubmit('made'),
    submitHangsUnmade: () => faults.nextSubmit('unmade'),
    calls: (command) => faults.lines.filter((line) => command === undefined || line.startsWith(`${command} `)).length,
    callLines: () => faults.lines,
    async close() {
      faults.close()
      await commands.close()
      await life.close()
      commands.remove('spool')
    },
  }
}

function lookUp(state: ClusterState, id: FakeJobId): SlurmJob | undefined {
  const selector = parseIdSelector(String(id))
  return selector && (selector.tasks ? findRecords(state, selector)[0] : (state.jobs.get(selector.id) ?? findRecords(state, selector)[0]))
}

function viewJob(job: SlurmJob, life: JobLife): FakeSlurmJob {
  const { id, reason, exitCode, exitSignal, nodes, restarts, submitMs, startMs, endMs } = job
  const facts = { id, reason, exitCode, exitSignal, nodes, restarts, submitMs, startMs, endMs }
  const tasks = job.pendingTasks && job.state === 'PENDING' ? job.pendingTasks.join(',') : undefined
  return {
    ...facts,
    publicId: publicId(job, tasks),
    name: job.request.name,
    state: shownState(job),
    get pids() {
      return life.runningOf(job)?.processes() ?? []
    },
  }
}

/** What stands between a call and its command: outages, delays, damaged output. */
class CommandFaults {
  readonly delays = new Map<string, number>()
  readonly edits = new Map<string, (text: string) => string>()
  readonly lines: string[] = []
  readonly #context: CommandContext
  readonly #state: ClusterState
  readonly #life: JobLife
  readonly #accepted: (() => Promise<unknown>)[] = []
  #outage: OutageKind | undefined
  #recovery: NodeJS.Timeout | undefined
  #submitFault: 'made' | 'unmade' | undefined

  constructor(state: ClusterState, life: JobLife) {
    this.#state = state
    this.#life = life
    this.#context = {
      state,
      life,
      takeSubmitFault: () => {
        const fault = this.#submitFault
        this.#submitFault = undefined
        return fault === undefined ? undefined : 'hang'
      },
    }
  }

  break(kind: OutageKind, forMs: number | undefined): void {
    clearTimeout(this.#recovery)
    this.#outage = kind
    this.#life.pause(kind === 'down' || kind === 'hung')
    if (forMs !== undefined) this.#recovery = setTimeout(() => this.recover(false), forMs)
  }

  recover(lost: boolean): void {
    clearTimeout(this.#recovery)
    const restarted = this.#outage === 'down'
    this.#outage = undefined
    this.#life.pause(false)
    if (restarted) this.#life.restarted()
    for (const carryOut of this.#accepted.splice(0)) if (!lost) void carryOut()
  }

  nextSubmit(fault: 'made' | 'unmade'): void {
    this.#submitFault = fault
  }

  close(): void {
    clearTimeout(this.#recovery)
  }

  async answer(call: CommandCall): Promise<number> {
    this.lines.push([call.command, ...call.argv, ''].join(' '))
    await this.#wait(this.delays.get(call.command) ?? 0)
    const broken = this.#outage && outageAnswer(this.#outage, call)
    if (broken) {
      if (broken.carriedOutLater) this.#accepted.push(() => this.#run(redirected(call)))
      await this.#wait(broken.ms * this.#state.settings.outageTimeScale)
      if (broken.out) call.out(broken.out)
      if (broken.err) call.err(broken.err)
      return broken.code
    }
    if (call.command === 'sbatch' && this.#submitFault === 'unmade' && !call.argv.includes('--version')) {
      this.#submitFault = undefined
      await this.#wait(10_500 * this.#state.settings.outageTimeScale)
      call.err('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n')
      return 1
    }
    const edit = this.edits.get(call.command)
    if (!edit) return this.#run(call)
    this.edits.delete(call.command)
    let text = ''
    const code = await this.#run(redirected(call, { out: (piece) => (text += piece), err: (piece) => call.err(piece) }))
    call.out(edit(text))
    return code
  }

  async #run(call: CommandCall): Promise<number> {
    const command = COMMANDS[call.command]
    if (!command) throw new Error(`the fake Slurm has no command ${call.command}`)
    try {
      return await command(this.#context, call)
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      call.err(`${error.message}\n`)
      return error.code
    }
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }
}
