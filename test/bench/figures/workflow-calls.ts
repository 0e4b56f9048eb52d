import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Figure, median, showTimes, timeCommand } from '../measure.ts'
import { findTaskPeers, type WorkflowBench } from '../workflow-peers.ts'
import { callsGraph } from './workflow-graphs.ts'

const CALLS = 200
const IN_FLIGHT = 3_000
const FASTER = 30
/** What starting and watching may cost on top of the interpreters themselves. */
const COLD = 1.2

const WORKER = `import sys
from tierkreis import Worker
worker = Worker("bench_nothing")

@worker.task()
def same(x: int) -> int:
    return x

if __name__ == "__main__":
    worker.app(sys.argv)
`

/** A registry with one Python worker whose environment is there: making it is no part of a call. */
function pythonRegistry(bench: WorkflowBench): string {
  const registry = bench.folder('registry')
  const worker = join(registry, 'bench_nothing')
  mkdirSync(worker)
  writeFileSync(join(worker, 'main.py'), WORKER)
  writeFileSync(
    join(worker, 'pyproject.toml'),
    `[project]\nname = "bench_nothing"\nversion = "0.1.0"\nrequires-python = ">=3.12"\ndependencies = ["tierkreis==${bench.version}"]\n`,
  )
  // As after its first call: where PYTHONDONTWRITEBYTECODE is set, every interpreter of either side would compile all it imports.
  execFileSync(bench.uv, ['sync', '--quiet', '--compile-bytecode'], {
    cwd: worker,
    env: { ...process.env, ...bench.uvEnvironment },
    stdio: 'pipe',
  })
  return registry
}

/**
 * The calls of one of our runs once more, by xargs and the worker's interpreter alone: the least that a process per call costs here.
 * Its home's run is the only one there.
 */
async function timeInterpreters(bench: WorkflowBench, registry: string, home: string): Promise<number> {
  const root = join(home, 'workflows')
  const [run = ''] = readdirSync(root)
  const calls = readdirSync(join(root, run))
    .map((name) => `${run}/${name}/definition`)
    .filter((path) => existsSync(join(root, path)))
  if (calls.length !== CALLS) throw new Error(`${calls.length} calls in ${root}/${run}, not ${CALLS}`)
  const list = bench.file(`definitions-${run}`, calls.map((call) => `${call}\n`).join(''))
  const worker = join(registry, 'bench_nothing')
  const script = 'cd "$1" && xargs -P "$2" -n 1 .venv/bin/python main.py <"$3"'
  const environment = { ...process.env, TKR_DIR: root }
  return await timeCommand('sh', ['-c', script, 'sh', worker, String(availableParallelism()), list], environment)
}

/** 200 calls of a Python worker that do nothing, warm and cold. Cold takes long: `coldRounds`. */
export async function measureWorkflowCalls(bench: WorkflowBench, rounds: number, coldRounds: number): Promise<readonly Figure[]> {
  const what = `map of ${CALLS} calls of a Python worker that do nothing`
  const why = bench.withoutTierkreis
  if (why !== undefined) return [{ what, measured: why, target: `at least ${FASTER}x faster` }]
  const graph = bench.file('python-calls.json', callsGraph(CALLS, 'bench_nothing.same'))
  const registry = pythonRegistry(bench)
  const workers = { kind: 'uv', registries: [registry], uv: bench.uv, env: bench.uvEnvironment } as const
  const warm = (await bench.library({ mode: 'run', graphs: [graph], rounds, workers })).times[0] ?? []
  const theirs = (await bench.controller(graph, registry)).seconds * 1_000
  const cold: number[] = []
  const bare: number[] = []
  for (let round = 0; round < coldRounds; round += 1) {
    const home = bench.folder('home')
    const spec = { mode: 'run', graphs: [graph], rounds: 1, home, workers: { ...workers, warm: false } } as const
    cold.push((await bench.library(spec)).times[0]?.[0] ?? Number.NaN)
    bare.push(await timeInterpreters(bench, registry, home))
  }
  const [faster, coldRatio] = [theirs / median(warm), median(cold) / median(bare)]
  const perSecond = (times: readonly number[]): string => `${((CALLS / median(times)) * 1_000).toFixed(0)} per second`
  return [
    {
      what: `${what}, warm, the worker's start within, beside Tierkreis with its uv executor`,
      measured: `${faster.toFixed(0)}x: ${showTimes(warm, 's', 1_000)} beside ${(theirs / 1_000).toPrecision(3)} s`,
      target: `at least ${FASTER}x faster`,
      ok: faster >= FASTER,
    },
    {
      what: `the same, cold (a process per call), beside xargs -P ${availableParallelism()} with the interpreter alone`,
      measured: `${coldRatio.toFixed(2)}x: ${showTimes(cold, 's', 1_000)} beside ${showTimes(bare, 's', 1_000)}; ${(theirs / median(cold)).toFixed(1)}x faster than Tierkreis`,
      target: `as fast as the cores allow (at most ${COLD}x)`,
      ok: coldRatio <= COLD,
    },
    ...(await besideTaskPeers(bench, `${perSecond(warm)} warm, ${perSecond(cold)} cold; durable, by files, each call isolated`)),
  ]
}

/** Systems for tasks in Python: other promises, so no target. */
async function besideTaskPeers(bench: WorkflowBench, ours: string): Promise<readonly Figure[]> {
  const found = findTaskPeers(bench.python)
  const figures: Figure[] = []
  for (const [name, title] of [
    ['ray', 'Ray'],
    ['parsl', 'Parsl'],
  ] as const) {
    let measured: string
    try {
      const { seconds, version } = 'why' in found ? { seconds: 0, version: '' } : await bench.other(found.python, name, String(CALLS))
      measured = 'why' in found ? found.why : `${(CALLS / seconds).toFixed(0)} per second (${version}, started and warmed up, in memory)`
    } catch (error) {
      measured = `${title} does not run: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`
    }
    figures.push({
      what: `${CALLS} Python tasks that do nothing, beside ${title}`,
      measured: `${ours}. ${title}: ${measured}`,
      target: 'none, for comparison',
    })
  }
  return figures
}

/** What watching over 3,000 calls that run costs. */
export async function measureWorkflowIdle(bench: WorkflowBench): Promise<readonly Figure[]> {
  const registry = bench.folder('scripts')
  const home = bench.folder('home')
  mkdirSync(join(registry, 'bench_waiting'))
  writeFileSync(join(registry, 'bench_waiting/main.sh'), `#!/bin/sh\nprintf . >>'${home}/begun'\nexec sleep 3600\n`, { mode: 0o755 })
  const graph = bench.file('waiting.json', callsGraph(IN_FLIGHT, 'bench_waiting.same'))
  const { share = Number.NaN } = await bench.library({
    mode: 'idle',
    graphs: [graph],
    rounds: 1,
    home,
    workers: { kind: 'shell', registry, maxParallel: IN_FLIGHT },
  })
  return [
    {
      what: `${IN_FLIGHT.toLocaleString('en')} calls in flight: CPU of the controller and its spawner over 10 s`,
      measured: `${(share * 100).toFixed(2)} % of one core`,
      target: 'below 1 %',
      ok: share < 0.01,
    },
  ]
}
