import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFunctionExecutor } from '../../src/workers/custom/function-executor.ts'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, list } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { Workflows } from '../../src/workflow/run/workflows.ts'

// A program of its own, so that its memory and processor time are those of one run: `map N` adds over N elements, `idle N` has N calls
// in flight that an executor of the user's has taken on. Prints one JSON line.

const [what, count] = [process.argv[2], Number(process.argv[3])]
const home = mkdtempSync(join(process.env['DROVER_TEST_DIRECTORY'] ?? tmpdir(), 'home-'))
const workflows = new Workflows(home, 'test')
try {
  console.log(JSON.stringify(what === 'map' ? await map() : await idle()))
} finally {
  rmSync(home, { recursive: true, force: true })
}

async function map() {
  const b = graph({ x: int })
  const body = b.output({ value: b.call(builtins.iadd, { a: b.inputs.x, b: 1 }) })
  const g = graph({ n: int })
  const workflow = g.output({ values: g.map(body, { x: g.call(builtins.tkr_range, { start: 0, stop: g.inputs.n, step: 1 }) }) })
  const executors = singleExecutor(createFunctionExecutor({ run: () => {} }))
  const begun = performance.now()
  const run = await workflows.start(Buffer.from(workflow.toText()), { executors, inputs: new Map([['n', Buffer.from(String(count))]]) })
  const end = await run.ended
  const ms = performance.now() - begun
  const values = JSON.parse(Buffer.from(end.outputs?.get('values')?.bytes ?? []).toString()) as number[]
  if (values.length !== count || values.at(-1) !== count) throw new Error(`wrong outputs: ${values.length}`)
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return { ms, peakBytes: Number(peak) * 1024 }
}

async function idle() {
  const b = graph({ x: int })
  const body = b.output({ value: b.call(task('w.wait', { x: int }, { value: int }), { x: b.inputs.x }) })
  const g = graph({ xs: list(int) })
  const taken: string[] = []
  const executor = createFunctionExecutor({ maxParallel: count, run: (_worker, _path, { call }) => void taken.push(call.directory) })
  const xs = JSON.stringify(Array.from({ length: count }, (_, k) => k))
  const run = await workflows.start(Buffer.from(g.output({ values: g.map(body, { x: g.inputs.xs }) }).toText()), {
    executors: singleExecutor(executor),
    inputs: new Map([['xs', Buffer.from(xs)]]),
  })
  while (taken.length < count) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const [cpu, begun] = [process.cpuUsage(), performance.now()]
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1000 / (performance.now() - begun)
  for (const directory of taken) {
    writeFileSync(join(directory, 'outputs', 'value'), '7')
    writeFileSync(join(directory, '_done'), '')
  }
  const end = await run.ended
  return { inFlight: taken.length, share, state: end.state }
}
