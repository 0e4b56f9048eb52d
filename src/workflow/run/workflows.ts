import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError, InputError } from '../../errors.ts'
import type { PruneOptions } from '../../jobs/drover.ts'
import { readLease } from '../../store/lease.ts'
import type { CheckedTask, ExecutorSet } from '../calls/worker-call.ts'
import { formatGraph, parseGraph } from '../model/graph-codec.ts'
import type { GraphData } from '../model/graph-data.ts'
import { collectTasks } from '../model/graph-tasks.ts'
import { parseLoc } from '../model/loc.ts'
import { validateGraph } from '../model/validate-graph.ts'
import type { CallRule } from './call-rules.ts'
import type { OnFailure } from './controller.ts'
import { explainFileTrouble } from './file-troubles.ts'
import { type InspectedRun, inspectRun } from './inspect-run.ts'
import { readJournal } from './journal-file.ts'
import type { RunState } from './journal-record.ts'
import { type PrunedCache, pruneCache } from './prune-cache.ts'
import {
  cacheDirectory,
  createRunDirectory,
  type Layout,
  listRunIds,
  type RunDescription,
  type RunEndNote,
  type RunInput,
  readEnd,
  runPaths,
  runsDirectory,
  selectRun,
} from './run-directory.ts'
import { writeAtomically } from './run-files.ts'
import { recallRun } from './run-memory.ts'
import { openRun, type WorkflowRun } from './workflow-run.ts'

/** How a workflow is run. */
export interface RunOptions {
  /** Default: a UUID. */
  readonly id?: string
  readonly name?: string
  readonly inputs?: ReadonlyMap<string, RunInput>
  readonly executors: ExecutorSet
  /** What makes the executors again when the run is resumed by the command line; kept with the run. */
  readonly executorsDocument?: unknown
  /** Where the graph came from. */
  readonly source?: string
  /** `tierkreis`: the whole checkpoint directory as Tierkreis writes it. Default `drover`: only calls of workers have directories. */
  readonly layout?: Layout
  /** Checkpoints directory, absolute. Default: the home's `workflows`. */
  readonly checkpoints?: string
  /** Default `finish`. */
  readonly onFailure?: OnFailure
  /** Most calls of workers at one time over all executors. Default: no limit but theirs. */
  readonly maxParallel?: number
  readonly rules?: readonly CallRule[]
  /** Told what validation finds odd but does not refuse, an input that the graph doesn't have among it. Default: nobody. */
  readonly onWarning?: (message: string) => void
}

/** A run in a list. Times are ISO 8601 in UTC. */
export interface RunSummary {
  readonly id: string
  readonly name: string | null
  /** `interrupted`: its controller is gone; `resume` goes on. */
  readonly state: RunState | 'interrupted'
  readonly source: string | null
  readonly layout: Layout
  readonly created_at: string
  readonly ended_at: string | null
  readonly directory: string
}

/** The workflow runs of a home: starts them in this process, finds those of others. */
export class Workflows {
  readonly runs: string
  readonly #version: string

  /** @param home absolute, as `DROVER_HOME` */
  constructor(home: string, version: string) {
    this.runs = runsDirectory(home)
    this.#version = version
  }

