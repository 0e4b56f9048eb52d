import { asWritten } from '../values/codec.ts'
import { isTooLong, tooLongToWrite } from '../values/int-text.ts'
import { PythonError, typeError } from '../values/python-error.ts'
import { Complex, type Value } from '../values/value.ts'
import { NEWEST_DIALECT, type ValueDialect } from '../values/value-dialect.ts'
import type { BuiltinDefinition, InputPort } from './builtin.ts'
import { BUILTIN_ALIASES, BUILTINS, PORT_ALIASES } from './builtin-table.ts'
import { sleepMs } from './operations.ts'
import { readPort } from './port-reading.ts'

/**
 * What ports hold between nodes: a value, or the raw content of a port's file as `Uint8Array`, which is parsed where
 * the reader wants JSON. Content that comes from a file is best handed over raw: no one need know its type.
 */
export type PortContents = ReadonlyMap<string, Value>

/** A builtin as the controller runs it: on values, without bytes in between. */
export interface Builtin extends BuiltinDefinition {
  /**
   * The outputs of one call, by port. They hold what a reader of the written files would get, so a run has the same
   * outputs with and without files. An input that is not in the map is absent.
   * Throws `PythonError`, whose message is what the real worker writes to its error path.
   */
  readonly run: (inputs: PortContents, dialect?: ValueDialect) => Map<string, Value>
  /** How long to wait before the outputs count, in ms: `tkr_sleep` alone. Throws what `run` throws. */
  readonly delayMs: ((inputs: PortContents, dialect?: ValueDialect) => number) | undefined
}

const found = new Map<string, Builtin>()
for (const definition of BUILTINS) found.set(definition.name, createBuiltin(definition))
for (const [alias, name] of BUILTIN_ALIASES) {
  const builtin = found.get(name)
  if (builtin) found.set(alias, builtin)
}

/** The builtin of a name, also one that older releases use; undefined where there is none. The name has no `builtins.` before it. */
export function builtin(name: string): Builtin | undefined {
  return found.get(name)
}

function createBuiltin(definition: BuiltinDefinition): Builtin {
  const aliases = PORT_ALIASES.get(definition.name)
  const ports = new Map(definition.inputs.map((port) => [port.name, port]))
  for (const [alias, name] of aliases ?? []) {
    const port = ports.get(name)
    if (port) ports.set(alias, port)
  }
  const read = (inputs: PortContents, dialect: ValueDialect): Value[] => {
    const values = new Map<InputPort, Value>()
    for (const [name, content] of inputs) {
      const port = ports.get(name)
      if (port === undefined) throw new PythonError('KeyError', `'${name}'`)
      values.set(port, readPort(content, port.reading, dialect))
    }
    const all: Value[] = []
    for (const port of definition.inputs) {
      const value = values.get(port) ?? (values.has(port) ? null : port.default)
      if (value === undefined) throw missingInputs(definition, new Set(values.keys()))
      all.push(value)
    }
    return all
  }
  return {
    ...definition,
    run: (inputs, dialect = NEWEST_DIALECT) => {
      const results = inPythonWords(() => definition.compute(read(inputs, dialect), dialect))
      const outputs = new Map<string, Value>()
      const isOpen = definition.outputs[0]?.name === '*'
      for (let k = 0; k < results.length; k++) {
        outputs.set(isOpen ? String(k) : (definition.outputs[k]?.name ?? ''), written(results[k] ?? null, dialect))
      }
      return outputs
    },
    delayMs: definition.name === 'tkr_sleep' ? (inputs, dialect = NEWEST_DIALECT) => sleepMs(read(inputs, dialect)[0] ?? null) : undefined,
  }
}

/** Runs what may go beyond the engine's limits (an integer of gigabits, nesting beyond the stack), which is no fault of ours. */
function inPythonWords<T>(compute: () => T): T {
  try {
    return compute()
  } catch (error) {
    if (error instanceof RangeError) throw new PythonError('MemoryError', `the value is too large: ${error.message}`)
    throw error
  }
}

function written(value: Value, dialect: ValueDialect): Value {
  if (typeof value === 'bigint') {
    if (isTooLong(value)) throw tooLongToWrite()
    return value
  }
  // Only a complex number at the top is new here; what lies inside came from a port and is in its written form.
  return value instanceof Complex ? asWritten(value, dialect) : value
}

/** Python's message for arguments that are not there: by position first, then by keyword. */
function missingInputs(definition: BuiltinDefinition, given: ReadonlySet<InputPort>): PythonError {
  // `fold_values` and `unfold_values` read their files themselves, by the name of the port.
  const bare = definition.inputs.find((port) => port.reading === 'untyped' || port.reading === 'elements')
  if (bare) return new PythonError('KeyError', `'${bare.name}'`)
  const missing = definition.inputs.filter((port) => !given.has(port) && port.default === undefined)
  const positional = missing.filter((port) => !port.keywordOnly)
  const shown = positional.length > 0 ? positional : missing
  const names = shown.map((port) => `'${port.name}'`)
  const last = names.pop() ?? ''
  const list = names.length === 0 ? last : names.length === 1 ? `${names[0]} and ${last}` : `${names.join(', ')}, and ${last}`
  const kind = positional.length > 0 ? 'positional' : 'keyword-only'
  return typeError(`${definition.name}() missing ${shown.length} required ${kind} argument${shown.length === 1 ? '' : 's'}: ${list}`)
}
