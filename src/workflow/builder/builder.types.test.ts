import { expect, expectTypeOf, test } from 'vitest'
import { InputError } from '../../errors.ts'
import { builtins } from './builtin-tasks.ts'
import { graph } from './graph.ts'
import { localTask } from './local-task.ts'
import { partial } from './partial.ts'
import type { Port } from './port.ts'
import { anything, bool, float, type GraphValue, graphOf, int, list, number, optional, str, tuple } from './port-type.ts'
import { task } from './task.ts'

// `tsc --noEmit` reads this file: each line marked with @ts-expect-error must not compile, and every other one must. What the
// compiler refuses is refused when it runs, too, where it would give a graph that cannot work; `refused` says so.

const greet = task('hello.greet', { name: str, times: optional(int) }, { value: str })
const split = task('hello.split', { text: str }, { head: str, rest: list(str) })

const refused = (build: () => unknown): void => {
  expect(build).toThrow(InputError)
}

function countTo(limit: bigint) {
  const g = graph({ acc: int })
  const next = g.call(builtins.iadd, { a: g.inputs.acc, b: 1 })
  return g.output({ acc: next, should_continue: g.call(builtins.igt, { a: limit, b: next }) })
}

function doubler() {
  const g = graph({ x: int, by: int })
  return g.output(g.call(builtins.itimes, { a: g.inputs.x, b: g.inputs.by }))
}

test('tasks: ports and constants of the right type, no others', () => {
  const g = graph({ n: int, r: float, t: str, maybe: optional(int), xs: list(int) })
  expectTypeOf(g.inputs.n).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.inputs.maybe).toEqualTypeOf<Port<bigint | undefined>>()
  expectTypeOf(g.call(builtins.iadd, { a: g.inputs.n, b: 3 })).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.call(builtins.iadd({ a: g.inputs.n, b: 3n }))).toEqualTypeOf<Port<bigint>>()
  // A float input of a task takes ints, as in Python.
  expectTypeOf(g.call(builtins.add, { a: g.inputs.n, b: g.inputs.r })).toEqualTypeOf<Port<bigint | number>>()
  g.call(builtins.add, { a: 1n, b: 1 })
  g.call(greet, { name: 'Ada' })
  g.call(greet, { name: g.inputs.t, times: g.inputs.maybe })
  expectTypeOf(g.call(split, { text: 'a b' }).rest).toEqualTypeOf<Port<readonly string[]>>()

  // @ts-expect-error a float is no int
  g.call(builtins.iadd, { a: g.inputs.r, b: 3 })
  // @ts-expect-error text is no int
  refused(() => g.call(builtins.iadd, { a: 'three', b: 3 }))
  // @ts-expect-error an input is missing
  refused(() => g.call(builtins.iadd, { a: 3 }))
  // @ts-expect-error there is no such input
  refused(() => g.call(builtins.iadd, { a: 3, b: 3, c: 3 }))
  // @ts-expect-error there is no such input, in the other form either
  refused(() => g.call(builtins.iadd({ a: 3, b: 3, c: 3 })))
  // @ts-expect-error an optional value where one is needed
  g.call(builtins.iadd, { a: g.inputs.maybe, b: 3 })
  // @ts-expect-error an optional port is typed, too
  refused(() => g.call(greet, { name: 'Ada', times: 'twice' }))
  // @ts-expect-error there is no such output
  expect(g.call(split, { text: 'a b' }).tail).toBeUndefined()
  // @ts-expect-error there is no such input of the graph
  expect(g.inputs.m).toBeUndefined()
  // @ts-expect-error there is no such builtin
  expect(builtins.iaddd).toBeUndefined()
})

