import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'

import { join } from 'node:path'
import { DroverError } from '../../errors.ts'
import { acquireLease, type Lease, releaseLease } from '../../store/lease.ts'
import { watchFile } from '../../transports/watch-file.ts'
import type { ExecutorSet } from '../calls/worker-call.ts'
import { compileProgram } from '../engine/program.ts'
import type { Contents } from '../engine/scope.ts'
import { parseGraph } from '../model/graph-codec.ts'
import type { GraphData } from '../model/graph-data.ts'
import { CallCache } from './call-cache.ts'
import { WorkflowController } from './controller.ts'
import { explainFileTrouble } from './file-troubles.ts'
import { JournalFile } from './journal-file.ts'
import type { RunState } from './journal-record.ts'
import { cacheDirectory, type RunDescription, readInputs, runPaths } from './run-directory.ts'
import { RunFiles, writeAtomically } from './run-files.ts'
import { RunJournal } from './run-journal.ts'
import { recallRun } from './run-memory.ts'
import { TierkreisFiles } from './tierkreis-files.ts'

/** A node that failed. */
export interface FailedNode {
  /** Location. */
  readonly node: string
  /** `worker.task`, or the node's kind. */
  readonly name: string
  readonly cause: string
  readonly message: string
  readonly exit_code: number | null
}

/** How a run ended. */
export interface RunEnd {
  readonly id: string
  /** `left`: it was let go of and can be resumed. */
  readonly state: RunState | 'left'
  /** Contents of the graph's outputs, by port; undefined unless it succeeded. */
  readonly outputs: Contents | undefined
  readonly failed: readonly FailedNode[]
}

/** A run that this process controls. */
export class WorkflowRun {
  readonly id: string
  readonly description: RunDescription
  /** Rejects where it can't go on (a full disk); it can be resumed then. */
  readonly ended: Promise<RunEnd>
  readonly #controller: WorkflowController

  constructor(description: RunDescription, controller: WorkflowController, end: (state: RunEnd['state'] | undefined) => Promise<void>) {
    this.id = description.id
    this.description = description
    this.#controller = controller
    this.ended = this.#run(end)
  }

  /** Ends it and the calls that run. */
  cancel(by = 'the caller'): void {
    this.#controller.cancel(by)
  }

  /** Lets go of it: calls run on where they can, and `resume` goes on. */
  leave(): void {
    this.#controller.leave()
  }

  get progress(): { readonly running: number; readonly failed: number } {
    return this.#controller.progress
  }

  async #run(end: (state: RunEnd['state'] | undefined) => Promise<void>): Promise<RunEnd> {
    let ended: RunEnd['state'] | undefined
    let result: RunEnd
    try {
      const { state, outputs, failures } = await this.#controller.run()
      ended = state
      result = {
        id: this.id,
        state,
        outputs,
        failed: failures.map((run) => {
          const node = run.scope.program.node(run.index)
          return {
            node: run.loc,
            name: node.type === 'function' ? node.functionName : node.type,
            cause: run.failure?.cause ?? 'task',
            message: run.failure?.message ?? '',
            exit_code: run.failure?.exitCode ?? null,
          }
        }),
      }
    } catch (error) {
      // What is wrong with the disk is told as that; the lease of a process that is gone holds nobody up.
      await end(ended).catch(() => {})
      throw stoppedError(this.id, error)
    }
    try {
      await end(ended)
    } catch (error) {
      // The end is in the journal; a lease that a full disk keeps ends with this process. One that is left is to be taken up now.
      if (ended === 'left') throw stoppedError(this.id, error)
    }
    return result
  }
}

/** A run that can't be written on stops; what it has done is in its journal. */
function stoppedError(id: string, error: unknown): unknown {
  const resume = `then: drover workflow resume ${id}`
  return explainFileTrouble(error, `the run ${id} stopped: its files cannot be written`, {
    full: `Make room, ${resume}`,
    other: `Mend that, ${resume}`,
  })
}

export interface OpenRunOptions {
  /** Directory of all runs. */
  readonly runs: string
  readonly executors: ExecutorSet
  /** For messages and the lease. */
  readonly version: string
  /** What the run's file of the graph holds, where it was just read. Default: it is read. */
  readonly graph?: GraphData
  /** Locations whose results are to be forgotten first, with those of all that depends on them. */
  readonly retry?: readonly string[]
  /** Only ends it, and writes down by whom it was cancelled: calls that an earlier controller left running are ended by their executors. */
  readonly cancel?: string
}