  /**
   * Checks a graph and runs it. Throws InputError with every problem that validation finds, for a worker that no executor can call,
   * and DroverError `conflict` for an id that is taken; nothing was started then.
   */
  async start(graph: GraphData | Uint8Array, options: RunOptions): Promise<WorkflowRun> {
    const data = readDocument(graph, options)
    const description = await this.#create(data, graph, options)
    const open = { runs: this.runs, executors: options.executors, version: this.#version }
    // Of a document the run's file holds the same bytes. What a program gives may lose types on its way into the file.
    return await openRun(description, data === graph ? open : { ...open, graph: data })
  }

  /** As `start`, but leaves the run to be taken up by `resume`, in this process or another. */
  async create(graph: GraphData | Uint8Array, options: RunOptions): Promise<RunDescription> {
    return await this.#create(readDocument(graph, options), graph, options)
  }

  async #create(data: GraphData, graph: GraphData | Uint8Array, options: RunOptions): Promise<RunDescription> {
    const inputs = options.inputs ?? new Map()
    await refuseUnrunnable(data, inputs.keys(), options)
    const id = options.id ?? randomUUID()
    const root = options.checkpoints ?? this.runs
    if (options.checkpoints !== undefined && existsSync(join(options.checkpoints, id))) {
      throw new DroverError('conflict', `there is a directory ${join(options.checkpoints, id)} already`, {
        level: 'input',
        hint: 'Take another id.',
      })
    }
    return createRunDirectory(
      this.runs,
      {
        id,
        name: options.name ?? null,
        created_at: new Date().toISOString(),
        layout: options.layout ?? 'drover',
        root: resolve(root),
        on_failure: options.onFailure ?? 'finish',
        max_parallel: options.maxParallel ?? MOST_PARALLEL,
        rules: options.rules ?? [],
        executors: options.executorsDocument ?? null,
        source: options.source ?? null,
      },
      graph instanceof Uint8Array ? graph : Buffer.from(formatGraph(graph)),
      inputs,
    )
  }

