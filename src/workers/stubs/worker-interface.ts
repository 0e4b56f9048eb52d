/** What a worker offers: its tasks with the types of their ports. Types only; Tierkreis calls it a namespace (`namespace.py`, 2.0.9 to 2.1.1). */

/** The type of a port's value, as far as Tierkreis's interface language and its Python stubs can say it. */
export type TypeShape =
  | { readonly kind: 'int' | 'float' | 'bool' | 'string' | 'bytes' | 'complex' | 'null' | 'any' }
  | { readonly kind: 'list'; readonly of: TypeShape }
  /** Keys are strings. */
  | { readonly kind: 'record'; readonly of: TypeShape }
  | { readonly kind: 'tuple'; readonly of: readonly TypeShape[] }
  | { readonly kind: 'union'; readonly of: readonly TypeShape[] }
  /** A model of the same interface, or one of its type parameters. */
  | { readonly kind: 'named'; readonly name: string; readonly args: readonly TypeShape[] }
  /** A Python class that only Python can make: `module.Class`. */
  | { readonly kind: 'opaque'; readonly name: string }

/** A port of a task, or a field of a model. */
export interface TypedPort {
  readonly name: string
  readonly type: TypeShape
  /** The task has a value of its own for it. */
  readonly isOptional: boolean
}

/** A named object type; with `isPortMapping` its fields are the output ports of tasks. */
export interface InterfaceModel {
  readonly name: string
  readonly parameters: readonly string[]
  readonly isPortMapping: boolean
  readonly fields: readonly TypedPort[]
}

/** One task. Its outputs: the fields of a port mapping, else one port `value`. */
export interface InterfaceTask {
  readonly name: string
  readonly parameters: readonly string[]
  readonly inputs: readonly TypedPort[]
  readonly returns: TypeShape
}

/** A worker's tasks and the models they name. */
export interface WorkerInterface {
  readonly name: string
  readonly models: readonly InterfaceModel[]
  readonly tasks: readonly InterfaceTask[]
}

/** Output ports of a task: the fields of its port mapping, else `value`. */
export function outputPorts(worker: WorkerInterface, task: InterfaceTask): readonly TypedPort[] {
  const { returns } = task
  const model = returns.kind === 'named' ? worker.models.find(({ name }) => name === returns.name) : undefined
  if (model?.isPortMapping) return model.fields
  return [{ name: 'value', type: returns, isOptional: false }]
}
