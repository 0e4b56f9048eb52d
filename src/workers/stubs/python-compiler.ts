import { InputError } from '../../errors.ts'
import { withParameters } from './type-parameters.ts'
import type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from './worker-interface.ts'

/** Words that Python takes for itself: no field can have such a name. */
const KEYWORDS = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
)
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Python stubs of a worker, byte for byte as Tierkreis 2.1.1 writes them for the same interface (`Namespace.stubs`): for each task a
 * NamedTuple of its inputs with `out()` and `namespace`. Elements (`*`) are nothing that a stub can name: such a task is left out,
 * with a comment. Throws `InputError` for names that Python cannot have.
 */
export function compilePythonStubs(worker: WorkerInterface): string {
  const isLeftOut = (task: InterfaceTask): boolean => starModel(worker, task) !== undefined
  const stars = new Set(worker.tasks.map((task) => starModel(worker, task)?.name))
  const kept = withParameters({
    ...worker,
    tasks: worker.tasks.filter((task) => !isLeftOut(task)),
    models: worker.models.filter(({ name }) => !stars.has(name)),
  })
  for (const task of kept.tasks) {
    checkName(worker, `task "${task.name}"`, task.name)
    for (const { name } of task.inputs) checkName(worker, `input "${name}" of task "${task.name}"`, name)
  }
  for (const model of kept.models) {
    for (const { name } of model.fields) checkName(worker, `"${name}" of ${model.name}`, name)
  }
  const tasks = kept.tasks.map((task) => compileTask(kept, task)).join('\n\n')
  const models = sortModels(kept.models)
    .map((model) => compileModel(model))
    .join('\n\n')
  const leftOut = worker.tasks
    .filter(isLeftOut)
    .map(({ name }) => `# ${name} is left out: it gives each element on a port of its own (*).\n`)
  return `"""Code generated from ${worker.name} namespace. Please do not edit."""

#ruff: noqa: F821
from typing import Literal, NamedTuple, Sequence, TypeVar, Generic, Protocol, Union
from types import NoneType
from tierkreis.controller.data.models import TKR, OpaqueType
from tierkreis.controller.data.types import PType, Struct, Workflow

${models}

${tasks}
${leftOut.join('')}`
}

/** The port mapping of a task whose outputs are elements. */
function starModel(worker: WorkerInterface, { returns }: InterfaceTask): InterfaceModel | undefined {
  if (returns.kind !== 'named') return undefined
  return worker.models.find(({ name, fields }) => name === returns.name && fields.some((field) => field.name === '*'))
}

function checkName(worker: WorkerInterface, what: string, name: string): void {
  if (IDENTIFIER.test(name) && !KEYWORDS.has(name)) return
  throw new InputError('invalid_argument', `cannot write Python stubs of worker "${worker.name}": ${what} is no name in Python`)
}

/** A type as Python annotates it: `dict[str, list[int]]`. */
export function pythonType(shape: TypeShape, bound = ''): string {
  const args = (of: readonly TypeShape[]): string => of.map((member) => pythonType(member, bound)).join(', ')
  switch (shape.kind) {
    case 'int':
    case 'float':
    case 'bool':
    case 'bytes':
    case 'complex':
      return shape.kind
    case 'string':
      return 'str'
    case 'null':
      return 'NoneType'
    case 'any':
      return 'PType'
    case 'list':
      return `list[${pythonType(shape.of, bound)}]`
    case 'record':
      return `dict[str, ${pythonType(shape.of, bound)}]`
    case 'tuple':
      return `tuple[${args(shape.of)}]`
    case 'union':
      return `Union[${args(shape.of)}]`
    case 'opaque':
      return `OpaqueType["${shape.name}"]`
    case 'named':
      return shape.args.length === 0 ? shape.name : `${shape.name}[${args(shape.args)}]`
  }
}

/** `C[T: PType]`. */
function header(name: string, parameters: readonly string[]): string {
  return parameters.length === 0 ? name : `${name}[${parameters.map((parameter) => `${parameter}: PType`).join(', ')}]`
}

function compileModel(model: InterfaceModel): string {
  const fields = model.fields.map(({ name, type }) => `${name}: ${model.isPortMapping ? `TKR[${pythonType(type)}]` : pythonType(type)}`)
  // A model without fields is no struct to upstream.
  const bases = model.isPortMapping || fields.length === 0 ? 'NamedTuple' : 'Struct, Protocol'
  return `
class ${header(model.name, model.parameters)}(${bases}):
    ${fields.toSorted(byCodePoints).join('\n    ')}
`
}

function compileTask(worker: WorkerInterface, task: InterfaceTask): string {
  // Fields with a default come last in a NamedTuple.
  const ordered = [...task.inputs.filter((port) => !port.isOptional), ...task.inputs.filter((port) => port.isOptional)]
  const { returns } = task
  const isPortMapping = returns.kind === 'named' && worker.models.some(({ name, isPortMapping: is }) => is && name === returns.name)
  const out = isPortMapping ? pythonType(returns) : `TKR[${pythonType(returns)}]`
  return `class ${header(task.name, task.parameters)}(NamedTuple):
    ${ordered.map(inputField).join('\n    ')}

    @staticmethod
    def out() -> type[${out}]:
        return ${out}

    @property
    def namespace(self) -> str:
        return "${worker.name}" `
}

function inputField({ name, type, isOptional }: TypedPort): string {
  return `${name}: TKR[${pythonType(type)}]${isOptional ? ' | None = None ' : ''}`
}

function byCodePoints(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** By name, but a model after those that its fields name. */
function sortModels(models: readonly InterfaceModel[]): readonly InterfaceModel[] {
  const byName = new Map(models.map((model) => [model.name, model]))
  const sorted: InterfaceModel[] = []
  const visited = new Set<string>()
  const visit = (model: InterfaceModel): void => {
    if (visited.has(model.name)) return
    visited.add(model.name)
    const named = new Set(model.fields.flatMap(({ type }) => namesIn(type)).filter((name) => !model.parameters.includes(name)))
    for (const name of [...named].toSorted(byCodePoints)) {
      const needed = byName.get(name)
      if (needed !== undefined) visit(needed)
    }
    sorted.push(model)
  }
  for (const model of models.toSorted((a, b) => byCodePoints(a.name, b.name))) visit(model)
  return sorted
}

function namesIn(shape: TypeShape): readonly string[] {
  if (shape.kind === 'named') return [shape.name, ...shape.args.flatMap(namesIn)]
  if (shape.kind === 'list' || shape.kind === 'record') return namesIn(shape.of)
  return shape.kind === 'tuple' || shape.kind === 'union' ? shape.of.flatMap(namesIn) : []
}
