// biome-ignore-all format: written by scripts/builtin-tasks.ts from the table of builtins
import type { Input, Port } from './port.ts'
import { bool, bytes, complex, type Elements, elements, float, int, list, number, optional, str, tuple, union, variable } from './port-type.ts'
import { genericTask, type TaskCall, task } from './task.ts'

const T = variable('T')
const U = variable('U')
const V = variable('V')
const A = variable('A')

/** All builtins of Tierkreis 2.1.1 as tasks for `g.call`, under their names there. */
export const builtins = {
  /** `a + b`; an int where both are. */
  add: task('builtins.add', { a: float, b: float }, { value: number }),
  /** The list with `a` behind it. */
  append: genericTask('builtins.append', { v: list(T), a: T }, { value: list(T) }) as <T>(inputs: { readonly v: Port<readonly T[]> | readonly T[]; readonly a: Port<T> | T }) => TaskCall<{ readonly value: readonly T[] }, 'v' | 'a'>,
  /** `values[n]`; beyond the end an error without text. */
  at: genericTask('builtins.at', { values: list(T), n: int }, { value: T }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[]; readonly n: Input<bigint> }) => TaskCall<{ readonly value: T }, 'values' | 'n'>,
  /** Both texts joined. */
  concat: task('builtins.concat', { lhs: str, rhs: str }, { value: str }),
  /** The elements of both. */
  concat_lists: genericTask('builtins.concat_lists', { first: list(U), second: list(V) }, { value: list(union(U, V)) }) as <U, V>(inputs: { readonly first: Port<readonly U[]> | readonly U[]; readonly second: Port<readonly V[]> | readonly V[] }) => TaskCall<{ readonly value: readonly (U | V)[] }, 'first' | 'second'>,
  /** The complex conjugate. */
  conjugate: task('builtins.conjugate', { z: complex }, { value: complex }),
  /** `a / b`, always a float. */
  divide: task('builtins.divide', { a: float, b: float }, { value: float }),
  /** `values[n:]`. */
  drop: genericTask('builtins.drop', { values: list(T), n: int }, { value: list(T) }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[]; readonly n: Input<bigint> }) => TaskCall<{ readonly value: readonly T[] }, 'values' | 'n'>,
  /** `a == b`: 1 equals 1.0. */
  eq: task('builtins.eq', { a: float, b: float }, { value: bool }),
  /** The elements of all lists. */
  flatten: genericTask('builtins.flatten', { values: list(list(T)) }, { value: list(T) }) as <T>(inputs: { readonly values: Port<readonly (readonly T[])[]> | readonly (readonly T[])[] }) => TaskCall<{ readonly value: readonly T[] }, 'values'>,
  /** The elements of a map as one list, in the order of their numbers. */
  fold_values: genericTask('builtins.fold_values', { values_glob: elements(T) }, { value: list(T) }) as <T>(inputs: { readonly values_glob: Port<Elements<T>> }) => TaskCall<{ readonly value: readonly T[] }, 'values_glob'>,
  /** `a > b`. */
  gt: task('builtins.gt', { a: float, b: float }, { value: bool }),
  /** The first element and all others. */
  head: genericTask('builtins.head', { v: list(T) }, { head: T, rest: list(T) }) as <T>(inputs: { readonly v: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly head: T; readonly rest: readonly T[] }, 'v'>,
  /** `a + b`. */
  iadd: task('builtins.iadd', { a: int, b: int }, { value: int }),
  /** `a // b`, rounded towards minus infinity: -7 by 2 is -4. */
  idivide: task('builtins.idivide', { a: int, b: int }, { value: int }),
  /** `a > b`. */
  igt: task('builtins.igt', { a: int, b: int }, { value: bool }),
  /** `a ** b`; a float where `b` is negative. */
  ipow: task('builtins.ipow', { a: int, b: int }, { value: int }),
  /** `a - b`. */
  isubtract: task('builtins.isubtract', { a: int, b: int }, { value: int }),
  /** `a * b`. */
  itimes: task('builtins.itimes', { a: int, b: int }, { value: int }),
  /** `a < b`. */
  lt: task('builtins.lt', { a: float, b: float }, { value: bool }),
  /** The greatest. */
  max_item: task('builtins.max_item', { values: list(number) }, { value: number }),
  /** The mean, exact and rounded once; an int where ints have a whole one. */
  mean: task('builtins.mean', { values: list(number) }, { value: float }),
  /** The least. */
  min_item: task('builtins.min_item', { values: list(number) }, { value: number }),
  /** `a % b`, with the sign of `b`: -7 by 2 leaves 1. */
  mod: task('builtins.mod', { a: int, b: int }, { value: int }),
  /** `not a`. */
  neg: task('builtins.neg', { a: bool }, { value: bool }),
  /** `a != b`. */
  neq: task('builtins.neq', { a: float, b: float }, { value: bool }),
  /** The product. */
  prod_list: task('builtins.prod_list', { values: list(number) }, { value: number }),
  /** A random int between `a` and `b`, both included. */
  rand_int: task('builtins.rand_int', { a: int, b: int }, { value: int }),
  /** In ascending order, equal ones as they stood. */
  sort_number_list: task('builtins.sort_number_list', { values: list(number) }, { value: list(number) }),
  /** In ascending order of code points. */
  sort_string_list: task('builtins.sort_string_list', { values: list(str) }, { value: list(str) }),
  /** `a == b`. */
  str_eq: task('builtins.str_eq', { a: str, b: str }, { value: bool }),
  /** `a != b`. */
  str_neq: task('builtins.str_neq', { a: str, b: str }, { value: bool }),
  /** `a - b`; an int where both are. */
  subtract: task('builtins.subtract', { a: float, b: float }, { value: number }),
  /** The sum; floats are added with compensation, as since Python 3.12. */
  sum_list: task('builtins.sum_list', { values: list(number) }, { value: number }),
  /** `values[:n]`. */
  take: genericTask('builtins.take', { values: list(T), n: int }, { value: list(T) }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[]; readonly n: Input<bigint> }) => TaskCall<{ readonly value: readonly T[] }, 'values' | 'n'>,
  /** `a * b`; an int where both are. */
  times: task('builtins.times', { a: float, b: float }, { value: number }),
  /** The absolute value. */
  tkr_abs: task('builtins.tkr_abs', { a: float }, { value: number }),
  /** Whether all are true. */
  tkr_all: genericTask('builtins.tkr_all', { values: list(T) }, { value: bool }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly value: boolean }, 'values'>,
  /** `a and b`: the first that is not true, else `b`. */
  tkr_and: task('builtins.tkr_and', { a: bool, b: bool }, { value: bool }),
  /** Whether one is true. */
  tkr_any: genericTask('builtins.tkr_any', { values: list(T) }, { value: bool }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly value: boolean }, 'values'>,
  /** The text of bytes in UTF-8. */
  tkr_decode: task('builtins.tkr_decode', { value_bytes: bytes }, { value: str }),
  /** The text in UTF-8. */
  tkr_encode: task('builtins.tkr_encode', { string: str }, { value: bytes }),
  /** The elements of both. */
  tkr_extend: genericTask('builtins.tkr_extend', { first: list(T), second: list(T) }, { value: list(T) }) as <T>(inputs: { readonly first: Port<readonly T[]> | readonly T[]; readonly second: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly value: readonly T[] }, 'first' | 'second'>,
  /** The value itself. */
  tkr_id: genericTask('builtins.tkr_id', { value: T }, { value: T }) as <T>(inputs: { readonly value: Port<T> | T }) => TaskCall<{ readonly value: T }, 'value'>,
  /** Python's `int`: cut off towards zero, or read from decimal text. */
  tkr_int: task('builtins.tkr_int', { value: union(float, bool, str) }, { value: int }),
  /** How many elements. */
  tkr_len: genericTask('builtins.tkr_len', { v: list(A) }, { value: int }) as <A>(inputs: { readonly v: Port<readonly A[]> | readonly A[] }) => TaskCall<{ readonly value: bigint }, 'v'>,
  /** `a or b`: the first that is true, else `b`. */
  tkr_or: task('builtins.tkr_or', { a: bool, b: bool }, { value: bool }),
  /** `a ** b`; a complex number for a fraction of a negative `a`. */
  tkr_pow: task('builtins.tkr_pow', { a: float, b: float }, { value: number }),
  /** The ints from `start` up to, not including, `stop`. */
  tkr_range: task('builtins.tkr_range', { start: int, stop: int, step: optional(int) }, { value: list(int) }),
  /** The elements from last to first. */
  tkr_reversed: genericTask('builtins.tkr_reversed', { values: list(T) }, { value: list(T) }) as <T>(inputs: { readonly values: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly value: readonly T[] }, 'values'>,
  /** The nearest int, half to even: 2.5 gives 2. */
  tkr_round: task('builtins.tkr_round', { a: float }, { value: int }),
  /** `true`, after the delay. */
  tkr_sleep: task('builtins.tkr_sleep', { delay_seconds: float }, { value: bool }),
  /** Python's `str`: `1.0`, `True`, `nan`. */
  tkr_str: task('builtins.tkr_str', { value: union(float, bool) }, { value: str }),
  /** Both as a pair. */
  tkr_tuple: genericTask('builtins.tkr_tuple', { a: U, b: V }, { value: tuple(U, V) }) as <U, V>(inputs: { readonly a: Port<U> | U; readonly b: Port<V> | V }) => TaskCall<{ readonly value: readonly [U, V] }, 'a' | 'b'>,
  /** Pairs, as many as the shorter list has. */
  tkr_zip: genericTask('builtins.tkr_zip', { a: list(U), b: list(V) }, { value: list(tuple(U, V)) }) as <U, V>(inputs: { readonly a: Port<readonly U[]> | readonly U[]; readonly b: Port<readonly V[]> | readonly V[] }) => TaskCall<{ readonly value: readonly (readonly [U, V])[] }, 'a' | 'b'>,
  /** Each element of a list on a port of its own, `0`, `1`, …: what a map runs over. */
  unfold_values: genericTask('builtins.unfold_values', { value: list(T) }, { '*': elements(T) }) as <T>(inputs: { readonly value: Port<readonly T[]> | readonly T[] }) => TaskCall<{ readonly '*': Elements<T> }, 'value'>,
  /** The two of a pair. */
  untuple: genericTask('builtins.untuple', { value: tuple(U, V) }, { a: U, b: V }) as <U, V>(inputs: { readonly value: Port<readonly [U, V]> | readonly [U, V] }) => TaskCall<{ readonly a: U; readonly b: V }, 'value'>,
  /** A list of pairs as two lists. */
  unzip: genericTask('builtins.unzip', { value: list(tuple(U, V)) }, { a: list(U), b: list(V) }) as <U, V>(inputs: { readonly value: Port<readonly (readonly [U, V])[]> | readonly (readonly [U, V])[] }) => TaskCall<{ readonly a: readonly U[]; readonly b: readonly V[] }, 'value'>,
} as const