  /** Goes on with a run whose controller is gone. Throws DroverError `conflict` for one that has ended or that another process controls. */
  async resume(selector: string, executors: ExecutorSet): Promise<WorkflowRun> {
    return await openRun(this.describe(selector), { runs: this.runs, executors, version: this.#version })
  }

  /** Runs nodes of an ended or interrupted run again, with all that depends on them. Default: the nodes that failed. */
  async retry(selector: string, locs: readonly string[], executors: ExecutorSet): Promise<WorkflowRun> {
    const description = this.describe(selector)
    const { functions } = inspectRun(this.runs, description)
    const chosen = locs.length > 0 ? locs : [...functions.values()].filter(({ state }) => state === 'failed').map(({ loc }) => loc)
    for (const loc of chosen) {
      parseLoc(loc)
      if (functions.has(loc) || [...functions.keys()].some((known) => known.startsWith(`${loc}.`))) continue
      throw new InputError('invalid_argument', `the run ${description.id} has not come to a node ${loc}`, {
        hint: `drover workflow show ${description.id} lists its nodes.`,
      })
    }
    if (chosen.length === 0)
      throw new InputError('invalid_argument', `no node of the run ${description.id} has failed`, { hint: 'Name the nodes to run again.' })
    return await openRun(description, { runs: this.runs, executors, version: this.#version, retry: chosen })
  }

  /** By id, unique beginning, name, or `last`. Throws InputError where there is none, or more than one. */
  describe(selector: string): RunDescription {
    return selectRun(this.runs, selector)
  }

  async summary(selector: string): Promise<RunSummary> {
    return await this.#summarize(this.describe(selector))
  }

  /** Newest first. */
  async list(): Promise<readonly RunSummary[]> {
    return await Promise.all(listRunIds(this.runs).map((id) => this.#summarize(selectRun(this.runs, id))))
  }

  /** All nodes of a run with states and times. */
  inspect(selector: string): InspectedRun {
    return inspectRun(this.runs, this.describe(selector))
  }

  /** The run's graph. */
  graph(selector: string): GraphData {
    return parseGraph(readFileSync(runPaths(this.runs, this.describe(selector).id).graph))
  }

  /** Asks the process that controls a run to end it; false: nobody controls it. */
  async requestCancel(selector: string, by: string): Promise<boolean> {
    const { id } = this.describe(selector)
    const paths = runPaths(this.runs, id)
    if ((await readLease(paths.directory)).kind !== 'held') return false
    mkdirSync(paths.control, { recursive: true, mode: 0o700 })
    writeAtomically(paths.cancel, by)
    return true
  }

  /** Ends a run that nobody controls, and the calls that it left running, by these executors; without any, calls run on. */
  async cancelInterrupted(selector: string, by: string, executors: ExecutorSet = NO_EXECUTORS): Promise<void> {
    const description = this.describe(selector)
    const run = await openRun(description, { runs: this.runs, executors, version: this.#version, cancel: by })
    await run.ended
  }

  /** Waits until a run has ended, or nobody controls it any more. */
  async waitForEnd(selector: string, signal?: AbortSignal): Promise<RunSummary> {
    for (;;) {
      const summary = await this.summary(selector)
      if (summary.state !== 'running' || signal?.aborted) return summary
      await sleep(LOOK_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {})
    }
  }

  /** Removes a run that nobody controls, with its files. */
  async remove(selector: string): Promise<void> {
    const description = this.describe(selector)
    const { directory } = runPaths(this.runs, description.id)
    if ((await readLease(directory)).kind === 'held') {
      throw new DroverError('conflict', `the run ${description.id} is running`, {
        level: 'input',
        hint: `drover workflow cancel ${description.id}`,
      })
    }
    try {
      rmSync(join(description.root, description.id), { recursive: true, force: true })
      rmSync(directory, { recursive: true, force: true })
    } catch (error) {
      const hint = 'What is left of it can be removed when that is mended.'
      throw explainFileTrouble(error, `cannot remove the run ${description.id}`, { full: hint, other: hint })
    }
  }

  /** Removes results that calls took from each other; without a limit, all. Runs that use them make their calls anew. */
  pruneCache(options: PruneOptions = {}): PrunedCache {
    return pruneCache(cacheDirectory(this.runs), options, Date.now())
  }

  async #summarize(description: RunDescription): Promise<RunSummary> {
    const { directory } = runPaths(this.runs, description.id)
    const noted = readEnd(this.runs, description.id)
    const held = noted === undefined && (await readLease(directory)).kind === 'held'
    // Between the two looks it may have ended; or its controller died before it noted the end beside the journal.
    const end = noted ?? (held ? undefined : (readEnd(this.runs, description.id) ?? endInJournal(this.runs, description)))
    return {
      id: description.id,
      name: description.name,
      state: end?.state ?? (held ? 'running' : 'interrupted'),
      source: description.source,
      layout: description.layout,
      created_at: description.created_at,
      ended_at: end?.at ?? null,
      directory: join(description.root, description.id),
    }
  }
}

function endInJournal(runs: string, description: RunDescription): RunEndNote | undefined {
  const { journal } = runPaths(runs, description.id)
  if (!existsSync(journal)) return undefined
  try {
    const { state, endedAt } = recallRun(readJournal(journal).records, description.root)
    return endedAt === undefined || state === 'running' ? undefined : { state, at: new Date(endedAt).toISOString() }
  } catch {
    // A damaged journal is told of by whoever goes on with the run; a list shows the others, too.
    return undefined
  }
}

/** Between two looks at a run of another process, ms. */
const LOOK_MS = 50

const NO_EXECUTORS: ExecutorSet = { executors: new Map(), assign: () => 'none' }

/** Without a limit of its own a run is bounded by its executors. */
const MOST_PARALLEL = 1_000_000

function readDocument(graph: GraphData | Uint8Array, { source }: RunOptions): GraphData {
  return graph instanceof Uint8Array ? parseGraph(graph, source) : graph
}

async function refuseUnrunnable(graph: GraphData, given: Iterable<string>, { executors, onWarning }: RunOptions): Promise<void> {
  const messages: string[] = []
  for (const { severity, message } of validateGraph(graph, { given })) {
    if (severity === 'error') messages.push(message)
    else onWarning?.(message)
  }
  for (const [worker, tasks] of collectTasks(graph)) {
    if (worker === 'builtins') continue
    const byExecutor = new Map<string, CheckedTask[]>()
    for (const task of tasks) {
      const name = executors.assign(worker, task.task)
      byExecutor.set(name, [...(byExecutor.get(name) ?? []), task])
    }
    for (const [name, asked] of byExecutor) {
      const why = await executors.executors.get(name)?.check(worker, asked)
      if (why !== undefined) messages.push(why)
    }
  }
  if (messages.length === 0) return
  const [first, ...others] = messages
  throw new InputError('invalid_task', others.length === 0 ? (first ?? '') : `the graph can't run:\n  ${messages.join('\n  ')}`)
}
