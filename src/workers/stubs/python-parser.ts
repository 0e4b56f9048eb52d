import { InputError } from '../../errors.ts'
import { type PythonLine, pythonLines } from './python-lines.ts'
import { PythonTypeError, parseStubType } from './python-type-parser.ts'
import type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from './worker-interface.ts'

interface StubClass {
  readonly name: string
  readonly parameters: readonly string[]
  readonly isStruct: boolean
  readonly line: number
  readonly fields: readonly (TypedPort & { readonly isPort: boolean })[]
  /** Of a task: the text inside `type[…]`. */
  readonly returns: { readonly text: string; readonly line: number } | undefined
  readonly namespace: string | undefined
}

const CLASS = /^class\s+([A-Za-z_]\w*)\s*(?:\[(.*?)\])?\s*\((.*)\)\s*:\s*$/
const FIELD = /^([A-Za-z_]\w*)\s*:\s*(.*?)(\s*=\s*None)?$/
const OUT = /^def out\(\)\s*->\s*\(?\s*["']?type\[(.*)\]["']?\s*\)?\s*:/

/**
 * Reads the Python stubs that a worker writes with `--stubs-path` (Tierkreis 2.0.9 to 2.1.1, formatted by ruff or not): each class with `out()`
 * is a task, the others are its models. Throws `InputError` with the line for what is no such file.
 * @param file names the text in errors
 */
export function parsePythonStubs(source: string, file: string): WorkerInterface {
  const fail = (message: string, line: number): InputError =>
    new InputError('invalid_argument', message, {
      location: { file, line, column: 1 },
      hint: 'Expected stubs as a worker writes them: python main.py --stubs-path FILE',
    })
  const classes = readClasses(pythonLines(source), fail)
  const tasks = classes.filter(({ returns }) => returns !== undefined)
  const [first] = tasks
  if (first === undefined) throw fail('no task in this file: no class with a method "out"', 1)
  const name = first.namespace
  if (name === undefined) throw fail(`class ${first.name} has no property "namespace"`, first.line)
  const other = tasks.find(({ namespace }) => namespace !== name)
  if (other !== undefined) throw fail(`class ${other.name} is of another worker than "${name}"`, other.line)
  const plainFields = ({ fields }: StubClass): readonly TypedPort[] => fields.map(({ isPort: _, ...port }) => port)
  return {
    name,
    models: classes
      .filter(({ returns }) => returns === undefined)
      .map((one): InterfaceModel => {
        const isPortMapping = !one.isStruct && one.fields.some(({ isPort }) => isPort)
        return { name: one.name, parameters: one.parameters, isPortMapping, fields: plainFields(one) }
      }),
    tasks: tasks.map((one): InterfaceTask => {
      const { text = '', line = one.line } = one.returns ?? {}
      return { name: one.name, parameters: one.parameters, inputs: plainFields(one), returns: typeAt(text, line, fail) }
    }),
  }
}

type Fail = (message: string, line: number) => InputError

function typeAt(text: string, line: number, fail: Fail): TypeShape {
  return stubTypeAt(text, line, fail).shape
}

function stubTypeAt(text: string, line: number, fail: Fail): ReturnType<typeof parseStubType> {
  try {
    return parseStubType(text)
  } catch (error) {
    if (error instanceof PythonTypeError) throw fail(error.message, line)
    throw error
  }
}

function readClasses(lines: readonly PythonLine[], fail: Fail): readonly StubClass[] {
  const classes: StubClass[] = []
  for (const [k, { text, line, indent }] of lines.entries()) {
    if (indent !== 0 || !text.startsWith('class ')) continue
    const match = CLASS.exec(text)
    if (match === null) throw fail(`cannot read the class: ${text}`, line)
    const [, name = '', parameters = '', bases = ''] = match
    const rest = lines.slice(k + 1)
    const end = rest.findIndex((next) => next.indent === 0)
    classes.push({
      name,
      parameters: parameters === '' ? [] : parameters.split(',').map((parameter) => parameter.replace(/:.*/s, '').trim()),
      isStruct: /\bStruct\b/.test(bases),
      line,
      ...readBody(end === -1 ? rest : rest.slice(0, end), fail),
    })
  }
  return classes
}

function readBody(body: readonly PythonLine[], fail: Fail): Pick<StubClass, 'fields' | 'returns' | 'namespace'> {
  const fields: (TypedPort & { readonly isPort: boolean })[] = []
  let returns: StubClass['returns']
  let namespace: string | undefined
  let isNamespace = false
  for (const { text, line } of body) {
    const out = OUT.exec(text)
    if (out !== null) returns = { text: out[1] ?? '', line }
    if (text.startsWith('def ')) isNamespace = text.startsWith('def namespace(')
    const returned = isNamespace ? text.match(/(?:^|:\s*)return\s+["'](.*)["']$/) : null
    if (returned !== null) namespace = returned[1]
    if (returns !== undefined || /^(def |return |@|pass$|\.\.\.$|"")/.test(text)) continue
    const field = FIELD.exec(text)
    if (field === null) throw fail(`cannot read the field: ${text}`, line)
    const { shape, isPort, isOptional } = stubTypeAt(field[2] ?? '', line, fail)
    fields.push({ name: field[1] ?? '', type: shape, isOptional: isOptional || field[3] !== undefined, isPort })
  }
  return { fields, returns, namespace }
}
