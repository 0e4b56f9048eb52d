/**
 * A process that runs one workflow some times through the library and prints how long each run took, and the most memory it held:
 * `node workflow-child.ts <JSON of ChildSpec>`; a ChildResult. For 3,000 tasks in flight it prints its CPU time instead.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../../src/testing/index.ts'
import { singleExecutor } from '../../../src/workers/multiple/executor-set.ts'
import { createShellExecutor } from '../../../src/workers/shell/shell-executor.ts'
import { createUvExecutor } from '../../../src/workers/uv/uv-executor.ts'
import type { UvExecutorOptions } from '../../../src/workers/uv/uv-options.ts'
import type { ExecutorSet, ValueExecutor } from '../../../src/workflow/calls/worker-call.ts'
import { Content } from '../../../src/workflow/engine/content.ts'
import { WorkflowEngine } from '../../../src/workflow/engine/engine.ts'
import { compileProgram } from '../../../src/workflow/engine/program.ts'
import { parseGraph } from '../../../src/workflow/model/graph-codec.ts'
import type { GraphData } from '../../../src/workflow/model/graph-data.ts'
import { runBuiltinNode } from '../../../src/workflow/run/builtin-node.ts'
import { Workflows } from '../../../src/workflow/run/workflows.ts'
import type { Value } from '../../../src/workflow/values/value.ts'
import { cpuMs } from '../measure.ts'

/** Who runs the nodes: builtins alone, a no-op in memory, Python through uv, scripts of a registry. */
export type ChildWorkers =
  | { readonly kind: 'builtins' | 'memory' }
  | ({ readonly kind: 'uv' } & UvExecutorOptions)
  | { readonly kind: 'shell'; readonly registry: string; readonly maxParallel: number }

/** What is run. */
export interface ChildSpec {
  /** `engine`: without a run's directory, function nodes of `skipped` workers do nothing. `idle`: until all calls are in flight. */
  readonly mode: 'run' | 'engine' | 'idle'
  /** Files. More than one: in turn, round after round. */
  readonly graphs: readonly string[]
  readonly rounds: number
  /** Runs of the first graph before time is taken. */
  readonly warmUp: number
  readonly home: string
  readonly workers: ChildWorkers
}

/** What came out. */
export interface ChildResult {
  /** By graph: ms per round, from the text of the graph to the known outputs; of `engine`, from the graph in memory. */
  readonly times: readonly (readonly number[])[]
  /** JSON of output `value` of each graph's last run. */
  readonly values: readonly string[]
  readonly peakBytes: number
  /** Of `idle`: share of one core over 10 s. */
  readonly share?: number
}

const IDLE_MS = 10_000

/** `noop.same` of a graph: what it gets it gives. */
const NOOP: ValueExecutor = {
  kind: 'memory',
  maxParallel: 1_000,
  check: async () => undefined,
  invoke: async ({ inputs }) => new Map<string, Value>([['value', inputs.get('x') ?? inputs.get('value') ?? null]]),
  close: async () => {},
}

function executorsOf(workers: ChildWorkers): ExecutorSet {
  if (workers.kind === 'uv') return singleExecutor(createUvExecutor(workers))
  if (workers.kind === 'shell') {
    return singleExecutor(createShellExecutor({ registries: [workers.registry], maxParallel: workers.maxParallel }))
  }
  return singleExecutor(NOOP)
}

async function runDurably(spec: ChildSpec, text: Buffer): Promise<string> {
  const run = await new Workflows(spec.home, 'bench').start(text, { executors: executorsOf(spec.workers) })
  const { state, outputs, failed } = await run.ended
  const value = outputs?.get('value')
  if (state !== 'succeeded' || value === undefined) throw new Error(`the run ${state}: ${JSON.stringify(failed.slice(0, 3))}`)
  return Buffer.from(value.bytes).toString()
}

const NOTHING = new Map([['value', Content.written(1n)]])

/** Builtins that a map needs are run; all else is what the engine alone costs. */
function runInEngine(graph: GraphData): string {
  const engine = new WorkflowEngine(compileProgram(graph), new Map())
  for (let run = engine.next(); run !== undefined; run = engine.next()) {
    const node = run.scope.program.node(run.index)
    const name = node.type === 'function' ? node.functionName : ''
    if (!name.endsWith('fold_values')) {
      engine.succeed(run, NOTHING)
      continue
    }
    const end = runBuiltinNode(run, name.slice('builtins.'.length))
    if ('failure' in end) throw new Error(end.failure.message)
    engine.succeed(run, end.outputs)
  }
  const value = engine.outputs?.get('value')
  if (value === undefined) throw new Error('the graph did not end')
  return Buffer.from(value.bytes).toString()
}

async function timeRuns(spec: ChildSpec): Promise<Pick<ChildResult, 'times' | 'values'>> {
  const texts = spec.graphs.map((path) => readFileSync(path))
  const graphs = spec.mode === 'engine' ? texts.map((text) => parseGraph(text)) : []
  const times: number[][] = texts.map(() => [])
  const values: string[] = []
  const run = async (at: number): Promise<void> => {
    const start = performance.now()
    const [text, graph] = [texts[at], graphs[at]]
    values[at] = graph === undefined ? await runDurably(spec, text ?? Buffer.of()) : runInEngine(graph)
    times[at]?.push(performance.now() - start)
  }
  for (let round = 0; round < spec.warmUp; round += 1) await run(0)
  for (const list of times) list.length = 0
  for (let round = 0; round < spec.rounds; round += 1) for (const at of texts.keys()) await run(at)
  return { times, values }
}

/** Direct children: the spawner is one; the tasks it started are its own. */
function children(): readonly number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

async function measureIdle(spec: ChildSpec): Promise<ChildResult> {
  if (spec.workers.kind !== 'shell') throw new Error('idle is for the shell executor')
  const { maxParallel } = spec.workers
  const text = readFileSync(spec.graphs[0] ?? '')
  const run = await new Workflows(spec.home, 'bench').start(text, { executors: executorsOf(spec.workers) })
  try {
    const begun = `${spec.home}/begun`
    await until(`${maxParallel} calls in flight`, 240_000, () => {
      try {
        return readFileSync(begun).length >= maxParallel
      } catch {
        return false
      }
    })
    await delay(3_000)
    const used = (): number => [process.pid, ...children()].reduce((sum, pid) => sum + cpuMs(pid), 0)
    const before = used()
    await delay(IDLE_MS)
    const share = (used() - before) / IDLE_MS
    return { times: [], values: [], peakBytes: peakBytes(), share }
  } finally {
    run.cancel('the bench')
    await run.ended
  }
}

function peakBytes(): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024
}

const spec = JSON.parse(process.argv[2] ?? '') as ChildSpec
const result: ChildResult = spec.mode === 'idle' ? await measureIdle(spec) : { ...(await timeRuns(spec)), peakBytes: peakBytes() }
console.log(JSON.stringify(result))
