// Writes the builtins as typed tasks of the TypeScript builder, src/workflow/builder/builtin-tasks.ts, from their table.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BuiltinDefinition } from '../src/workflow/builtins/builtin.ts'
import { BUILTINS } from '../src/workflow/builtins/builtin-table.ts'

const FILE = fileURLToPath(new URL('../src/workflow/builder/builtin-tasks.ts', import.meta.url))
const NAMES: Readonly<Record<string, string>> = {
  int: 'int',
  float: 'float',
  bool: 'bool',
  str: 'str',
  bytes: 'bytes',
  complex: 'complex',
}
const PLAIN: Readonly<Record<string, string>> = {
  int: 'bigint',
  float: 'number',
  bool: 'boolean',
  str: 'string',
  bytes: 'Uint8Array',
  complex: 'Complex',
}

/** An annotation as a port type of the builder (`list(int)`) and as a TypeScript type (`readonly bigint[]`). */
interface Shown {
  readonly port: string
  readonly type: string
  readonly variables: readonly string[]
}

/** `U, list[V]` at its outer commas, `int | float` at its outer bars. */
function split(text: string, mark: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let k = 0; k < text.length; k++) {
    if (text[k] === '[') depth++
    if (text[k] === ']') depth--
    if (depth === 0 && text.startsWith(mark, k)) {
      parts.push(text.slice(from, k))
      from = k + mark.length
    }
  }
  return [...parts, text.slice(from)]
}

function show(annotation: string): Shown {
  const members = split(annotation, ' | ')
  if (members.length > 1) {
    const shown = members.map(show)
    const port = annotation === 'int | float' ? 'number' : `union(${shown.map((member) => member.port).join(', ')})`
    return { port, type: shown.map((member) => member.type).join(' | '), variables: shown.flatMap((member) => member.variables) }
  }
  const [, outer, inner] = annotation.match(/^(\w+)\[(.*)\]$/) ?? []
  if (outer === undefined || inner === undefined) {
    const port = NAMES[annotation]
    if (port !== undefined) return { port, type: PLAIN[annotation] ?? '', variables: [] }
    return { port: annotation, type: annotation, variables: [annotation] }
  }
  const shown = split(inner, ', ').map(show)
  const variables = shown.flatMap((member) => member.variables)
  const ports = shown.map((member) => member.port).join(', ')
  if (outer === 'tuple') return { port: `tuple(${ports})`, type: `readonly [${shown.map((member) => member.type).join(', ')}]`, variables }
  const element = shown[0]?.type ?? ''
  return { port: `list(${ports})`, type: `readonly ${/^\w+$/.test(element) ? element : `(${element})`}[]`, variables }
}

function key(name: string): string {
  return /^\w+$/.test(name) ? name : `'${name}'`
}

/** Elements of a list on ports of their own: only the two folds have them. */
function showElements(variable: string): Shown {
  return { port: `elements(${variable})`, type: `Elements<${variable}>`, variables: [variable] }
}

function compileTask({ name, inputs, outputs, summary }: BuiltinDefinition): string {
  // Python's `mean` takes a list of ints as well.
  const ins = inputs.map((port) => {
    if (port.reading === 'elements') return { port, shown: showElements('T') }
    return { port, shown: show(port.annotation === 'list[float]' ? 'list[int | float]' : port.annotation) }
  })
  const outs = outputs.map((port) => ({ port, shown: port.name === '*' ? showElements(port.annotation) : show(port.annotation) }))
  const inPorts = ins
    .map(({ port, shown }) => `${key(port.name)}: ${port.default === undefined ? shown.port : `optional(${shown.port})`}`)
    .join(', ')
  const outPorts = outs.map(({ port, shown }) => `${key(port.name)}: ${shown.port}`).join(', ')
  const variables = [...new Set([...ins, ...outs].flatMap(({ shown }) => shown.variables))].sort()
  const comment = `  /** ${summary[0]?.toUpperCase()}${summary.slice(1)}. */\n`
  if (variables.length === 0) return `${comment}  ${name}: task('builtins.${name}', { ${inPorts} }, { ${outPorts} }),`
  const takes = ins
    .map(({ port, shown }) => {
      const input = shown.type.startsWith('Elements<') ? `Port<${shown.type}>` : `Port<${shown.type}> | ${shown.type}`
      return `readonly ${key(port.name)}${port.default === undefined ? '' : '?'}: ${shown.variables.length > 0 ? input : `Input<${shown.type}>`}`
    })
    .join('; ')
  const gives = outs.map(({ port, shown }) => `readonly ${key(port.name)}: ${shown.type}`).join('; ')
  const names = ins.map(({ port }) => `'${port.name}'`).join(' | ')
  const type = `<${variables.join(', ')}>(inputs: { ${takes} }) => TaskCall<{ ${gives} }, ${names}>`
  return `${comment}  ${name}: genericTask('builtins.${name}', { ${inPorts} }, { ${outPorts} }) as ${type},`
}

function compileBuiltinTasks(): string {
  const tasks = BUILTINS.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(compileTask)
  return `// biome-ignore-all format: written by scripts/builtin-tasks.ts from the table of builtins
import type { Input, Port } from './port.ts'
import { bool, bytes, complex, type Elements, elements, float, int, list, number, optional, str, tuple, union, variable } from './port-type.ts'
import { genericTask, type TaskCall, task } from './task.ts'

const T = variable('T')
const U = variable('U')
const V = variable('V')
const A = variable('A')

/** All builtins of Tierkreis 2.1.1 as tasks for \`g.call\`, under their names there. */
export const builtins = {
${tasks.join('\n')}
} as const
`
}

/** Whether the file differs from what the table says; `write` puts it right. */
export function areBuiltinTasksOutdated(write: boolean): boolean {
  const next = compileBuiltinTasks()
  const isOutdated = !existsSync(FILE) || readFileSync(FILE, 'utf8') !== next
  if (isOutdated && write) writeFileSync(FILE, next)
  return isOutdated
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(areBuiltinTasksOutdated(true) ? 'written: src/workflow/builder/builtin-tasks.ts' : 'nothing to do')
