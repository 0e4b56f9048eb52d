// Long because a step is one thing: its tasks, their streams, their signals and what srun says of their ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { constants } from 'node:os'
import type { CommandCall } from '../fake-commands/command-call.ts'
import type { ClusterState } from './cluster-state.ts'
import { compressHostlist } from './hostlist.ts'
import type { JobLife } from './job-life.ts'
import { signalProcess } from './job-processes.ts'
import { type RunningJob, type RunningStep, signalNumber } from './running-job.ts'
import { cpusPerNode } from './scheduling.ts'
import { CommandFailure } from './slurm-command.ts'
import type { SlurmJob } from './slurm-job.ts'
import { printInstant } from './slurm-times.ts'

/** What srun's options come to. */
export interface StepPlan {
  readonly nodes: readonly string[]
  /** Tasks on each of the nodes. */
  readonly counts: readonly number[]
  readonly tasks: number
  /** CPUs the step keeps from other steps, on each node. */
  readonly cpusHeld: number
  readonly overlap: boolean
  /** Neither --mem nor --exact: the job's memory on its nodes is asked for, and taken unless it overlaps. */
  readonly wantsAllMemory: boolean
  readonly label: boolean
  readonly killOnBadExit: boolean
  readonly workDir: string
  readonly output: string | undefined
  readonly error: string | undefined
  /** `all`, `none`, or the number of the one task that reads stdin. */
  readonly input: string
  readonly export: string | undefined
  readonly quiet: boolean
}

interface StepSetup {
  readonly state: ClusterState
  readonly life: JobLife
  readonly job: SlurmJob
  readonly running: RunningJob
  readonly call: CommandCall
  readonly plan: StepPlan
  readonly program: string
  readonly args: readonly string[]
}

interface Task {
  readonly rank: number
  readonly node: string
  child: ChildProcess | undefined
  code: number | undefined
  signal: number
}

/** One step: its tasks are processes in sessions of their own; srun ends when all have. */
export class SrunStep implements RunningStep {
  readonly id: number
  readonly startMs: number
  endMs: number | undefined
  state = 'RUNNING'
  exit = '0:0'
  readonly name: string
  readonly nodes: readonly string[]
  readonly cpusHeld: number
  readonly holdsAllMemory: boolean
  readonly #setup: StepSetup
  readonly #tasks: Task[] = []
  readonly #files = new Map<string, WriteStream>()
  #aborted = false
  #killTimer: NodeJS.Timeout | undefined

  constructor(setup: StepSetup) {
    this.#setup = setup
    this.id = setup.running.nextStep++
    this.startMs = setup.state.clock.now()
    this.name = setup.program.split('/').pop() ?? setup.program
    this.nodes = setup.plan.nodes
    this.cpusHeld = setup.plan.cpusHeld
    this.holdsAllMemory = setup.plan.wantsAllMemory && !setup.plan.overlap
  }

