import { writeValue } from '../values/codec.ts'
import { intOfDigits } from '../values/int-text.ts'
import { PythonError, valueError } from '../values/python-error.ts'
import type { Value } from '../values/value.ts'
import { NEWEST_DIALECT, type ValueDialect } from '../values/value-dialect.ts'
import { repr } from './python-text.ts'
import { builtin } from './run-builtin.ts'

/** What a call of the builtins worker leaves behind. */
export type BuiltinCallResult =
  | {
      /** The content of each output port's file. */
      readonly outputs: ReadonlyMap<string, Uint8Array>
      /** How long the worker would have slept first, in ms; 0 for all but `tkr_sleep`. This call doesn't wait. */
      readonly delayMs: number
    }
  | {
      /** The text at the error path; may be empty. */
      readonly error: string
      /** The worker's exit code: 1, or 0 in the oldest release. */
      readonly exitCode: number
    }

/**
 * Calls a builtin as Tierkreis's builtins worker does: files in, files out, byte for byte, errors included. An input
 * whose file is absent is `undefined`. For `fold_values` the entries are the element files by name (`value-0`, `1`, …),
 * sorted by the number that ends each name.
 */
export function callBuiltin(
  name: string,
  inputs: ReadonlyMap<string, Uint8Array | undefined>,
  dialect: ValueDialect = NEWEST_DIALECT,
): BuiltinCallResult {
  try {
    const task = builtin(name)
    if (task === undefined) throw new PythonError('TierkreisError', `builtins: function name\n${name} not found`)
    const contents =
      task.inputs[0]?.reading === 'elements' ? new Map([['values_glob', sortElements(inputs)]]) : present(task.inputs, inputs)
    const outputs = new Map<string, Uint8Array>()
    for (const [port, value] of task.run(contents, dialect)) outputs.set(port, writeValue(value, dialect))
    return { outputs, delayMs: task.delayMs?.(contents, dialect) ?? 0 }
  } catch (error) {
    if (!(error instanceof PythonError)) throw error
    return { error: error.message, exitCode: dialect.failureExitCode }
  }
}

function present(
  ports: readonly { readonly name: string; readonly default?: Value }[],
  inputs: ReadonlyMap<string, Uint8Array | undefined>,
): Map<string, Value> {
  const contents = new Map<string, Value>()
  for (const [name, bytes] of inputs) {
    if (bytes !== undefined) contents.set(name, bytes)
    else if (ports.find((port) => port.name === name)?.default === undefined) {
      throw new PythonError('TierkreisError', `Input ${name} not found.`)
    }
  }
  return contents
}

function sortElements(inputs: ReadonlyMap<string, Uint8Array | undefined>): Value[] {
  const numbered = Array.from(inputs, ([name, bytes]) => {
    const digits = name.slice(name.lastIndexOf('-') + 1)
    if (!/^\d+$/.test(digits)) throw valueError(`invalid literal for int() with base 10: ${repr(digits)}`)
    return { number: intOfDigits(digits), bytes: bytes ?? new Uint8Array(0) }
  })
  numbered.sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0))
  return numbered.map((element) => element.bytes)
}
