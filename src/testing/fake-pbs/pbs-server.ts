import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { SlurmClock } from '../fake-slurm/slurm-clock.ts'
import { resolveDependencies } from './pbs-depend.ts'
import { idOf, isOver, type PbsJob, type PbsRequest } from './pbs-job.ts'
import { type PbsSettings, SERVER } from './pbs-options.ts'
import { placeJob } from './pbs-placement.ts'
import { PbsProcesses, type TaskStart } from './pbs-processes.ts'
import { printCommentTime } from './pbs-times.ts'

/** How often a start may fail before the server holds the job (OpenPBS 23.06.06). */
const MAX_FAILED_STARTS = 21

/** What moves jobs from state to state. All instants are the fake clock's. */
export class PbsServer {
  readonly settings: PbsSettings
  readonly clock = new SlurmClock()
  readonly jobs: PbsJob[] = []
  history: boolean
  /** What has ended is told of so much later. */
  historyLagMs = 0
  nextNumber = 1
  /** While true nothing starts and no limit is looked at; processes go on. */
  paused = false
  readonly #running = new Map<PbsJob, PbsProcesses>()
  readonly #ended: PbsProcesses[] = []
  readonly #tick: NodeJS.Timeout
  readonly #spool: string
  #woken: NodeJS.Immediate | undefined

