import { existsSync, readFileSync } from 'node:fs'
import { WorkflowEngine } from '../engine/engine.ts'
import { compileProgram } from '../engine/program.ts'
import type { Contents, NodeRun, Scope } from '../engine/scope.ts'
import { parseGraph } from '../model/graph-codec.ts'
import { readJournal } from './journal-file.ts'
import { type RunDescription, readInputs, runPaths } from './run-directory.ts'
import { isUnderWay, nodeKey, type RunMemory, recallRun } from './run-memory.ts'

/**
 * `waiting`: not started. `skipped`: will not run, for another failed or the run has ended. `cancelled`: it was under way when the
 * run ended.
 */
export type NodeState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped' | 'cancelled'

/** A node of a run, constants and inputs left out: they are always there. */
export interface NodeView {
  readonly loc: string
  readonly type: string
  /** `worker.task`, the loop's name, or the type. */
  readonly name: string
  readonly state: NodeState
  /** ISO 8601; null where it took no time worth noting, or is not known. */
  readonly started_at: string | null
  readonly ended_at: string | null
  /** Of calls of workers. */
  readonly attempt: number | null
  readonly executor: string | null
  readonly cause: string | null
  readonly message: string | null
  readonly exit_code: number | null
  /** Nodes inside it: of an eval; of a loop or a map the iterations or elements, as nodes of type `iteration` and `element`. */
  readonly inner: readonly NodeView[]
}

/** A run taken to pieces. */
export interface InspectedRun {
  /** Nodes of the outermost graph, by index. */
  readonly nodes: readonly NodeView[]
  readonly outputs: Contents | undefined
  readonly memory: RunMemory
  /** Function nodes that were reached, by location. */
  readonly functions: ReadonlyMap<string, NodeRun>
}

/** Works out where a run stands, from its journal alone: the graph is gone through again, without doing anything. */
export function inspectRun(runs: string, description: RunDescription): InspectedRun {
  const paths = runPaths(runs, description.id)
  const records = existsSync(paths.journal) ? readJournal(paths.journal).records : []
  const memory = recallRun(records, description.root)
  const inner = new Map<NodeRun, Scope[]>()
  const opened: Scope[] = []
  const functions = new Map<string, NodeRun>()
  const engine = new WorkflowEngine(compileProgram(parseGraph(readFileSync(paths.graph))), readInputs(runs, description), {
    maxOpen: Number.POSITIVE_INFINITY,
    memory: memory.root,
    retries: memory.retries,
    observer: {
      scopeOpened: (scope) => {
        opened.push(scope)
        if (scope.owner === undefined) return
        const scopes = inner.get(scope.owner)
        if (scopes === undefined) inner.set(scope.owner, [scope])
        else scopes.push(scope)
      },
      nodeStarted: (run) => {
        if (run.scope.program.node(run.index).type === 'function') functions.set(run.loc, run)
      },
    },
  })
  // What is handed out has not ended; what of it is under way was written down.
  for (let run = engine.next(); run !== undefined; run = engine.next()) {
    const key = keyOf(run)
    if (key === undefined || !isUnderWay(memory, key)) engine.abandon(run)
  }
  return { nodes: viewScopes(opened, inner, memory), outputs: engine.outputs, memory, functions }
}

function keyOf(run: NodeRun): string | undefined {
  return run.scope.memory && nodeKey([run.scope.memory.id, run.index])
}

/** The nodes of the first scope. What is inside others was opened after them: no recursion, for graphs may be thousands deep. */
function viewScopes(opened: readonly Scope[], inner: ReadonlyMap<NodeRun, readonly Scope[]>, memory: RunMemory): readonly NodeView[] {
  const views = new Map<Scope, readonly NodeView[]>()
  for (const scope of opened.toReversed()) {
    const nodes = scope.runs.flatMap((run) => (run === undefined ? [] : [viewNode(run, inner.get(run) ?? [], views, memory)]))
    views.set(scope, nodes)
  }
  const [root] = opened
  return (root && views.get(root)) ?? []
}