  /** Waits for room in the job, runs the tasks, resolves to srun's exit code: the highest of its tasks. */
  async run(): Promise<number> {
    const { call, running, job, plan } = this.#setup
    await this.#waitForRoom()
    running.steps.push(this)
    call.onSignal((signal) => this.#signalled(signal))
    const ends = this.#startTasks()
    if (plan.input !== 'none') void this.#feed()
    await Promise.all(ends)
    clearTimeout(this.#killTimer)
    await Promise.all([...this.#files.values()].map((file) => new Promise<void>((resolve) => file.end(() => resolve()))))
    this.endMs = this.#setup.state.clock.now()
    const codes = this.#tasks.map((task) => (task.signal > 0 ? 128 + task.signal : (task.code ?? 0)))
    const highest = Math.max(0, ...codes)
    const signal = Math.max(0, ...this.#tasks.map((task) => task.signal))
    this.state = signal > 0 || this.#aborted ? 'CANCELLED' : highest > 0 ? 'FAILED' : 'COMPLETED'
    this.exit = signal > 0 ? `0:${signal}` : `${highest}:0`
    this.#report()
    if (signal > 0 && !this.#aborted) call.err(`srun: Force Terminated StepId=${job.id}.${this.id}\n`)
    this.#setup.life.wake()
    return highest
  }

  signal(signal: NodeJS.Signals): void {
    for (const task of this.#tasks) if (task.child?.pid !== undefined && task.code === undefined) signalProcess(task.child.pid, signal)
  }

  abort(why: string): void {
    this.#aborted = true
    const { call, state, job } = this.#setup
    call.err(`srun: Job step aborted: Waiting up to ${Math.round(state.settings.killWaitMs / 1000) + 2} seconds for job step to finish.\n`)
    call.err(`slurmstepd-${this.nodes[0]}: error: *** STEP ${job.id}.${this.id} ON ${this.nodes[0]} ${why}\n`)
  }

  /** A step without --overlap keeps its CPUs to itself: the next one waits, and says so once. */
  async #waitForRoom(): Promise<void> {
    const { running, job, call, plan } = this.#setup
    const taken = (node: string): number =>
      running.steps.filter((step) => step.endMs === undefined && step.nodes.includes(node)).reduce((sum, step) => sum + step.cpusHeld, 0)
    const room = (): boolean => plan.nodes.every((node) => taken(node) + plan.cpusHeld <= cpusPerNode(job))
    let gone = false
    call.onGone(() => {
      gone = true
    })
    const starved = running.steps.some(
      (step) => step.endMs === undefined && step.holdsAllMemory && step.nodes.some((node) => plan.nodes.includes(node)),
    )
    if (plan.overlap && plan.wantsAllMemory && starved) {
      throw new CommandFailure(`srun: error: Unable to create step for job ${job.id}: Memory required by task is not available`)
    }
    if (room()) return
    if (!plan.quiet) call.err(`srun: Job ${job.id} step creation temporarily disabled, retrying (Requested nodes are busy)\n`)
    while (!room()) {
      if (gone || job.completing || job.endMs !== undefined) {
        throw new CommandFailure(`srun: error: Unable to create step for job ${job.id}: Job/step already completing or completed`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    if (!plan.quiet) call.err(`srun: Step created for job ${job.id}\n`)
  }

  #startTasks(): readonly Promise<void>[] {
    const { plan } = this.#setup
    const ends: Promise<void>[] = []
    let rank = 0
    plan.nodes.forEach((node, nodeIndex) => {
      const count = plan.counts[nodeIndex] ?? 0
      const ranks = Array.from({ length: count }, (_, index) => rank + index).join(',')
      for (let local = 0; local < count; local++) {
        const task: Task = { rank: rank++, node, child: undefined, code: undefined, signal: 0 }
        this.#tasks.push(task)
        ends.push(this.#startTask(task, { SLURM_LOCALID: String(local), SLURM_NODEID: String(nodeIndex), SLURM_GTIDS: ranks }))
      }
    })
    return ends
  }

  #startTask(task: Task, own: Readonly<Record<string, string>>): Promise<void> {
    const { running, program, args, plan, call } = this.#setup
    return new Promise((resolve) => {
      const failed = (): void => {
        call.err(`slurmstepd-${task.node}: error: execve(): ${program}: No such file or directory\n`)
        this.#ended(task, 2, 0)
        resolve()
      }
      const env = { ...this.#environment(task), ...own, FAKE_SLURM_JOB: running.mark }
      const child = spawn(program, [...args], { cwd: plan.workDir, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
      task.child = child
      if (child.pid === undefined) {
        child.once('error', failed)
        return
      }
      running.addSession(child.pid)
      child.on('error', () => {})
      child.stdin.on('error', () => {})
      if (plan.input === 'none') child.stdin.end()
      this.#forward(task, 'out', child.stdout)
      this.#forward(task, 'err', child.stderr)
      let closed = false
      child.once('exit', (code, signal) => {
        this.#ended(task, code ?? 0, signal ? signalNumber(signal) : 0)
        // What a task left behind holds its pipes; slurmstepd kills it with the step, so its output is not waited for.
        setTimeout(() => {
          if (!closed) resolve()
        }, 500).unref()
      })
      child.once('close', () => {
        closed = true
        resolve()
      })
    })
  }

  #ended(task: Task, code: number, signal: number): void {
    task.code = code
    task.signal = signal
    if ((code === 0 && signal === 0) || !this.#setup.plan.killOnBadExit || this.#aborted) return
    this.#aborted = true
    const { call, job, state } = this.#setup
    const when = printInstant(state.clock.now())
    call.err(`srun: launch/slurm: _step_signal: Terminating StepId=${job.id}.${this.id}\n`)
    call.err(`slurmstepd-${this.nodes[0]}: error: *** STEP ${job.id}.${this.id} ON ${this.nodes[0]} CANCELLED AT ${when} ***\n`)
    this.signal('SIGTERM')
    this.#killTimer = setTimeout(() => this.signal('SIGKILL'), state.settings.killWaitMs)
  }

  /** TERM ends all tasks by KILL without a word to them (measured on 22.05.8); USR1, USR2, HUP and QUIT are handed on. */
  #signalled(signal: NodeJS.Signals): void {
    const { call, state } = this.#setup
    if (signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGQUIT') {
      this.#aborted = true
      call.err('srun: forcing job termination\n')
      call.err(
        `srun: Job step aborted: Waiting up to ${Math.round(state.settings.killWaitMs / 1000) + 2} seconds for job step to finish.\n`,
      )
      this.signal('SIGKILL')
    } else if (signal !== 'SIGCONT') this.signal(signal)
  }

  #forward(task: Task, stream: 'out' | 'err', from: NodeJS.ReadableStream): void {
    const { call, plan } = this.#setup
    const pattern = stream === 'out' ? plan.output : (plan.error ?? plan.output)
    if (pattern !== undefined) {
      from.pipe(this.#file(task, pattern), { end: false })
      return
    }
    const width = String(plan.tasks - 1).length
    let line = ''
    from.on('data', (bytes: Buffer) => {
      if (!plan.label) {
        call.write(stream, bytes)
        return
      }
      const lines = (line + bytes.toString()).split('\n')
      line = lines.pop() ?? ''
      for (const whole of lines) call.write(stream, Buffer.from(`${String(task.rank).padStart(width)}: ${whole}\n`))
    })
  }

  #file(task: Task, pattern: string): WriteStream {
    const { job, plan } = this.#setup
    const values: Readonly<Record<string, string>> = {
      j: String(job.id),
      J: `${job.id}.${this.id}`,
      A: String(job.arrayJobId ?? job.id),
      a: String(job.arrayTask ?? 4_294_967_294),
      s: String(this.id),
      t: String(task.rank),
      N: task.node,
      n: String(plan.nodes.indexOf(task.node)),
      x: job.request.name,
    }
    const path = pattern.replaceAll(/%(\d*)([jJAastNnx])/g, (_, width: string, key: string) =>
      (values[key] ?? '').padStart(Number(width || 0), '0'),
    )
    const full = path.startsWith('/') ? path : `${plan.workDir}/${path}`
    let file = this.#files.get(full)
    if (!file) {
      file = createWriteStream(full)
      file.on('error', () => {})
      this.#files.set(full, file)
    }
    return file
  }

  #environment(task: Task): Record<string, string> {
    const { call, job, plan } = this.#setup
    const perNode = plan.counts.every((count) => count === plan.counts[0])
      ? plan.counts.length > 1
        ? `${plan.counts[0]}(x${plan.counts.length})`
        : String(plan.counts[0])
      : plan.counts.join(',')
    const list = compressHostlist(plan.nodes)
    return {
      ...exported(plan.export, call.env),
      SLURM_JOB_ID: String(job.id),
      SLURM_JOBID: String(job.id),
      SLURMD_NODENAME: task.node,
      HOSTNAME: task.node,
      SLURM_PROCID: String(task.rank),
      SLURM_STEPID: String(this.id),
      SLURM_STEP_ID: String(this.id),
      SLURM_STEP_NODELIST: list,
      SLURM_STEP_NUM_NODES: String(plan.nodes.length),
      SLURM_STEP_NUM_TASKS: String(plan.tasks),
      SLURM_STEP_TASKS_PER_NODE: perNode,
      SLURM_NNODES: String(plan.nodes.length),
      SLURM_NTASKS: String(plan.tasks),
      SLURM_NPROCS: String(plan.tasks),
      SLURM_TASKS_PER_NODE: perNode,
      SLURM_DISTRIBUTION: 'block',
      SLURM_LAUNCH_NODE_IPADDR: '127.0.0.1',
      SLURM_SRUN_COMM_HOST: '127.0.0.1',
      SLURM_TOPOLOGY_ADDR: task.node,
      SLURM_UMASK: '0022',
    }
  }

  async #feed(): Promise<void> {
    const { call, plan } = this.#setup
    const readers = this.#tasks.filter((task) => plan.input === 'all' || plan.input === String(task.rank))
    await call.readStdin((bytes) => {
      for (const task of readers) if (task.child?.stdin?.writable) task.child.stdin.write(bytes)
    })
    for (const task of this.#tasks) task.child?.stdin?.end()
  }

  /** One line per node and kind of end, as srun groups them. */
  #report(): void {
    const groups = new Map<string, Task[]>()
    for (const task of this.#tasks) {
      if (task.signal === 0 && (task.code ?? 0) === 0) continue
      const text = task.signal > 0 ? signalText(task.signal) : `Exited with exit code ${task.code}`
      const key = `${task.node}\0${text}`
      groups.set(key, [...(groups.get(key) ?? []), task])
    }
    for (const [key, tasks] of groups) {
      const [node, text] = key.split('\0')
      const ranks = compressHostlist(tasks.map((task) => String(task.rank))).replace(/^\[(.*)\]$/, '$1')
      this.#setup.call.err(`srun: error: ${node}: task${tasks.length > 1 ? 's' : ''} ${ranks}: ${text}\n`)
    }
  }
}

/** The word strsignal(3) has for it. */
function signalText(signal: number): string {
  const words: Readonly<Record<number, string>> = {
    [constants.signals.SIGKILL]: 'Killed',
    [constants.signals.SIGTERM]: 'Terminated',
    [constants.signals.SIGSEGV]: 'Segmentation fault',
    [constants.signals.SIGABRT]: 'Aborted',
    [constants.signals.SIGINT]: 'Interrupt',
    [constants.signals.SIGHUP]: 'Hangup',
    [constants.signals.SIGUSR1]: 'User defined signal 1',
    [constants.signals.SIGUSR2]: 'User defined signal 2',
  }
  return words[signal] ?? `Signal ${signal}`
}

/** What srun's --export lets through; SLURM_* always. */
function exported(text: string | undefined, env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const parts = (text ?? 'ALL').split(',')
  const base = parts.includes('ALL') ? env : Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('SLURM_')))
  const own: Record<string, string> = {}
  for (const part of parts) {
    const at = part.indexOf('=')
    const value = at < 0 ? env[part] : part.slice(at + 1)
    if (part !== 'ALL' && part !== 'NONE' && value !== undefined) own[at < 0 ? part : part.slice(0, at)] = value
  }
  return { ...base, ...own }
}
