import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, list } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import type { RunHome } from './run-fixture.ts'

const step = task('ledger.step', { x: int }, { value: int })
const echo = task('ledger.echo', { x: int }, { value: int })

/** Writes the worker that `crashGraph` calls. */
export function writeLedgerWorker(home: RunHome): void {
  home.worker('ledger', {
    step: 'sleep 0.0$(($$ % 9)); printf %s $(($input_x_value + 1)) >"$output_value_file"',
    echo: 'sleep 0.05; printf %s "$input_x_value" >"$output_value_file"',
  })
}

/** Adds 1 by a worker, until `limit`. */
function countTo() {
  const g = graph({ n: int, limit: int })
  const n = g.call(step, { x: g.inputs.n })
  return g.output({ n, should_continue: g.call(builtins.igt, { a: g.inputs.limit, b: n }) })
}

/** For each round an inner loop of two calls. */
function rounds() {
  const g = graph({ round: int, total: int })
  const inner = g.loop(countTo(), { n: 0, limit: 2 })
  const total = g.call(builtins.iadd, { a: g.inputs.total, b: inner.n })
  const round = g.call(builtins.iadd, { a: g.inputs.round, b: 1 })
  return g.output({ round, total, should_continue: g.call(builtins.igt, { a: 3, b: round }) })
}

/** n + (n - 1) + … by calling itself, with a worker's call at each level. */
function sumDown() {
  const g = graph({ n: int }, { value: int })
  const one = g.call(echo, { x: g.inputs.n })
  const rest = g.eval(g.self, { n: g.call(builtins.isubtract, { a: one, b: 1 }) })
  return g.output({
    value: g.ifElse(g.call(builtins.igt, { a: g.inputs.n, b: 0 }), g.call(builtins.iadd, { a: one, b: rest }), g.inputs.n),
  })
}

/** An element of the map: a branch with another call, or none. */
function element() {
  const g = graph({ x: int, by: int })
  const once = g.call(step, { x: g.inputs.x })
  const twice = g.call(step, { x: once })
  const chosen = g.ifElse(g.call(builtins.igt, { a: once, b: 3 }), twice, g.call(builtins.itimes, { a: once, b: g.inputs.by }))
  return g.output({ value: chosen })
}

/** Nested loops, a map, branches, recursion, builtins that are not the same twice and that take time, and calls of a worker. */
export function crashGraph(sleepSeconds = 0.3) {
  const g = graph({ xs: list(int), low: int, high: int })
  const { xs, low, high } = g.inputs
  const mapped = g.map(element(), { x: xs }, { by: 10 })
  const random = g.call(builtins.rand_int, { a: low, b: high })
  const seen = g.call(echo, { x: random })
  const slept = g.call(builtins.tkr_sleep, { delay_seconds: sleepSeconds })
  return g.output({
    mapped,
    total: g.loop(rounds(), { round: 0, total: 0 }).total,
    sum: g.eval(sumDown(), { n: 3 }),
    slept,
    // A random number that was used stays what it was.
    same: g.call(builtins.isubtract, { a: random, b: seen }),
  })
}

/** Its outputs for `CRASH_INPUTS`. */
export const CRASH_OUTPUTS = { mapped: [20, 30, 5, 6, 7, 8], total: 6, sum: 6, slept: true, same: 0 }
export const CRASH_INPUTS: Readonly<Record<string, string>> = { xs: '[1, 2, 3, 4, 5, 6]', low: '1', high: '1000000000' }
