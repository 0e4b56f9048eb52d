import { pythonType } from './python-compiler.ts'
import { type InterfaceTask, outputPorts, type TypedPort, type TypeShape, type WorkerInterface } from './worker-interface.ts'

/** Words that no `export const` can have. */
const RESERVED = new Set(
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield'.split(
    ' ',
  ),
)

/**
 * Stubs of a worker for graphs in TypeScript: one exported task each, with the types of its ports. What a port's type cannot say
 * (type parameters, a value of any type) is `anything`; models of the interface and Python classes are opaque types of their name.
 *
 * Input: task `double(x: int) -> int` of worker `math`. Text:
 * ```
 * import { int, task } from 'drover'
 *
 * export const double = task('math.double', { x: int }, { value: int })
 * ```
 */
export function compileTypeScriptStubs(worker: WorkerInterface): string {
  const used = new Set(['task'])
  const models = new Set(worker.models.map(({ name }) => name))
  const portType = (shape: TypeShape): string => typeText(worker, models, used, shape)
  const entries = (ports: readonly TypedPort[]): string => {
    if (ports.length === 0) return '{}'
    const texts = ports.map((port) => {
      const text = portType(port.type)
      if (port.isOptional) used.add('optional')
      return `${key(port.name)}: ${port.isOptional ? `optional(${text})` : text}`
    })
    return `{ ${texts.join(', ')} }`
  }
  const tasks = worker.tasks.map((task) => ({
    task,
    inputs: entries(task.inputs),
    outputs: outputsText(worker, task, entries, used, portType),
  }))
  const constants = tasks.map(({ task, inputs, outputs }) => {
    const text = `task(${quoted(`${worker.name}.${task.name}`)}, ${inputs}, ${outputs})`
    return `${comment(worker, task)}export const ${constantName(task.name, used)} = ${text}\n`
  })
  const title = `// Tasks of worker ${printable(worker.name)}. Written by drover worker stubs: not to be edited.\n`
  return `${title}import { ${[...used].toSorted().join(', ')} } from 'drover'\n\n${constants.join('\n')}`
}

function outputsText(
  worker: WorkerInterface,
  task: InterfaceTask,
  entries: (ports: readonly TypedPort[]) => string,
  used: Set<string>,
  portType: (shape: TypeShape) => string,
): string {
  const ports = outputPorts(worker, task)
  const star = ports.find(({ name }) => name === '*')
  if (star === undefined) return entries(ports)
  used.add('elements')
  return `{ '*': elements(${portType(star.type)}) }`
}

/** A task named like an import, or like a word of the language, gets `_` at its end. */
function constantName(task: string, imported: ReadonlySet<string>): string {
  return RESERVED.has(task) || imported.has(task) ? `${task}_` : task
}

/** The task as Python would write it, where TypeScript shows less. */
function comment(worker: WorkerInterface, task: InterfaceTask): string {
  const ports = [...task.inputs, ...outputPorts(worker, task)]
  const isPlain = ports.every(({ type }) => !['named', 'any', 'opaque'].some((kind) => includesKind(type, kind)))
  if (isPlain) return ''
  const inputs = task.inputs.map(({ name, type, isOptional }) => `${name}: ${pythonType(type)}${isOptional ? ' = …' : ''}`)
  return `/** ${printable(`${task.name}(${inputs.join(', ')}) -> ${pythonType(task.returns)}`)} */\n`
}

function includesKind(shape: TypeShape, kind: string): boolean {
  if (shape.kind === kind) return true
  if (shape.kind === 'list' || shape.kind === 'record') return includesKind(shape.of, kind)
  return (shape.kind === 'tuple' || shape.kind === 'union') && shape.of.some((member) => includesKind(member, kind))
}

const NAMES: Readonly<Record<string, string>> = { string: 'str', null: 'none', any: 'anything', record: 'dict' }

function typeText(worker: WorkerInterface, models: ReadonlySet<string>, used: Set<string>, shape: TypeShape): string {
  const of = (member: TypeShape): string => typeText(worker, models, used, member)
  const name = NAMES[shape.kind] ?? shape.kind
  const use = (word: string): string => {
    used.add(word)
    return word
  }
  switch (shape.kind) {
    case 'list':
    case 'record':
      return `${use(name)}(${of(shape.of)})`
    case 'tuple':
    case 'union':
      return `${use(name)}(${shape.of.map(of).join(', ')})`
    case 'opaque':
      return `${use(name)}(${quoted(shape.name)})`
    case 'named':
      return models.has(shape.name) ? `${use('opaque')}(${quoted(`${worker.name}.${shape.name}`)})` : use('anything')
    default:
      return use(name)
  }
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name)
}

function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

/** Nothing that ends a comment, or a line of one. */
function printable(text: string): string {
  return text.replaceAll(/[\n\r\u2028\u2029]/g, ' ').replaceAll('*/', '* /')
}
