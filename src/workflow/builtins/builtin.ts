import type { Value } from '../values/value.ts'
import type { ValueDialect } from '../values/value-dialect.ts'

/**
 * How a worker reads a port, from its annotation: `any` as the JSON says; `bytes` the raw file; `complex` a pair;
 * `list` every iterable made into a list; `lists` a list of such lists. `elements` is a folder of elements (`fold_values`).
 */
export type PortReading = 'any' | 'bytes' | 'complex' | 'list' | 'lists' | 'elements' | 'untyped'

/** An input port of a builtin. */
export interface InputPort {
  readonly name: string
  /** As Tierkreis's stubs have it: `int`, `list[T]`, `int | float`. */
  readonly annotation: string
  readonly reading: PortReading
  /** The value an absent input stands for; absent where the input is required. */
  readonly default?: Value
  /** Whether Python's signature takes it by keyword only; that shows in one message. */
  readonly keywordOnly?: true
}

/** An output port of a builtin. `*` stands for any number of ports `0`, `1`, … */
export interface OutputPort {
  readonly name: string
  readonly annotation: string
}

/** One of Tierkreis's builtin tasks. */
export interface BuiltinDefinition {
  readonly name: string
  readonly inputs: readonly InputPort[]
  readonly outputs: readonly OutputPort[]
  /** One sentence: what it gives. */
  readonly summary: string
  /**
   * From the inputs, read as their annotations say and in the order of `inputs`, to the outputs in the order of
   * `outputs` (for `*`: the elements). Throws `PythonError`.
   */
  readonly compute: (inputs: readonly Value[], dialect: ValueDialect) => readonly Value[]
}
