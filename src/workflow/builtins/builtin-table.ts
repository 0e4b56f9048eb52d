import type { Value } from '../values/value.ts'
import { add, multiply, subtract } from './arithmetic.ts'
import type { BuiltinDefinition, InputPort, OutputPort, PortReading } from './builtin.ts'
import { compare, isEqual, sorted } from './comparison.ts'
import { absolute, isTruthy, round, toInt } from './conversion.ts'
import { divide, floorDivide, modulo } from './division.ts'
import { conjugate, decodeText, encodeText, flatten, greatest, least, listFor, randomInt, sleepMs, unfold, unzip } from './operations.ts'
import { power } from './power.ts'
import { str } from './python-text.ts'
import { elementAt, firstOf, iterate, listOr, range, sliceBound, unpackPair, zip } from './sequences.ts'
import { length, mean, product, sum } from './statistics.ts'

function readingOf(annotation: string): PortReading {
  if (/^list\[(list|tuple)\[/.test(annotation)) return 'lists'
  if (/^(list|Sequence|tuple)\[/.test(annotation)) return 'list'
  return annotation === 'bytes' || annotation === 'complex' ? annotation : 'any'
}

/** `a: int` as a port; `*a` is by keyword only, `step: int = 1` has a default. */
function parseInput(text: string): InputPort {
  const [, keyword, name = '', annotation = '', fallback] = text.match(/^(\*?)(\w+): ([^=]*?)(?: = (\d+))?$/) ?? []
  return {
    name,
    annotation,
    reading: readingOf(annotation),
    ...(fallback ? { default: BigInt(fallback) } : {}),
    ...(keyword ? { keywordOnly: true as const } : {}),
  }
}

function parseOutput(text: string): OutputPort {
  const [name = '', annotation = ''] = text.split(': ')
  return { name, annotation }
}

/** A builtin from its signature: `a: int; b: int -> value: int`. */
function define(name: string, signature: string, summary: string, compute: BuiltinDefinition['compute']): BuiltinDefinition {
  const [inputs = '', outputs = ''] = signature.split(' -> ')
  return { name, inputs: inputs.split('; ').map(parseInput), outputs: outputs.split('; ').map(parseOutput), summary, compute }
}

/** A builtin of one input and one output. */
function one(name: string, signature: string, summary: string, compute: (a: Value) => Value): BuiltinDefinition {
  return define(name, signature, summary, ([a = null]) => [compute(a)])
}

/** A builtin of two inputs and one output. */
function two(name: string, signature: string, summary: string, compute: (a: Value, b: Value) => Value): BuiltinDefinition {
  return define(name, signature, summary, ([a = null, b = null]) => [compute(a, b)])
}

const INTS = 'a: int; b: int -> value'
const FLOATS = 'a: float; b: float -> value'
const BOOLS = '*a: bool; *b: bool -> value: bool'
const NUMBERS = 'values: list[int | float] -> value'
const ITEMS = 'values: list[T]; n: int -> value'

const arithmetic = [
  two('iadd', `${INTS}: int`, '`a + b`', add),
  two('add', `${FLOATS}: int | float`, '`a + b`; an int where both are', add),
  two('isubtract', `${INTS}: int`, '`a - b`', subtract),
  two('subtract', `${FLOATS}: int | float`, '`a - b`; an int where both are', subtract),
  two('itimes', `${INTS}: int`, '`a * b`', (a, b) => multiply(a, b)),
  two('times', `${FLOATS}: int | float`, '`a * b`; an int where both are', (a, b) => multiply(a, b)),
  two('divide', `${FLOATS}: float`, '`a / b`, always a float', divide),
  two('idivide', `${INTS}: int`, '`a // b`, rounded towards minus infinity: -7 by 2 is -4', floorDivide),
  two('mod', `${INTS}: int`, '`a % b`, with the sign of `b`: -7 by 2 leaves 1', modulo),
  two('ipow', `${INTS}: int`, '`a ** b`; a float where `b` is negative', power),
  two('tkr_pow', `${FLOATS}: int | float`, '`a ** b`; a complex number for a fraction of a negative `a`', power),
  one('tkr_abs', 'a: float -> value: int | float', 'the absolute value', absolute),
  one('tkr_round', 'a: float -> value: int', 'the nearest int, half to even: 2.5 gives 2', round),
  one('conjugate', 'z: complex -> value: complex', 'the complex conjugate', conjugate),
  one('mean', 'values: list[float] -> value: float', 'the mean, exact and rounded once; an int where ints have a whole one', (v) =>
    mean(iterate(v)),
  ),
  one('sum_list', `${NUMBERS}: int | float`, 'the sum; floats are added with compensation, as since Python 3.12', (v) => sum(iterate(v))),
  one('prod_list', `${NUMBERS}: int | float`, 'the product', (v) => product(iterate(v))),
  one('max_item', `${NUMBERS}: int | float`, 'the greatest', greatest),
  one('min_item', `${NUMBERS}: int | float`, 'the least', least),
  two('rand_int', `${INTS}: int`, 'a random int between `a` and `b`, both included', randomInt),
  define(
    'tkr_range',
    'start: int; stop: int; step: int = 1 -> value: list[int]',
    'the ints from `start` up to, not including, `stop`',
    (v) => [range(v[0] ?? null, v[1] ?? null, v[2] ?? null)],
  ),
]

const logic = [
  two('igt', `${INTS}: bool`, '`a > b`', (a, b) => compare(a, '>', b)),
  two('gt', `${FLOATS}: bool`, '`a > b`', (a, b) => compare(a, '>', b)),
  two('lt', `${FLOATS}: bool`, '`a < b`', (a, b) => compare(a, '<', b)),
  two('eq', `${FLOATS}: bool`, '`a == b`: 1 equals 1.0', isEqual),
  two('neq', `${FLOATS}: bool`, '`a != b`', (a, b) => !isEqual(a, b)),
  one('neg', '*a: bool -> value: bool', '`not a`', (a) => !isTruthy(a)),
  two('tkr_and', BOOLS, '`a and b`: the first that is not true, else `b`', (a, b) => (isTruthy(a) ? b : a)),
  two('tkr_or', BOOLS, '`a or b`: the first that is true, else `b`', (a, b) => (isTruthy(a) ? a : b)),
  one('tkr_all', 'values: Sequence[T] -> value: bool', 'whether all are true', (v) => iterate(v).every(isTruthy)),
  one('tkr_any', 'values: Sequence[T] -> value: bool', 'whether one is true', (v) => iterate(v).some(isTruthy)),
  one('tkr_id', 'value: T -> value: T', 'the value itself', (value) => value),
  one('tkr_sleep', 'delay_seconds: float -> value: bool', '`true`, after the delay', (delay) => sleepMs(delay) >= 0),
]

const text = [
  two('concat', 'lhs: str; rhs: str -> value: str', 'both texts joined', add),
  two('str_eq', 'a: str; b: str -> value: bool', '`a == b`', isEqual),
  two('str_neq', 'a: str; b: str -> value: bool', '`a != b`', (a, b) => !isEqual(a, b)),
  one('tkr_str', '*value: float | bool -> value: str', "Python's `str`: `1.0`, `True`, `nan`", str),
  one('tkr_int', '*value: float | bool | str -> value: int', "Python's `int`: cut off towards zero, or read from decimal text", toInt),
  one('tkr_encode', 'string: str -> value: bytes', 'the text in UTF-8', encodeText),
  one('tkr_decode', 'value_bytes: bytes -> value: str', 'the text of bytes in UTF-8', decodeText),
]

const lists = [
  two('append', 'v: list[T]; a: T -> value: list[T]', 'the list with `a` behind it', (v, a) => [...listFor('append', v), a]),
  define('head', 'v: list[T] -> head: T; rest: list[T]', 'the first element and all others', ([v = null]) => {
    const list = listOr(v, 'is not subscriptable')
    return [firstOf(list), list.slice(1)]
  }),
  one('tkr_len', 'v: list[A] -> value: int', 'how many elements', length),
  two('tkr_extend', 'first: list[T]; second: list[T] -> value: list[T]', 'the elements of both', (first, second) => [
    ...listFor('extend', first),
    ...iterate(second),
  ]),
  two('concat_lists', 'first: list[U]; second: list[V] -> value: list[U | V]', 'the elements of both', add),
  one('tkr_reversed', 'values: list[T] -> value: list[T]', 'the elements from last to first', (v) =>
    listOr(v, 'is not reversible').toReversed(),
  ),
  one('flatten', 'values: list[list[T]] -> value: list[T]', 'the elements of all lists', flatten),
  two('take', `${ITEMS}: list[T]`, '`values[:n]`', (v, n) => {
    const list = listOr(v, 'is not subscriptable')
    return list.slice(0, sliceBound(n, list.length, list.length))
  }),
  two('drop', `${ITEMS}: list[T]`, '`values[n:]`', (v, n) => {
    const list = listOr(v, 'is not subscriptable')
    return list.slice(sliceBound(n, list.length, 0))
  }),
  two('at', `${ITEMS}: T`, '`values[n]`; beyond the end an error without text', elementAt),
  one('sort_number_list', `${NUMBERS}: list[int | float]`, 'in ascending order, equal ones as they stood', (v) => sorted(iterate(v))),
  one('sort_string_list', 'values: list[str] -> value: list[str]', 'in ascending order of code points', (v) => sorted(iterate(v))),
  two('tkr_tuple', 'a: U; b: V -> value: tuple[U, V]', 'both as a pair', (a, b) => [a, b]),
  define('untuple', 'value: tuple[U, V] -> a: U; b: V', 'the two of a pair', ([value = null]) => unpackPair(value)),
  two('tkr_zip', 'a: list[U]; b: list[V] -> value: list[tuple[U, V]]', 'pairs, as many as the shorter list has', (a, b) =>
    zip([iterate(a), iterate(b)]),
  ),
  define('unzip', 'value: list[tuple[U, V]] -> a: list[U]; b: list[V]', 'a list of pairs as two lists', ([value = null]) => unzip(value)),
]

const folds: readonly BuiltinDefinition[] = [
  {
    name: 'fold_values',
    inputs: [{ name: 'values_glob', annotation: 'elements', reading: 'elements' }],
    outputs: [{ name: 'value', annotation: 'list[T]' }],
    summary: 'the elements of a map as one list, in the order of their numbers',
    compute: ([values = null]) => [values],
  },
  {
    name: 'unfold_values',
    inputs: [{ name: 'value', annotation: 'list[T]', reading: 'untyped' }],
    outputs: [{ name: '*', annotation: 'T' }],
    summary: 'each element of a list on a port of its own, `0`, `1`, …: what a map runs over',
    compute: ([value = null]) => unfold(value),
  },
]

/** All builtins of Tierkreis 2.1.1, which has every one of the older releases, some of those under another name. */
export const BUILTINS: readonly BuiltinDefinition[] = [...arithmetic, ...logic, ...text, ...lists, ...folds]

/** Names in older releases: `impl_…` and `…_impl` in 2.0.9, `pow`, `trk_and` and `trk_or` up to 2.0.11. */
export const BUILTIN_ALIASES: ReadonlyMap<string, string> = new Map([
  ['impl_and', 'tkr_and'],
  ['impl_id', 'tkr_id'],
  ['impl_len', 'tkr_len'],
  ['tuple_impl', 'tkr_tuple'],
  ['zip_impl', 'tkr_zip'],
  ['pow', 'tkr_pow'],
  ['trk_and', 'tkr_and'],
  ['trk_or', 'tkr_or'],
])

/** Names of input ports in older releases: `tkr_decode` took `bytes` up to 2.0.11. */
export const PORT_ALIASES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([['tkr_decode', new Map([['bytes', 'value_bytes']])]])
