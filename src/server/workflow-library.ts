import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError } from '../errors.ts'
import type { Drover, PruneOptions } from '../jobs/drover.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { createDefaultExecutors, withLocalTasks } from '../workers/defaults/default-executors.ts'
import { type ExecutorWorld, executorKinds } from '../workers/defaults/executor-kinds.ts'
import { parseExecutors } from '../workers/multiple/parse-executors.ts'
import type { PortShape } from '../workflow/builder/port-type.ts'
import { describe, literalOf, plainValue } from '../workflow/builder/port-values.ts'
import { Workflow } from '../workflow/builder/workflow.ts'
import type { ExecutorSet } from '../workflow/calls/worker-call.ts'
import type { GraphData } from '../workflow/model/graph-data.ts'
import type { GraphProblem } from '../workflow/model/graph-problem.ts'
import { validateGraph } from '../workflow/model/validate-graph.ts'
import { exportRun } from '../workflow/run/export-run.ts'
import type { NodeView } from '../workflow/run/inspect-run.ts'
import type { PrunedCache } from '../workflow/run/prune-cache.ts'
import type { RunInput } from '../workflow/run/run-directory.ts'
import type { FailedNode, RunEnd, WorkflowRun } from '../workflow/run/workflow-run.ts'
import { type RunOptions, type RunSummary, Workflows } from '../workflow/run/workflows.ts'
import { writeValue } from '../workflow/values/codec.ts'
import type { Value } from '../workflow/values/value.ts'
import { packageFacts } from './package-root.ts'

/** What `openWorkflows` takes. */
export interface OpenWorkflowsOptions {
  /** Default: `DROVER_HOME`, else `~/.drover`. */
  readonly home?: string
}

/** How a program runs a workflow. */
export interface StartOptions extends Omit<RunOptions, 'executors' | 'executorsDocument' | 'inputs'> {
  /**
   * By port. By the port's declared type, where the workflow was built in TypeScript; else a bigint is an int and a number a float.
   * `{ path }`: a file, its content as it is.
   */
  readonly inputs?: Readonly<Record<string, unknown>>
  /** Default: `uv` for workers with a `main.py` in the registries, `shell` for others; local functions always run. */
  readonly executors?: ExecutorSet
  /** Folders of workers. Default: `workers` below the current directory, where there is one. */
  readonly registries?: readonly string[]
}

/** How a run ended, with its outputs as values. */
export interface WorkflowResult {
  readonly id: string
  readonly state: RunEnd['state']
  /** By port, ints as bigint, floats as number; undefined unless it succeeded. A value in a file is read when it is asked for. */
  readonly outputs: Readonly<Record<string, Value>> | undefined
  readonly failed: readonly FailedNode[]
}

/** A run that this process controls. */
export interface StartedWorkflow {
  readonly id: string
  /** Never rejects because a node failed; rejects where the run can't go on (a full disk), and can be resumed then. */
  readonly ended: Promise<WorkflowResult>
  cancel(by?: string): void
  /** Lets go of it: calls run on where they can, and `resume` goes on. */
  leave(): void
}

/** The workflow runs of a home, for programs: all that `drover workflow` can do. */
export interface WorkflowLibrary {
  /** Throws InputError for what can't run; nothing was started then. */
  start(graph: GraphSourceLike, options?: StartOptions): Promise<StartedWorkflow>
  /** `local`: the workflow whose local functions it needs. */
  resume(run: string, options?: TakeUpOptions): Promise<StartedWorkflow>
  /** Default: the nodes that failed. */
  retry(run: string, nodes?: readonly string[], options?: TakeUpOptions): Promise<StartedWorkflow>
  validate(graph: GraphSourceLike, inputs?: readonly string[]): readonly GraphProblem[]
  list(): Promise<readonly RunSummary[]>
  show(run: string): Promise<RunSummary & { readonly nodes: readonly NodeView[] }>
  outputs(run: string): Readonly<Record<string, Value>> | undefined
  /** False: nobody controls the run. */
  cancel(run: string, by?: string): Promise<boolean>
  /** Writes Tierkreis's checkpoint directory and returns it. */
  export(run: string, directory: string): string
  remove(run: string): Promise<void>
  /** Removes results of cached calls: those not used for a time, oldest first down to a size; without a limit, all. */
  pruneCache(options?: PruneOptions): PrunedCache
}

/** A workflow built in TypeScript, or a graph that was read. */
export type GraphSourceLike = Workflow<never, unknown> | GraphData

