import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { partial } from '../../src/workflow/builder/partial.ts'
import { anything, bool, float, int, list, optional, str } from '../../src/workflow/builder/port-type.ts'
import type { Workflow } from '../../src/workflow/builder/workflow.ts'
import { Complex } from '../../src/workflow/values/value.ts'

// Graphs of the TypeScript builder, one or more for each kind of node. test/fixtures/tierkreis/builder/<name>.json holds the text that
// the builder gives and what real Tierkreis made of it; test/engines/tierkreis-builder.test.ts asks it again.

/** A graph, and the content of its input files. */
export interface BuilderGraph {
  /** The first release of Tierkreis that runs it; default 2.0.12. */
  readonly since?: string
  readonly name: string
  readonly workflow: Pick<Workflow<never, unknown>, 'toText' | 'toGraphData'>
  readonly inputs: Readonly<Record<string, string>>
}

/** x * by. */
function times() {
  const g = graph({ x: int, by: int })
  return g.output(g.call(builtins.itimes, { a: g.inputs.x, b: g.inputs.by }))
}

/** Adds `step` until 10 is reached. */
function countUp() {
  const g = graph({ acc: int, step: int })
  const acc = g.call(builtins.iadd, { a: g.inputs.acc, b: g.inputs.step })
  return g.output({ acc, should_continue: g.call(builtins.igt, { a: 10, b: acc }) })
}

/** n! times `start`, by calling itself. */
function factorial() {
  const g = graph({ n: int, start: int }, { value: int })
  const { n, start } = g.inputs
  const smaller = g.eval(g.self, { n: g.call(builtins.isubtract, { a: n, b: 1 }), start })
  return g.output({ value: g.ifElse(g.call(builtins.igt, { a: n, b: 1 }), g.call(builtins.itimes, { a: n, b: smaller }), start) })
}

function tasks() {
  const g = graph({ a: int, b: int })
  const sum = g.call(builtins.iadd, { a: g.inputs.a, b: 3 })
  return g.output({ product: g.call(builtins.itimes({ a: sum, b: g.inputs.b })), sum })
}

function constants() {
  const g = graph({})
  return g.output({
    int: g.const(1n),
    big: g.const(10n ** 30n),
    float: g.const(1),
    small: g.const(1e-7),
    text: g.const('ä "quoted" \u0001 \u{1f600}'),
    truth: g.const(true),
    none: g.const(null),
    list: g.const(list(int), [1, 2, 3]),
    nested: g.const({ 'a key': [1, 2.5], empty: [] }),
    sum: g.call(builtins.add, { a: 1, b: 2n }),
    decoded: g.call(builtins.tkr_decode, { value_bytes: Buffer.from('\xe4', 'utf8') }),
  })
}

/** Complex numbers are pairs since 2.1.0, and that is what the builder writes. */
function complexConstant() {
  const g = graph({})
  return g.output(g.call(builtins.conjugate, { z: new Complex(1, 2) }))
}

function severalOutputs() {
  const g = graph({ xs: list(int) })
  const { head, rest } = g.call(builtins.head, { v: g.inputs.xs })
  const pair = g.call(builtins.untuple, { value: g.call(builtins.tkr_tuple, { a: head, b: rest }) })
  return g.output({ first: pair.a, count: g.call(builtins.tkr_len, { v: pair.b }) })
}

function nested() {
  const g = graph({ n: int })
  const body = g.const(times())
  const once = g.eval(body, { x: g.inputs.n, by: 2 }, { name: 'once', hidden: true })
  return g.output({ value: g.eval(body, { x: once, by: once }) })
}

function loop() {
  const g = graph({ start: int })
  return g.output(g.loop(countUp(), { acc: g.inputs.start, step: 3 }, { name: 'count' }))
}

function map() {
  const g = graph({ xs: list(int), by: int })
  return g.output(g.map(times(), { x: g.inputs.xs }, { by: g.inputs.by }))
}

