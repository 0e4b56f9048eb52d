import { builtin } from '../builtins/run-builtin.ts'
import { Content } from '../engine/content.ts'
import type { Contents, NodeFailure, NodeRun } from '../engine/scope.ts'
import { writeValue } from '../values/codec.ts'
import { PythonError } from '../values/python-error.ts'
import { isList, type Value } from '../values/value.ts'
import { NEWEST_DIALECT, VALUE_DIALECTS, type ValueDialect } from '../values/value-dialect.ts'

/** What a builtin gave; `delayMs`: how long to wait before it counts. */
export type BuiltinEnd = { readonly outputs: Contents; readonly delayMs: number } | { readonly failure: NodeFailure }

/** Runs a node of the worker `builtins` here. An error of its own is the node's, in Python's words. */
export function runBuiltinNode(run: NodeRun, task: string): BuiltinEnd {
  const definition = builtin(task)
  // The words of the real worker.
  if (definition === undefined) return { failure: { cause: 'task', message: `builtins: function name\n${task} not found` } }
  try {
    const inputs = inputsOf(run, definition)
    const dialect = dialectOfInputs(inputs)
    const outputs = new Map<string, Content>()
    for (const [port, value] of definition.run(inputs, dialect)) {
      outputs.set(port, Content.written(dialect === NEWEST_DIALECT ? value : writeValue(value, dialect)))
    }
    const unknown = run.scope.program.consumed(run.index).find((port) => !port.endsWith('*') && !outputs.has(port))
    if (unknown !== undefined) return { failure: { cause: 'task', message: `'${unknown}'` } }
    return { outputs, delayMs: definition.delayMs?.(inputs, dialect) ?? 0 }
  } catch (error) {
    if (error instanceof PythonError) return { failure: { cause: 'task', message: error.message } }
    if (error instanceof Error && 'code' in error)
      return { failure: { cause: 'task', message: `an input cannot be read: ${error.message}` } }
    throw error
  }
}

function inputsOf(run: NodeRun, definition: NonNullable<ReturnType<typeof builtin>>): Map<string, Value> {
  const inputs = new Map<string, Value>()
  const readsElements = definition.inputs[0]?.reading === 'elements'
  for (const [port, ref] of run.scope.program.node(run.index).inputs) {
    if (readsElements) {
      const elements = ref.port.endsWith('*') ? run.scope.elements(ref).map(({ content }) => content) : one(run.scope.content(ref))
      inputs.set(
        port,
        elements.map(({ value }) => value),
      )
      continue
    }
    const content = run.scope.content(ref)
    if (content !== undefined) inputs.set(port, content.value)
    else if (definition.inputs.find(({ name }) => name === port)?.default === undefined) {
      throw new PythonError('TierkreisError', `Input ${port} not found.`)
    }
  }
  return inputs
}

/** Complex numbers of workers before 2.1.0 are objects of this one key; what a builtin makes of them is for such workers, too. */
const TAGGED_COMPLEX = Buffer.from('__tkr_complex__')

function dialectOfInputs(inputs: ReadonlyMap<string, Value>): ValueDialect {
  for (const value of inputs.values()) {
    for (const content of isList(value) ? value : [value]) {
      if (content instanceof Uint8Array && Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes(TAGGED_COMPLEX)) {
        return VALUE_DIALECTS['2.0.12']
      }
    }
  }
  return NEWEST_DIALECT
}

function one(content: Content | undefined): readonly Content[] {
  return content === undefined ? [] : [content]
}