/** With what a run goes on. */
export interface TakeUpOptions {
  readonly executors?: ExecutorSet
  readonly registries?: readonly string[]
  /** The workflow that it is of, where it has local functions. */
  readonly workflow?: Workflow<never, unknown>
}

/** Opens the workflow runs of a home. Runs of this process end with it unless `leave` is called; they can be resumed. */
export function openWorkflows(options: OpenWorkflowsOptions = {}): WorkflowLibrary {
  const environment = options.home === undefined ? process.env : { ...process.env, DROVER_HOME: options.home }
  const workflows = new Workflows(resolveHome(environment).home, packageFacts().version)
  const executorsOf = ({ executors, registries, workflow }: TakeUpOptions): ExecutorSet => {
    const ordinary = resolve('workers')
    const folders = registries?.map((path) => resolve(path)) ?? (existsSync(ordinary) ? [ordinary] : [])
    return withLocalTasks(executors ?? createDefaultExecutors({ registries: folders }), workflow?.localTasks ?? new Map())
  }
  return {
    async start(graph, given = {}) {
      const { inputs = {}, executors, registries, ...rest } = given
      const workflow = isWorkflow(graph) ? graph : undefined
      const set = executorsOf({
        ...(executors === undefined ? {} : { executors }),
        ...(registries === undefined ? {} : { registries }),
        ...(workflow === undefined ? {} : { workflow }),
      })
      const data = workflow === undefined ? (graph as GraphData) : workflow.toGraphData()
      return started(await workflows.start(data, { ...rest, inputs: encodeInputs(inputs, workflow?.inputPorts), executors: set }))
    },
    resume: async (run, given = {}) => started(await workflows.resume(run, executorsOf(given))),
    retry: async (run, nodes = [], given = {}) => started(await workflows.retry(run, nodes, executorsOf(given))),
    validate: (graph, inputs) =>
      validateGraph(isWorkflow(graph) ? graph.toGraphData() : graph, inputs === undefined ? {} : { given: inputs }),
    list: async () => await workflows.list(),
    show: async (run) => ({ ...(await workflows.summary(run)), nodes: workflows.inspect(run).nodes }),
    outputs: (run) => valuesOf(workflows.inspect(run).outputs),
    cancel: async (run, by = 'a program') => await workflows.requestCancel(run, by),
    export: (run, directory) => exportRun(workflows.runs, workflows.describe(run), resolve(directory)),
    remove: async (run) => await workflows.remove(run),
    pruneCache: (options) => workflows.pruneCache(options),
  }
}

/**
 * Executors from a YAML or JSON document, as `drover workflow run --executors` reads it.
 * @param directory what relative paths in it are relative to
 */
export function readExecutors(document: string, directory: string, open: () => Promise<Drover>): ExecutorSet {
  const world: ExecutorWorld = { drover: open }
  return parseExecutors(document, 'executors', resolve(directory), executorKinds(world))
}

function isWorkflow(graph: GraphSourceLike): graph is Workflow<never, unknown> {
  return graph instanceof Workflow || 'toGraphData' in graph
}

function started(run: WorkflowRun): StartedWorkflow {
  return {
    id: run.id,
    ended: run.ended.then(({ id, state, outputs, failed }) => ({ id, state, outputs: valuesOf(outputs), failed })),
    cancel: (by) => run.cancel(by),
    leave: () => run.leave(),
  }
}

function valuesOf(contents: RunEnd['outputs']): Readonly<Record<string, Value>> | undefined {
  if (contents === undefined) return undefined
  const values: Record<string, Value> = {}
  for (const [port, content] of contents) {
    if (content.inMemory) values[port] = content.read
    else Object.defineProperty(values, port, { enumerable: true, get: () => content.read })
  }
  return values
}

function encodeInputs(inputs: Readonly<Record<string, unknown>>, ports: PortShape | undefined): ReadonlyMap<string, RunInput> {
  const encoded = new Map<string, RunInput>()
  for (const [port, given] of Object.entries(inputs)) {
    if (isFile(given)) {
      encoded.set(port, { path: resolve(given.path) })
      continue
    }
    const type = ports?.[port]
    const value = type === undefined ? plainValue(given) : literalOf(type, given, `input "${port}"`)
    if (value === undefined) throw new InputError('invalid_argument', `input "${port}": ${describe(given)} is no value of a port`)
    encoded.set(port, writeValue(value))
  }
  return encoded
}

function isFile(given: unknown): given is { readonly path: string } {
  return (
    typeof given === 'object' && given !== null && Object.keys(given).join() === 'path' && 'path' in given && typeof given.path === 'string'
  )
}
