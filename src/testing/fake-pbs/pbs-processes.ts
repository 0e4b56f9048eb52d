import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { findJobProcesses, signalProcess } from '../fake-slurm/job-processes.ts'

/** What is started in a job. */
export interface TaskStart {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Paths, or callbacks that are given the bytes. */
  readonly out: string | ((bytes: Buffer) => void)
  readonly err: string | ((bytes: Buffer) => void)
}

/** Exit status as PBS counts it: the code, or 256 + the number of a signal. */
export type ExitStatus = number

/**
 * Processes of one run of one job. PBS knows them by their session: what begins a session of its own is left alone by its
 * signals, and outlives the job.
 */
export class PbsProcesses {
  readonly #mark: string
  readonly #sessions = new Set<number>()
  readonly #children = new Set<ChildProcess>()

  constructor(mark: string) {
    this.#mark = mark
  }

  /** Starts a task; `onEnd` is called once, never before this returns. Throws when its output cannot be opened. */
  start(task: TaskStart, onEnd: (status: ExitStatus) => void): void {
    const files: number[] = []
    const sink = (to: TaskStart['out']): number | 'pipe' => {
      if (typeof to !== 'string') return 'pipe'
      const file = openSync(to, 'a', 0o600)
      files.push(file)
      return file
    }
    try {
      const child = spawn(task.program, [...task.args], {
        cwd: task.cwd,
        env: { ...task.env, FAKE_PBS_JOB: this.#mark },
        stdio: ['ignore', sink(task.out), sink(task.err)],
        detached: true,
      })
      this.#children.add(child)
      if (child.pid !== undefined) this.#sessions.add(child.pid)
      if (typeof task.out !== 'string') child.stdout?.on('data', task.out)
      if (typeof task.err !== 'string') child.stderr?.on('data', task.err)
      // Output of one that is read here is whole when its streams are closed; a file needs no waiting for others that hold it.
      const whole = typeof task.out === 'string' ? 'exit' : 'close'
      child.once(whole, (code: number | null, signal: NodeJS.Signals | null) => {
        this.#children.delete(child)
        onEnd(signal === null ? (code ?? 0) : 256 + constants.signals[signal])
      })
      child.once('error', () => {
        this.#children.delete(child)
        onEnd(254)
      })
    } finally {
      for (const file of files) closeSync(file)
    }
  }

  /** To all processes of its sessions. */
  signal(signal: NodeJS.Signals): void {
    for (const pid of sessionMembers(this.#sessions)) signalProcess(pid, signal)
  }

  /** All that came of it, sessions of their own included: for the end of a test. */
  all(): readonly number[] {
    return findJobProcesses(`FAKE_PBS_JOB=${this.#mark}\0`, this.#sessions)
  }
}

function sessionMembers(sessions: ReadonlySet<number>): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state !== 'Z' && sessions.has(Number(session))
      } catch {
        // It ended between the listing and the look.
        return false
      }
    })
}
