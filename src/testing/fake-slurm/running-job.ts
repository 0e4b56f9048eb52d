import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, appendFileSync, closeSync, constants, existsSync, openSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { findJobProcesses, signalProcess } from './job-processes.ts'

/** How a batch script is to be started. */
export interface BatchStart {
  readonly scriptPath: string
  readonly script: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workDir: string
  readonly stdout: string
  readonly stderr: string
  readonly append: boolean
  readonly node: string
}

/** How a process ended: exit code, or the number of the signal. */
export interface ProcessEnd {
  readonly code: number
  readonly signal: number
}

/** A step of a job that srun started, as far as the job's end concerns it. */
export interface RunningStep {
  readonly id: number
  readonly startMs: number
  endMs: number | undefined
  state: string
  exit: string
  readonly name: string
  readonly nodes: readonly string[]
  /** CPUs it keeps from other steps, per node; 0 with --overlap. */
  readonly cpusHeld: number
  /** It took the job's memory on its nodes: a step that overlaps and asks for memory is refused. */
  readonly holdsAllMemory: boolean
  /** Sends to its tasks. */
  signal(signal: NodeJS.Signals): void
  /** The job is being ended: srun says so. `why`: the end of the slurmstepd line. */
  abort(why: string): void
}

/** Output could not be created: what Slurm reports as exit 0:53 (SIGNAL 53 is its own code for this). */
export const OUTPUT_FAILED: ProcessEnd = { code: 0, signal: 53 }

/** Processes of one run of one job: its batch script and the tasks of its steps, each in a session of its own. */
export class RunningJob {
  readonly steps: RunningStep[] = []
  readonly mark: string
  /** Number of its next step. */
  nextStep = 0
  batchEnded = false
  batchEnd: ProcessEnd | undefined
  batchEndMs: number | undefined
  #batch: ChildProcess | undefined
  #errorPath = '/dev/null'
  readonly #sessions = new Set<number>()

  constructor(mark: string) {
    this.mark = mark
  }

  /** Starts the batch script; `onEnd` is called once, never before this returns. */
  start(options: BatchStart, onEnd: (end: ProcessEnd) => void): void {
    const end = (result: ProcessEnd): void => {
      if (this.batchEnded) return
      this.batchEnded = true
      this.batchEnd = result
      onEnd(result)
    }
    let [stdout, stderr]: (number | undefined)[] = []
    try {
      const flags = options.append ? 'a' : 'w'
      stdout = openSync(options.stdout, flags)
      stderr = options.stderr === options.stdout ? stdout : openSync(options.stderr, flags)
    } catch {
      if (stdout !== undefined) closeSync(stdout)
      setImmediate(() => end(OUTPUT_FAILED))
      return
    }
    this.#errorPath = options.stderr
    const [, interpreter = '/bin/sh', argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*?))?[ \t]*(?:\n|$)/.exec(options.script) ?? []
    let workDir = options.workDir
    if (!existsSync(workDir)) {
      this.say(`slurmstepd-${options.node}: error: couldn't chdir to \`${workDir}': No such file or directory: going to /tmp instead`)
      workDir = '/tmp'
    }
    try {
      accessSync(interpreter, constants.X_OK)
      // Run as the kernel would, so that a directory mounted noexec, or a file still open for writing elsewhere, is no matter.
      this.#batch = spawn(interpreter, [...(argument ? [argument] : []), options.scriptPath, ...options.args], {
        cwd: workDir,
        env: { ...options.env, FAKE_SLURM_JOB: this.mark },
        stdio: ['ignore', stdout, stderr],
        detached: true,
      })
      if (this.#batch.pid !== undefined) this.#sessions.add(this.#batch.pid)
      this.#batch.once('exit', (code, signal) => end({ code: code ?? 0, signal: signal ? signalNumber(signal) : 0 }))
      this.#batch.once('error', () => end({ code: 2, signal: 0 }))
    } catch {
      this.say(`slurmstepd-${options.node}: error: execve(): bad interpreter(${interpreter}): No such file or directory`)
      setImmediate(() => end({ code: 2, signal: 0 }))
    } finally {
      closeSync(stdout)
      if (stderr !== stdout) closeSync(stderr)
    }
  }

  /** Counts a session that a task of a step leads to the job's. */
  addSession(pid: number): void {
    this.#sessions.add(pid)
  }

  /** A line of slurmstepd in the job's stderr. */
  say(line: string): void {
    try {
      appendFileSync(this.#errorPath, `${line}\n`)
    } catch {
      // The user's directory has gone; slurmstepd has nowhere to say it either.
    }
  }

  /** To the batch script alone: not to its children (proctrack/cgroup signals direct tasks only, but for KILL). */
  signalBatch(signal: NodeJS.Signals): void {
    if (this.#batch?.pid !== undefined && !this.batchEnded) signalProcess(this.#batch.pid, signal)
  }

  /** To the tasks of all steps that srun started. */
  signalSteps(signal: NodeJS.Signals): void {
    for (const step of this.steps) if (step.endMs === undefined) step.signal(signal)
  }

  /** To every process of the job, detached ones too. */
  signalAll(signal: NodeJS.Signals): void {
    for (const pid of this.processes()) signalProcess(pid, signal)
  }

  /** Pids that still live. */
  processes(): readonly number[] {
    return findJobProcesses(`FAKE_SLURM_JOB=${this.mark}\0`, this.#sessions)
  }
}

/** Number of a signal by name. */
export function signalNumber(name: NodeJS.Signals): number {
  return osConstants.signals[name]
}