/**
 * Takes a run whose directory is there into this process and goes on with it: with one that has not begun, from the start.
 * Throws DroverError `conflict` where another process controls it, or it has ended and no retry is asked for.
 */
export async function openRun(description: RunDescription, options: OpenRunOptions): Promise<WorkflowRun> {
  const { id, root } = description
  const paths = runPaths(options.runs, id)
  const outcome = await acquireLease(paths.directory, { socket: '', droverVersion: options.version })
  if (outcome.kind === 'held') {
    throw new DroverError('conflict', `the run ${id} is controlled by process ${outcome.lease.pid} of this machine`, {
      level: 'input',
      hint: `It goes on there: drover workflow show ${id}`,
    })
  }
  const { lease } = outcome
  try {
    return takeRun(description, options, lease)
  } catch (error) {
    await releaseLease(paths.directory, lease)
    throw stoppedError(id, error)
  }

  function takeRun(description: RunDescription, { runs, executors, graph, retry = [], cancel }: OpenRunOptions, lease: Lease): WorkflowRun {
    const program = compileProgram(graph ?? parseGraph(readFileSync(paths.graph)))
    const { journal: file, records } = existsSync(paths.journal)
      ? JournalFile.resume(paths.journal)
      : { journal: JournalFile.create(paths.journal), records: [] }
    const before = recallRun(records, root)
    const journal = new RunJournal(file, paths.directory, root, before.scopes)
    if (before.endedAt !== undefined && retry.length === 0) {
      file.close()
      // Its controller may have died between the two.
      if (!existsSync(paths.end)) noteEnd(before.state, before.endedAt)
      throw new DroverError('conflict', `the run ${id} has ended: it ${before.state === 'cancelled' ? 'was cancelled' : before.state}`, {
        level: 'input',
        hint: `To run nodes of it again: drover workflow retry ${id} NODE`,
      })
    }
    // Before the journal says that it runs: what says how it ended may be missing, but is never wrong.
    rmSync(paths.end, { force: true })
    if (retry.length > 0) rmSync(paths.cancel, { force: true })
    for (const loc of retry) journal.retry(loc)
    journal.state('running')
    journal.flush()
    mkdirSync(paths.control, { recursive: true, mode: 0o700 })
    const files = description.layout === 'tierkreis' ? new TierkreisFiles(root, description) : new RunFiles(root, id)
    mkdirSync(join(root, id), { recursive: true, mode: 0o700 })
    const log = (line: string): void => {
      try {
        appendFileSync(join(root, id, 'logs'), `${new Date().toISOString()} ${line}\n`, { mode: 0o600 })
      } catch {
        // The journal has all of it; whether the run can go on is for that to say.
      }
    }
    const controller = new WorkflowController({
      program,
      inputs: readInputs(runs, description),
      memory: retry.length === 0 ? before : recallRun([...records, ...retry.map((loc) => ({ type: 'retry', loc, at: 0 }) as const)], root),
      executors,
      files,
      journal,
      rules: description.rules,
      onFailure: description.on_failure,
      maxParallel: description.max_parallel,
      cache: description.rules.some(({ cache }) => cache) ? new CallCache(cacheDirectory(runs)) : undefined,
      log,
    })
    if (cancel !== undefined) controller.cancel(cancel)
    const watching = new AbortController()
    const heedCancel = (): void => {
      if (existsSync(paths.cancel)) controller.cancel(readFileSync(paths.cancel, 'utf8').trim() || 'somebody')
    }
    watchFile(paths.cancel, heedCancel, watching.signal)
    // One that a controller which died has not heeded holds.
    heedCancel()

    return new WorkflowRun(description, controller, async (state) => {
      watching.abort()
      if (state !== undefined && state !== 'left') {
        try {
          noteEnd(state, Date.now())
          rmSync(paths.cancel, { force: true })
        } catch {
          // On a full disk: the journal has the end, and whoever asks reads it there.
        }
      }
      await releaseLease(paths.directory, lease)
    })
  }

  function noteEnd(state: RunState, at: number): void {
    writeAtomically(paths.end, `${JSON.stringify({ state, at: new Date(at).toISOString() })}\n`)
  }
}
