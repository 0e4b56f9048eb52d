import { type Figure, median, showTimes } from '../measure.ts'
import type { PeerTime, WorkflowBench } from '../workflow-peers.ts'
import type { ChildWorkers } from './workflow-child.ts'
import { callsGraph, chainGraph, loopGraph, mapGraph } from './workflow-graphs.ts'

const BUILTINS: ChildWorkers = { kind: 'builtins' }
const LINKS = 200
const ELEMENTS = 1_000
/** Its Python controller starts the processes of all elements at once: more than these and the machine is out of memory. */
const THEIR_ELEMENTS = 50
const ITERATIONS = 100
/** Both controllers' times are measured once: they take minutes, and are hundreds of times the machine's noise. */
const CONTROLLER = "Tierkreis's Python controller (file storage)"
const COMPILED = "Tierkreis's compiled controller (in memory)"
const FLAT = 1.5
const MOST_BYTES = 500e6

/** A peer's failure is its row's text: the figures after it are still measured. */
function whyNot(error: unknown): string {
  return `Tierkreis failed: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`
}

interface Ours {
  readonly library: readonly number[]
  readonly command: readonly number[]
}

/** Both ways of running a graph, in turn: rounds of the library are in one process, so its first has nothing compiled. */
async function timeOurs(bench: WorkflowBench, graph: string, rounds: number, last: string): Promise<Ours> {
  const { times, values } = await bench.library({ mode: 'run', graphs: [graph], rounds, workers: BUILTINS })
  if (!values[0]?.replace(/[\s\]]+$/, '').endsWith(last)) throw new Error(`${graph} gave ${values[0]?.slice(-100)}, not … ${last}`)
  const command: number[] = []
  await bench.command(graph)
  for (let round = 0; round < rounds; round += 1) command.push(await bench.command(graph))
  return { library: times[0] ?? [], command }
}

/** Our times beside one peer's, as ratios of ms per `unit`: a peer may have run a smaller graph of the same form. */
function beside(
  what: string,
  ours: Ours,
  ourUnits: number,
  peer: { readonly name: string; readonly time: PeerTime | string; readonly units: number; readonly size: string },
  expected: number,
): readonly Figure[] {
  const target = `at least ${expected.toLocaleString('en')}x faster`
  if (typeof peer.time === 'string') {
    return [{ what: `${what}, library, beside ${peer.name}`, measured: `${showTimes(ours.library)}; ${peer.time}`, target }]
  }
  const { seconds, processSeconds = seconds } = peer.time
  return (['library', 'command'] as const).map((way) => {
    // A command is a process, and is held against one.
    const theirs = (way === 'library' ? seconds : processSeconds) * 1_000
    const ratio = theirs / peer.units / (median(ours[way]) / ourUnits)
    return {
      what: `${what}, ${way === 'library' ? 'library' : '`drover workflow run`'}, beside ${peer.name}`,
      measured: `${ratio.toFixed(0)}x: ${showTimes(ours[way])} beside ${(theirs / 1_000).toPrecision(3)} s${peer.size}`,
      target,
      ok: ratio >= expected,
    }
  })
}

/** A chain, a map and a loop of builtins, durable, beside both controllers of Tierkreis. */
export async function measureWorkflowBuiltins(bench: WorkflowBench, rounds: number): Promise<readonly Figure[]> {
  const chain = bench.file('chain.json', chainGraph(LINKS))
  const map = bench.file('map.json', mapGraph(ELEMENTS))
  const loop = bench.file('loop.json', loopGraph(ITERATIONS))
  const why = bench.withoutTierkreis
  const ask = async (peer: () => Promise<PeerTime | undefined>): Promise<PeerTime | string> =>
    why ?? (await peer().catch(whyNot)) ?? 'no answer'
  const compiled = async (graph: string): Promise<PeerTime | string> => await ask(async () => (await bench.compiled([graph]))[0])
  const controller = async (graph: string): Promise<PeerTime | string> => await ask(async () => await bench.controller(graph))
  const ours = {
    chain: await timeOurs(bench, chain, rounds, String(LINKS + 1)),
    map: await timeOurs(bench, map, rounds, String(3 * ELEMENTS)),
    loop: await timeOurs(bench, loop, rounds, String(ITERATIONS)),
  }
  const smallMap = bench.file('small-map.json', mapGraph(THEIR_ELEMENTS))
  const times = {
    chain: await controller(chain),
    map: await controller(smallMap),
    loop: await controller(loop),
  }
  const of = (name: string, time: PeerTime | string, units: number, size = '') => ({ name, time, units, size })
  const chainOf = `chain of ${LINKS} builtins`
  const mapOf = `map of ${ELEMENTS.toLocaleString('en')} x 2 builtins`
  return [
    ...beside(chainOf, ours.chain, LINKS, of(CONTROLLER, times.chain, LINKS), 1_000),
    ...beside(chainOf, ours.chain, LINKS, of(COMPILED, await compiled(chain), LINKS), 50),
    ...beside(`${mapOf}, per element`, ours.map, ELEMENTS, of(CONTROLLER, times.map, THEIR_ELEMENTS, ` for ${THEIR_ELEMENTS} x 2`), 1_000),
    ...beside(mapOf, ours.map, ELEMENTS, of(COMPILED, await compiled(map), ELEMENTS), 50),
    ...beside(`loop of ${ITERATIONS} iterations`, ours.loop, ITERATIONS, of(CONTROLLER, times.loop, ITERATIONS), 500),
  ]
}