function mapSideBySide() {
  const g = graph({ xs: list(int) })
  const reversed = g.call(builtins.tkr_reversed, { values: g.inputs.xs })
  return g.output({ products: g.map(times(), { x: g.inputs.xs, by: reversed }) })
}

function mapSeveralOutputs() {
  const b = graph({ x: int })
  const body = b.output({ half: b.call(builtins.idivide, { a: b.inputs.x, b: 2 }), rest: b.call(builtins.mod, { a: b.inputs.x, b: 2 }) })
  const g = graph({})
  const { half, rest } = g.map(body, { x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] })
  const again = graph({ a: int, b: int })
  const sum = again.output(again.call(builtins.iadd, { a: again.inputs.a, b: again.inputs.b }))
  return g.output({ half, sums: g.map(sum, { a: half, b: rest }), none: g.map(body, { x: [] }).rest })
}

function branches() {
  const g = graph({ yes: bool, no: bool })
  const { yes, no } = g.inputs
  const failing = g.call(builtins.divide, { a: 1, b: 0 })
  return g.output({
    lazy: g.ifElse(yes, g.const('then'), failing),
    other: g.ifElse(no, failing, g.const('else')),
    eager: g.eagerIfElse(g.call(builtins.tkr_and, { a: yes, b: no }), g.const(1), g.const(2)),
  })
}

function embedded() {
  const g = graph({ n: int })
  const twice = g.embed(times(), { x: g.inputs.n, by: 2 })
  return g.output({ value: g.embed(factorial(), { n: g.embed(nested(), { n: 1 }), start: twice }) })
}

function partials() {
  const g = graph({ xs: list(int) })
  const tripled = g.map(partial(times(), { by: 3 }), { x: g.inputs.xs })
  return g.output({ tripled, factorial: g.eval(partial(factorial(), { n: 5 }), { start: 1 }) })
}

function optionals() {
  const g = graph({ stop: int, step: optional(int) })
  const { stop, step } = g.inputs
  return g.output({
    given: g.call(builtins.tkr_range, { start: 0, stop, step: 3 }),
    left: g.call(builtins.tkr_range, { start: 0, stop, step }),
  })
}

function graphInput() {
  const g = graph({ f: anything, x: float, label: str })
  const { f, label } = g.inputs
  const twice = graph({ g: anything, n: int })
  return g.output({
    f,
    label: g.call(builtins.concat, { lhs: label, rhs: '!' }),
    n: g.eval(twice.output({ n: twice.inputs.n }), { g: f, n: 1 }).n,
  })
}

/** All of them, by name. */
export const BUILDER_GRAPHS: readonly BuilderGraph[] = [
  { name: 'tasks', workflow: tasks(), inputs: { a: '4', b: '5' } },
  { name: 'constants', workflow: constants(), inputs: {} },
  { name: 'complex', since: '2.1.0', workflow: complexConstant(), inputs: {} },
  { name: 'several-outputs', workflow: severalOutputs(), inputs: { xs: '[7, 8, 9]' } },
  { name: 'eval', workflow: nested(), inputs: { n: '5' } },
  { name: 'loop', workflow: loop(), inputs: { start: '0' } },
  { name: 'map', workflow: map(), inputs: { xs: '[1, 2, 3]', by: '10' } },
  { name: 'map-side-by-side', workflow: mapSideBySide(), inputs: { xs: '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]' } },
  { name: 'map-several-outputs', workflow: mapSeveralOutputs(), inputs: {} },
  { name: 'branches', workflow: branches(), inputs: { yes: 'true', no: 'false' } },
  { name: 'recursion', workflow: factorial(), inputs: { n: '5', start: '1' } },
  { name: 'embed', workflow: embedded(), inputs: { n: '5' } },
  { name: 'partial', workflow: partials(), inputs: { xs: '[1, 2]' } },
  { name: 'optional', workflow: optionals(), inputs: { stop: '5' } },
  { name: 'graph-input', workflow: graphInput(), inputs: { f: times().toText(), x: '1.0', label: '"a"' } },
]