test('constants: a number is a float, a bigint an int', () => {
  const g = graph({})
  expectTypeOf(g.const(1)).toEqualTypeOf<Port<number>>()
  expectTypeOf(g.const(1n)).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.const(int(1))).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.const(int, 1)).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.const([1n, 2n])).toEqualTypeOf<Port<readonly bigint[]>>()
  expectTypeOf(g.const(list(int), [1, 2])).toEqualTypeOf<Port<readonly bigint[]>>()
  expectTypeOf(g.const(tuple(int, str), [1, 'a'])).toEqualTypeOf<Port<readonly [bigint, string]>>()
  expectTypeOf(g.const(number, 1)).toEqualTypeOf<Port<bigint | number>>()
  expectTypeOf(g.const({ a: 'x' })).toEqualTypeOf<Port<ReadonlyMap<string, string>>>()
  // @ts-expect-error a float where an int is needed
  g.call(builtins.iadd, { a: g.const(1), b: 2 })
  // @ts-expect-error text is no int
  refused(() => g.const(int, 'x'))
  refused(() => g.const(int, 1.5))
  // @ts-expect-error an int is no float
  refused(() => g.const(float, 1n))
})

test('builtins with type variables', () => {
  const g = graph({ xs: list(int), ys: list(str), pair: tuple(int, str) })
  expectTypeOf(g.call(builtins.head, { v: g.inputs.xs }).head).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.call(builtins.tkr_zip, { a: g.inputs.xs, b: g.inputs.ys })).toEqualTypeOf<Port<readonly (readonly [bigint, string])[]>>()
  expectTypeOf(g.call(builtins.untuple, { value: g.inputs.pair }).b).toEqualTypeOf<Port<string>>()
  expectTypeOf(g.call(builtins.append, { v: g.inputs.xs, a: 3n })).toEqualTypeOf<Port<readonly bigint[]>>()
  // @ts-expect-error not a list
  g.call(builtins.head, { v: g.call(builtins.iadd, { a: 1, b: 2 }) })
  // @ts-expect-error there is no such input
  refused(() => g.call(builtins.head, { v: g.inputs.xs, w: g.inputs.xs }))
  // @ts-expect-error an input is missing
  refused(() => g.call(builtins.append, { v: g.inputs.xs }))
})

test('eval and the outputs of graphs', () => {
  const g = graph({ n: int, t: str })
  const body = doubler()
  expectTypeOf(g.eval(body, { x: g.inputs.n, by: 2 })).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.eval(g.const(body), { x: 1n, by: 2 })).toEqualTypeOf<Port<bigint>>()
  // @ts-expect-error wrong type
  g.eval(body, { x: g.inputs.t, by: 2 })
  // @ts-expect-error an input is missing
  refused(() => g.eval(body, { x: 1 }))
  // @ts-expect-error there is no such input
  refused(() => g.eval(body, { x: 1, by: 2, z: 3 }))
  // @ts-expect-error a graph that is not finished is no body
  refused(() => g.eval(graph({ x: int }), { x: 1 }))
  // @ts-expect-error an int is no body
  refused(() => g.eval(g.inputs.n, {}))
  // @ts-expect-error there is no such input
  refused(() => g.embed(body, { x: 1, by: 2, z: 3 }))
  expectTypeOf(g.embed(body, { x: 1, by: 2 })).toEqualTypeOf<Port<bigint>>()

  const typed = graph({ n: int }, { value: int })
  // @ts-expect-error another output than declared
  refused(() => typed.output({ result: typed.inputs.n }))
  // @ts-expect-error another type than declared
  refused(() => graph({ n: int }, { value: str }).output({ value: 3 }))
  // @ts-expect-error only a graph with declared outputs can call itself
  expect(graph({ n: int }).self).toBeUndefined()
})

test('loops: the continue port, and outputs that feed inputs', () => {
  const g = graph({ n: int, t: str })
  expectTypeOf(g.loop(countTo(10n), { acc: 0 }).acc).toEqualTypeOf<Port<bigint>>()
  // @ts-expect-error wrong type of an input
  g.loop(countTo(10n), { acc: g.inputs.t })
  // @ts-expect-error no such continue port
  refused(() => g.loop(countTo(10n), { acc: 0 }, { continuePort: 'go_on' }))
  // @ts-expect-error the continue port is no bool
  g.loop(countTo(10n), { acc: 0 }, { continuePort: 'acc' })
  // @ts-expect-error the body has no should_continue
  refused(() => g.loop(doubler(), { x: 1, by: 2 }))
  const b = graph({ acc: int })
  const retyping = b.output({ acc: b.const('text'), should_continue: b.const(false) })
  // @ts-expect-error the body gives text for an input that is an int
  g.loop(retyping, { acc: 0 })
})