/** What a node costs as graphs grow, ours and theirs; memory of a large map. */
export async function measureWorkflowSizes(bench: WorkflowBench, rounds: number): Promise<readonly Figure[]> {
  const nodes = [1_000, 10_000, 100_000]
  const why = bench.withoutTierkreis
  const figures: Figure[] = []
  const forms = {
    chain: { graph: chainGraph, theirs: [20, 200, 400], per: 1 },
    map: { graph: mapGraph, theirs: [20, 200, 2_000], per: 2 },
  }
  for (const [form, { graph, theirs, per }] of Object.entries(forms)) {
    const graphs = nodes.map((count) => bench.file(`${form}-${count}.json`, graph(count / per)))
    const { times } = await bench.library({ mode: 'run', graphs, rounds, warmUp: 10, workers: BUILTINS })
    const costs = times.map((list, at) => median(list) / (nodes[at] ?? 1))
    const show = (list: readonly number[]): string => list.map((cost) => (cost * 1_000).toPrecision(2)).join(', ')
    const ratio = (costs.at(-1) ?? Number.NaN) / (costs[0] ?? Number.NaN)
    figures.push({
      what: `cost per node of a ${form} of 1,000, 10,000 and 100,000 builtins, durable`,
      measured: `${show(costs)} µs; the largest ${ratio.toFixed(2)}x the smallest`,
      target: `flat (at most ${FLAT}x)`,
      ok: ratio <= FLAT,
    })
    const peers = why === undefined ? await bench.compiled(theirs.map((count) => bench.file(`${form}-of-${count}.json`, graph(count)))) : []
    const their = peers.map(({ seconds }, at) => (seconds * 1_000) / ((theirs[at] ?? 1) * per))
    figures.push({
      what: `the same by ${COMPILED}, ${theirs.map((count) => (count * per).toLocaleString('en')).join(', ')} builtins`,
      measured:
        why ?? `${show(their)} µs; the largest ${((their.at(-1) ?? Number.NaN) / (their[0] ?? Number.NaN)).toFixed(1)}x the smallest`,
      target: 'none, for comparison',
    })
  }
  const large = bench.file('map-100000.json', mapGraph(50_000))
  const larger = bench.file('map-200000.json', mapGraph(100_000))
  const [most, more] = [
    await bench.library({ mode: 'run', graphs: [large], rounds: 1, workers: BUILTINS }),
    await bench.library({ mode: 'run', graphs: [larger], rounds: 1, workers: BUILTINS }),
  ]
  figures.push({
    what: 'map of 100,000 nodes (50,000 x 2 builtins), durable: peak memory of the process',
    measured: `${(most.peakBytes / 1e6).toFixed(0)} MB; of 100,000 x 2: ${(more.peakBytes / 1e6).toFixed(0)} MB`,
    target: 'below 500 MB',
    ok: most.peakBytes < MOST_BYTES,
  })
  return figures
}

/** What the engine itself can do, in memory and with the journal. */
export async function measureWorkflowEngine(bench: WorkflowBench, rounds: number): Promise<readonly Figure[]> {
  const nodes = 100_000
  const rate = (what: string, times: readonly number[], count: number, least: number): Figure => {
    const perSecond = times.map((time) => (count / time) * 1_000)
    return {
      what,
      measured: showTimes(perSecond, 'thousand per second', 1_000),
      target: `at least ${least.toLocaleString('en')} per second`,
      ok: median(perSecond) >= least,
    }
  }
  const chain = bench.file(`noop-chain-${nodes}.json`, chainGraph(nodes, 'noop.same'))
  const map = bench.file(`noop-map-${nodes}.json`, callsGraph(nodes, 'noop.same'))
  const memory: ChildWorkers = { kind: 'memory' }
  const run = async (mode: 'run' | 'engine', graph: string, workers: ChildWorkers, times = rounds): Promise<readonly number[]> =>
    (await bench.library({ mode, graphs: [graph], rounds: times, warmUp: 1, workers })).times[0] ?? []
  const identity = bench.file(`tkr-id-chain-${nodes}.json`, chainGraph(nodes, 'builtins.tkr_id'))
  return [
    rate('engine only, in memory, chain of 100,000 no-op nodes', await run('engine', chain, memory), nodes, 50_000),
    rate('engine only, in memory, map of 100,000 no-op nodes', await run('engine', map, memory), nodes, 50_000),
    rate('durable, chain of 100,000 `tkr_id`', await run('run', identity, BUILTINS), nodes, 10_000),
    rate('durable, map of 100,000 no-op calls of an executor in memory', await run('run', map, memory), nodes, 10_000),
  ]
}