  constructor(settings: PbsSettings, history: boolean) {
    this.settings = settings
    this.history = history
    this.#spool = `${settings.directory}/spool`
    mkdirSync(this.#spool, { recursive: true })
    this.#tick = setInterval(() => this.look(), 50)
    this.#tick.unref()
  }

  /** Takes a request in; a number is consumed even by one that was refused. */
  submit(request: PbsRequest, held: boolean): PbsJob {
    const number = this.nextNumber++
    const parent = this.#create(request, number, undefined, undefined)
    if (held) parent.holds.add('u')
    if (request.depend.length > 0) parent.holds.add('s')
    for (const index of request.array?.indices ?? []) parent.subjobs.push(this.#create(request, number, index, parent))
    this.jobs.push(parent)
    this.settle(parent)
    this.wake()
    return parent
  }

  #create(request: PbsRequest, number: number, index: number | undefined, parent: PbsJob | undefined): PbsJob {
    const now = this.clock.now()
    return {
      number,
      index,
      parent,
      subjobs: [],
      request,
      name: request.name,
      walltimeMs: request.walltimeMs,
      state: 'Q',
      substate: 10,
      holds: new Set(),
      comment: undefined,
      exitStatus: undefined,
      hosts: [],
      ctimeMs: now,
      mtimeMs: now,
      stimeMs: undefined,
      obittimeMs: undefined,
      runCount: 0,
      stageoutStatus: undefined,
      failedStarts: 0,
      deleted: false,
      killAtMs: undefined,
      exceeded: undefined,
      forgotten: false,
    }
  }

  /** The letter of a job that waits: held, waiting for its time, or queued. */
  settle(job: PbsJob): void {
    if (!'QHW'.includes(job.state)) return
    const waits = job.request.beginMs !== undefined && job.request.beginMs > this.clock.now()
    if (job.holds.size > 0) Object.assign(job, { state: 'H', substate: job.holds.has('s') && job.request.depend.length > 0 ? 22 : 20 })
    else if (waits) Object.assign(job, { state: 'W', substate: 30 })
    else Object.assign(job, { state: 'Q', substate: 10 })
    job.mtimeMs = this.clock.now()
  }

  /** What the server admits to know, finished jobs only with `history`. */
  known(history: boolean): readonly PbsJob[] {
    const latest = this.clock.now() - this.historyLagMs
    return this.jobs.filter((job) => !job.forgotten && (job.state !== 'F' || (history && this.history && job.mtimeMs <= latest)))
  }

  /** By `12`, `12.pbshead`, `12[]`, `12[3]`; also what has ended. */
  find(id: string): PbsJob | undefined {
    const [, number, brackets, index] = /^(\d+)(\[(\d*)\])?(?:\..*)?$/.exec(id) ?? []
    const job = this.jobs.findLast((each) => each.number === Number(number) && !each.forgotten)
    if (!job || (brackets === undefined) !== (job.request.array === undefined)) return undefined
    return index ? job.subjobs.find((each) => each.index === Number(index)) : job
  }

  /** Lets the scheduler look soon; many submissions cost one pass. */
  wake(): void {
    this.#woken ??= setImmediate(() => {
      this.#woken = undefined
      this.look()
    })
  }

  /** Enforces what is due, releases dependents, starts what has room. */
  look(): void {
    if (this.paused) return
    const now = this.clock.now()
    for (const [job, processes] of this.#running) {
      if (job.killAtMs !== undefined && job.killAtMs <= now) processes.signal('SIGKILL')
      else if (job.state === 'R' && job.walltimeMs !== undefined && now - (job.stimeMs ?? now) > job.walltimeMs && !job.exceeded)
        this.exceed(job, 'walltime')
    }
    resolveDependencies(this)
    for (const job of this.jobs) {
      if (job.state === 'W') this.settle(job)
      if (job.state === 'F' && now - job.mtimeMs > this.settings.historyMs) job.forgotten = true
    }
    this.#schedule()
  }

  #schedule(): void {
    const busy = [...this.#running.keys()]
    for (const top of this.jobs) {
      if (top.state !== 'Q' && top.state !== 'B') continue
      const running = top.subjobs.filter((each) => this.#running.has(each)).length
      const limit = top.request.array?.atOnce ?? Number.POSITIVE_INFINITY
      const waiting = top.request.array ? top.subjobs.filter((each) => each.state === 'Q').slice(0, Math.max(0, limit - running)) : [top]
      for (const job of waiting) {
        const found = placeJob(this.settings, job.request, busy)
        if (found.kind === 'no_room') {
          top.comment = top.state === 'Q' ? found.comment : top.comment
          break
        }
        busy.push(job)
        this.#start(job, found.hosts)
        if (job.state !== 'R') break
      }
    }
  }

  #start(job: PbsJob, hosts: readonly string[]): void {
    const now = this.clock.now()
    const id = idOf(job)
    const spooled = `${this.#spool}/${id}`
    const { request } = job
    // Direct output: opened where it is to lie, which must be there.
    const direct = request.keep.includes('d')
    const files = direct ? outputFiles(job) : { out: `${spooled}.OU`, err: `${spooled}.ER` }
    if (direct && !existsSync(dirname(files.out))) {
      job.failedStarts = MAX_FAILED_STARTS
      Object.assign(job, { exitStatus: -3, comment: 'job held, too many failed attempts to run' })
      job.holds.add('s')
      this.settle(job)
      return
    }
    const processes = new PbsProcesses(`${this.settings.directory}/${id}/${++job.runCount}`)
    const script = `${this.#spool}/${id}.SC`
    writeFileSync(script, request.script, { mode: 0o700 })
    Object.assign(job, { hosts, state: 'R', substate: 41, stimeMs: now, mtimeMs: now, killAtMs: undefined, exceeded: undefined })
    job.comment = `Job run at ${printCommentTime(now)} on ${hosts.map((host, at) => `(${host}:ncpus=${request.chunks[at]?.ncpus ?? 1})`).join('+')}`
    if (job.parent && job.parent.state !== 'B')
      Object.assign(job.parent, { state: 'B', substate: 70, stimeMs: now, comment: `Job Array Began at ${printCommentTime(now)}` })
    this.#running.set(job, processes)
    const joined = request.join === 'oe' ? files.out : files.err
    const start = { program: request.shell, args: [script, ...request.args], cwd: request.home, env: this.#environment(job, 0, 1) }
    try {
      processes.start({ ...start, out: files.out, err: joined }, (status) => this.#end(job, processes, status, direct))
    } catch {
      setImmediate(() => this.#end(job, processes, 254, direct))
    }
  }

  /** The environment of a task in a job, as on a real host. `node`: 0-based host of the job. */
  #environment(job: PbsJob, node: number, task: number): Record<string, string> {
    const { request } = job
    const id = idOf(job)
    const temporary = `${this.settings.directory}/tmp/pbs.${id}`
    mkdirSync(temporary, { recursive: true })
    const nodefile = `${this.#spool}/${id}.nodes`
    const lines = job.hosts.flatMap((host, at) => Array.from({ length: Math.max(1, request.chunks[at]?.mpiprocs ?? 1) }, () => host))
    writeFileSync(nodefile, lines.map((host) => `${host}\n`).join(''))
    const ncpus = String(request.chunks[0]?.ncpus ?? 1)
    return {
      ENVIRONMENT: 'BATCH',
      HOME: request.home,
      LOGNAME: this.settings.user,
      NCPUS: ncpus,
      OMP_NUM_THREADS: ncpus,
      PATH: task === 1 ? '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games' : '/bin:/usr/bin',
      PBS_ENVIRONMENT: 'PBS_BATCH',
      PBS_JOBCOOKIE: '00000000000000000000000000000000',
      PBS_JOBDIR: request.home,
      PBS_JOBID: id,
      PBS_JOBNAME: job.name,
      PBS_MOMPORT: '15003',
      PBS_NODENUM: String(node),
      PBS_QUEUE: request.queue,
      PBS_TASKNUM: String(task),
      SHELL: '/bin/bash',
      TMPDIR: temporary,
      TZ: 'UTC',
      USER: this.settings.user,
      ...(task === 1 ? { PBS_NODEFILE: nodefile } : {}),
      ...(job.index === undefined || !job.parent ? {} : { PBS_ARRAY_INDEX: String(job.index), PBS_ARRAY_ID: idOf(job.parent) }),
      ...request.variables,
    }
  }

  /** `pbs_tmrsh`: a task on a host of a running job. Resolves to what the command returns: 9 for a SIGKILL. */
  runTask(
    job: PbsJob,
    host: string,
    words: readonly string[],
    to: Pick<TaskStart, 'out' | 'err'>,
    gone: (end: () => void) => void,
  ): Promise<number> {
    const processes = this.#running.get(job)
    const [program = '', ...args] = words
    const env = this.#environment(job, [...new Set(job.hosts)].indexOf(host), 2)
    if (!processes) return Promise.resolve(255)
    return new Promise((resolve) => {
      const task = new PbsProcesses(`${this.settings.directory}/${idOf(job)}/task`)
      this.#ended.push(task)
      gone(() => task.signal('SIGKILL'))
      const watch = setInterval(() => {
        if (!this.#running.has(job)) task.signal('SIGKILL')
      }, 50)
      task.start({ program, args, cwd: job.request.home, env, ...to }, (status) => {
        clearInterval(watch)
        resolve(status >= 256 ? status - 256 : status)
      })
    })
  }

  #end(job: PbsJob, processes: PbsProcesses, status: number, direct: boolean): void {
    if (this.#running.get(job) !== processes) return
    processes.signal('SIGKILL')
    this.#running.delete(job)
    this.#ended.push(processes)
    const now = this.clock.now()
    job.stageoutStatus = direct || this.#deliver(job) ? 1 : 0
    rmSync(`${this.#spool}/${idOf(job)}.SC`, { force: true })
    job.obittimeMs = now
    job.exitStatus = job.exceeded === 'walltime' ? -29 : job.exceeded === 'mem' ? -27 : job.exceeded === 'node' ? -20 : status
    const how =
      job.exceeded === 'node'
        ? 'failed'
        : job.exceeded
          ? `exceeded resource ${job.exceeded}`
          : job.deleted
            ? `terminated by ${this.settings.user}@${SERVER}`
            : status === 0
              ? 'finished'
              : 'failed'
    job.comment = `${job.comment ?? ''} and ${how}`
    this.finish(job, job.deleted ? 91 : job.exitStatus === 0 ? 92 : 93)
  }

  /** Copies what was written in the spool to where it was asked for. */
  #deliver(job: PbsJob): boolean {
    const spooled = `${this.#spool}/${idOf(job)}`
    const files = outputFiles(job)
    try {
      // Not copyFileSync: where it fails it removes its destination, be that /dev/null.
      writeFileSync(files.out, readFileSync(`${spooled}.OU`))
      if (job.request.join !== 'oe') writeFileSync(files.err, readFileSync(`${spooled}.ER`))
      for (const end of ['OU', 'ER']) rmSync(`${spooled}.${end}`, { force: true })
      return true
    } catch {
      // As on a real host: what cannot be delivered stays in the spool.
      return false
    }
  }

  /** Puts a job that has no process any more to its end. */
  finish(job: PbsJob, substate: number): void {
    Object.assign(job, { state: job.parent ? 'X' : 'F', substate, mtimeMs: this.clock.now() })
    if (!this.history && !job.parent) job.forgotten = true
    const { parent } = job
    if (parent?.subjobs.every(isOver) && parent.state !== 'F') {
      const failed = parent.subjobs.some((each) => each.exitStatus !== 0)
      const how = parent.deleted ? 'terminated' : failed ? 'failed' : 'finished'
      for (const each of parent.subjobs) each.state = 'F'
      parent.obittimeMs = this.clock.now()
      parent.stageoutStatus = 1
      parent.exitStatus = failed ? 1 : 0
      if (parent.stimeMs !== undefined) parent.comment = `${parent.comment ?? ''} and ${how}`
      this.finish(parent, parent.deleted ? 91 : failed ? 93 : 92)
    }
    this.wake()
  }

  /** `qdel`: what waits ends at once, without a status; what runs is asked to, and killed after the delay. */
  remove(job: PbsJob): void {
    if (isOver(job)) return
    job.deleted = true
    if (job.request.array && !job.parent) {
      const waiting = job.subjobs.filter((each) => each.state === 'Q')
      if (job.state !== 'B') {
        this.finish(job, 91)
        return
      }
      for (const each of waiting)
        Object.assign(each, { deleted: true, state: 'X', substate: 91, exitStatus: 1, comment: 'Subjob finished' })
      const running = job.subjobs.filter((each) => this.#running.has(each))
      for (const each of running) this.remove(each)
      const [last] = waiting
      if (running.length === 0 && last) this.finish(last, 91)
      return
    }
    const processes = this.#running.get(job)
    if (!processes) {
      if (job.parent) Object.assign(job, { exitStatus: 271 })
      this.finish(job, 91)
      return
    }
    job.killAtMs = this.clock.now() + this.settings.killDelayMs
    if (job.state === 'S') processes.signal('SIGCONT')
    processes.signal('SIGTERM')
  }

  /** A limit was passed: TERM, and KILL after the delay. */
  exceed(job: PbsJob, resource: 'walltime' | 'mem'): void {
    job.exceeded = resource
    job.killAtMs = this.clock.now() + this.settings.killDelayMs
    const processes = this.#running.get(job)
    if (resource === 'mem') processes?.signal('SIGKILL')
    else processes?.signal('SIGTERM')
  }

  /** Its host dies: JOB_EXEC_RERUN_MS_FAIL, the value that is reported when the first host of a job is lost. */
  failNode(job: PbsJob): void {
    for (const each of [job, ...job.subjobs]) {
      const processes = this.#running.get(each)
      if (processes === undefined) continue
      each.exceeded = 'node'
      for (const pid of processes.all()) kill(pid)
    }
  }

  /** `qsig`: to the sessions of a running job, or of all running subjobs. False where it does not run. */
  signal(job: PbsJob, signal: NodeJS.Signals | 'suspend' | 'resume'): boolean {
    const running = [job, ...job.subjobs].filter((each) => this.#running.has(each))
    for (const each of running) {
      if (signal === 'suspend') Object.assign(each, { state: 'S', substate: 43 })
      if (signal === 'resume') Object.assign(each, { state: 'R', substate: 42 })
      this.#running.get(each)?.signal(signal === 'suspend' ? 'SIGSTOP' : signal === 'resume' ? 'SIGCONT' : signal)
    }
    return running.length > 0
  }

  /** Drops a job without a word, as after a loss of the server's memory; its processes are killed. */
  drop(job: PbsJob): void {
    job.forgotten = true
    for (const each of [job, ...job.subjobs]) {
      const processes = this.#running.get(each)
      this.#running.delete(each)
      for (const pid of processes?.all() ?? []) kill(pid)
    }
  }

  /** Processes of a job, for tests. */
  pids(job: PbsJob): readonly number[] {
    return [job, ...job.subjobs].flatMap((each) => this.#running.get(each)?.all() ?? [])
  }

  /** Ends every process and waits until none is left. */
  async close(): Promise<void> {
    clearInterval(this.#tick)
    clearImmediate(this.#woken)
    this.paused = true
    const all = [...this.#running.values(), ...this.#ended]
    this.#running.clear()
    const deadline = Date.now() + 10_000
    for (;;) {
      const left = all.flatMap((each) => each.all())
      if (left.length === 0 || Date.now() > deadline) return
      for (const pid of left) kill(pid)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went by itself.
  }
}

/** Where the output of a job is to lie: a directory gets a file of the job's id. */
function outputFiles(job: PbsJob): { readonly out: string; readonly err: string } {
  const id = idOf(job)
  const of = (path: string, end: string): string => {
    const own = path.replaceAll('^array_index^', String(job.index ?? ''))
    return own.endsWith('/') ? `${own}${id}.${end}` : own
  }
  return { out: of(job.request.outputPath, 'OU'), err: of(job.request.errorPath, 'ER') }
}
