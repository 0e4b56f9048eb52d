import { InputError } from '../../errors.ts'
import { withParameters } from './type-parameters.ts'
import type { InterfaceModel, TypedPort, TypeShape, WorkerInterface } from './worker-interface.ts'

const IDENTIFIER = /^[A-Za-z0-9_]+$/

/**
 * The interface of a worker as Tierkreis's IDL: the part of TypeSpec that its parser (2.0.9 to 2.1.1) reads. `int` is `integer`, `bool`
 * is `bool` (the parser does not know TypeSpec's `boolean`). That an input may be left out cannot be said there. Throws `InputError`
 * for types and names which that parser does not read.
 *
 * Input: task `double(x: int) -> int` of worker `math`. Text:
 * ```
 * interface math {
 *   double(x: integer): integer;
 * }
 * ```
 */
export function compileIdl(worker: WorkerInterface): string {
  const { name, models, tasks } = withParameters(worker)
  checkName(worker, `the worker's name "${name}"`, name)
  const modelTexts = sortedByNeed(models).map(
    (model) =>
      `${model.isPortMapping ? '@portmapping\n' : ''}model ${header(model)} {\n${model.fields
        .map((field) => `  ${portText(worker, field, model.name)};\n`)
        .join('')}}\n\n`,
  )
  const taskTexts = tasks.map((task) => {
    const inputs = task.inputs.map((port) => portText(worker, port, `task "${task.name}"`)).join(', ')
    return `  ${header(task)}(${inputs}): ${idlType(worker, task.returns, `what task "${task.name}" returns`)};\n`
  })
  return `${modelTexts.join('')}interface ${name} {\n${taskTexts.join('')}}\n`
}

function sortedByNeed(models: readonly InterfaceModel[]): readonly InterfaceModel[] {
  return [...models.filter(({ isPortMapping }) => !isPortMapping), ...models.filter(({ isPortMapping }) => isPortMapping)]
}

function header({ name, parameters }: { readonly name: string; readonly parameters: readonly string[] }): string {
  return parameters.length === 0 ? name : `${name}<${parameters.join(', ')}>`
}

function portText(worker: WorkerInterface, { name, type }: TypedPort, where: string): string {
  checkName(worker, `port "${name}" of ${where}`, name)
  return `${name}: ${idlType(worker, type, `port "${name}" of ${where}`)}`
}

function checkName(worker: WorkerInterface, what: string, name: string): void {
  if (!IDENTIFIER.test(name)) throw refused(worker, `${what} is no name there (letters, digits and "_")`)
}

function refused(worker: WorkerInterface, why: string): InputError {
  return new InputError('unsupported', `cannot write the interface (TypeSpec) of worker "${worker.name}": ${why}`, {
    hint: 'Python and TypeScript stubs can say it: drover worker stubs NAME --to python',
  })
}

function idlType(worker: WorkerInterface, shape: TypeShape, where: string): string {
  switch (shape.kind) {
    case 'int':
      return 'integer'
    case 'string':
    case 'bytes':
    case 'bool':
    case 'null':
    case 'float':
    // Read as the name of a type, which becomes Python's own.
    case 'complex':
      return shape.kind
    case 'list':
      return `Array<${idlType(worker, shape.of, where)}>`
    case 'record':
      return `Record<${idlType(worker, shape.of, where)}>`
    case 'named':
      checkName(worker, `type "${shape.name}"`, shape.name)
      if (shape.args.length === 0) return shape.name
      if (shape.args.every((arg) => arg.kind === 'named' && arg.args.length === 0)) {
        return `${shape.name}<${shape.args.map((arg) => idlType(worker, arg, where)).join(', ')}>`
      }
      throw refused(worker, `${where} is a model with arguments that are no plain names`)
    case 'tuple':
    case 'union':
    case 'opaque':
    case 'any':
      throw refused(worker, `${where} is ${shape.kind === 'opaque' ? `the Python class ${shape.name}` : `a ${shape.kind}`}`)
  }
}