function viewNode(run: NodeRun, scopes: readonly Scope[], known: ReadonlyMap<Scope, readonly NodeView[]>, memory: RunMemory): NodeView {
  const node = run.scope.program.node(run.index)
  const key = keyOf(run)
  const started = key === undefined ? undefined : memory.started.get(key)
  const times = key === undefined ? undefined : memory.times.get(key)
  const views =
    node.type === 'eval'
      ? scopes.flatMap((scope) => known.get(scope) ?? [])
      : scopes.map((scope) => viewStep(scope, known.get(scope) ?? [], memory))
  const isFunction = node.type === 'function'
  // Its call was ended together with the run.
  const wasStopped = started !== undefined && run.state === 'waiting' && (times === undefined || times.ended < started.at)
  const state = settledState(wasStopped && memory.endedAt !== undefined ? 'running' : run.state, views, memory)
  return {
    loc: run.loc,
    type: node.type,
    name: isFunction ? node.functionName : node.type === 'loop' ? (node.name ?? 'loop') : node.type,
    state,
    ...(isFunction ? timesOf(state, started?.at, times, memory) : spanOf(state, views)),
    attempt: started?.attempt ?? null,
    executor: started?.executor ?? null,
    cause: run.failure?.cause ?? null,
    message: run.failure?.message ?? null,
    exit_code: run.failure?.exitCode ?? null,
    inner: views,
  }
}

/** An iteration of a loop, or an element of a map. */
function viewStep(scope: Scope, views: readonly NodeView[], memory: RunMemory): NodeView {
  const state = settledState(stateOf(scope, views), views, memory)
  return {
    loc: scope.loc,
    type: scope.step.startsWith('L') ? 'iteration' : 'element',
    name: scope.step.slice(1),
    state,
    ...spanOf(state, views),
    attempt: null,
    executor: null,
    cause: null,
    message: null,
    exit_code: null,
    inner: views,
  }
}

function stateOf(scope: Scope, views: readonly NodeView[]): NodeState {
  const output = scope.runs[scope.program.output]?.state
  if (output === 'succeeded') return 'succeeded'
  if (output === 'skipped' || output === 'failed') return 'failed'
  return views.some(({ state }) => state !== 'waiting' && state !== 'skipped') ? 'running' : 'waiting'
}

/** In a run that has ended nothing waits or runs any more. */
function settledState(state: NodeState, views: readonly NodeView[], { endedAt }: RunMemory): NodeState {
  if (endedAt === undefined || (state !== 'waiting' && state !== 'running')) return state
  if (state === 'waiting') return 'skipped'
  return views.some((view) => view.state === 'failed') ? 'failed' : 'cancelled'
}

type Times = Pick<NodeView, 'started_at' | 'ended_at'>

function timesOf(
  state: NodeState,
  startedAt: number | undefined,
  times: { readonly started: number | undefined; readonly ended: number } | undefined,
  { endedAt }: RunMemory,
): Times {
  if (state === 'running') return { started_at: isoTime(startedAt), ended_at: null }
  if (state === 'cancelled') return { started_at: isoTime(startedAt), ended_at: isoTime(endedAt) }
  if (state !== 'succeeded' && state !== 'failed') return { started_at: null, ended_at: null }
  return { started_at: isoTime(times?.started ?? times?.ended), ended_at: isoTime(times?.ended) }
}

/** From the first start to the last end of what is inside. */
function spanOf(state: NodeState, views: readonly NodeView[]): Times {
  let first: string | null = null
  let last: string | null = null
  for (const { started_at, ended_at } of views) {
    if (started_at !== null && (first === null || started_at < first)) first = started_at
    if (ended_at !== null && (last === null || ended_at > last)) last = ended_at
  }
  return { started_at: first, ended_at: state === 'running' ? null : last }
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