test('maps: lists of what the body takes', () => {
  const g = graph({ xs: list(int), ts: list(str), n: int })
  expectTypeOf(g.map(doubler(), { x: g.inputs.xs }, { by: 2 })).toEqualTypeOf<Port<readonly bigint[]>>()
  expectTypeOf(g.map(doubler(), { x: g.inputs.xs, by: [1, 2] })).toEqualTypeOf<Port<readonly bigint[]>>()
  // @ts-expect-error a list of another type
  g.map(doubler(), { x: g.inputs.ts }, { by: 2 })
  // @ts-expect-error no list
  g.map(doubler(), { x: g.inputs.n }, { by: 2 })
  // @ts-expect-error an input is missing
  refused(() => g.map(doubler(), { x: g.inputs.xs }))
  // @ts-expect-error there is no such input
  refused(() => g.map(doubler(), { z: g.inputs.xs }, { x: 1, by: 2 }))
  // @ts-expect-error there is no such input
  refused(() => g.map(doubler(), { x: g.inputs.xs }, { by: 2, z: 1 }))
})

test('conditions', () => {
  const g = graph({ n: int, t: str, b: bool })
  expectTypeOf(g.ifElse(g.inputs.b, g.inputs.n, g.inputs.t)).toEqualTypeOf<Port<bigint | string>>()
  // @ts-expect-error the condition is a bool
  g.ifElse(g.inputs.n, g.inputs.n, g.inputs.n)
  // @ts-expect-error one branch is missing
  refused(() => g.eagerIfElse(g.inputs.b, g.inputs.n))
})

test('partial application', () => {
  const g = graph({ n: int, t: str })
  expectTypeOf(g.partial(doubler(), { by: g.inputs.n })).toExtend<Port<GraphValue<{ x: bigint }, { readonly value: bigint }>>>()
  expectTypeOf(g.eval(g.partial(doubler(), { by: g.inputs.n }), { x: 3 })).toEqualTypeOf<Port<bigint>>()
  g.eval(partial(doubler(), { by: 2 }), { x: 3 })
  // @ts-expect-error it is given already
  refused(() => g.eval(partial(doubler(), { by: 2 }), { x: 3, by: 2 }))
  // @ts-expect-error wrong type
  refused(() => partial(doubler(), { by: 'two' }))
  // @ts-expect-error there is no such input
  refused(() => partial(doubler(), { z: 2 }))
  // @ts-expect-error wrong type
  g.partial(doubler(), { by: g.inputs.t })
  // @ts-expect-error there is no such input
  refused(() => g.partial(doubler(), { z: g.inputs.n }))
})

test('graphs as values', () => {
  const g = graph({ f: graphOf({ x: int, by: int }, { value: int }), any: anything })
  expectTypeOf(g.eval(g.inputs.f, { x: 1, by: 2 })).toEqualTypeOf<Port<bigint>>()
  expectTypeOf(g.eval(g.inputs.any.as(graphOf({ x: int }, { y: str })), { x: 1 })).toExtend<{ readonly y: Port<string> }>()
  const outer = graph({})
  outer.eval(g.output({ r: g.eval(g.inputs.f, { x: 1, by: 2 }) }), { f: doubler(), any: 'x' })
  // @ts-expect-error another graph than asked for
  outer.eval(graph({ f: graphOf({ x: int }, { value: str }) }).output({}), { f: doubler() })
})

test('local functions', () => {
  localTask('half', { x: int }, { value: int, rest: int }, ({ x }) => ({ value: x / 2n, rest: x % 2n }))
  localTask('twice', { x: int, by: optional(int) }, { value: int }, async ({ x, by }) => x * (by ?? 2n))
  // @ts-expect-error an input of the wrong type
  localTask('half', { x: int }, { value: int }, ({ x }: { x: string }) => BigInt(x))
  // @ts-expect-error an output of the wrong type
  localTask('half', { x: int }, { value: int }, ({ x }) => `${x}`)
  // @ts-expect-error an output is missing
  localTask('half', { x: int }, { value: int, rest: int }, ({ x }) => ({ value: x }))
})
