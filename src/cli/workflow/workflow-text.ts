import { statSync } from 'node:fs'
import { formatDuration } from '../../task/durations.ts'
import type { Contents } from '../../workflow/engine/scope.ts'
import type { NodeView } from '../../workflow/run/inspect-run.ts'
import type { FailedNode } from '../../workflow/run/workflow-run.ts'
import { encodeJson } from '../../workflow/values/json-encoder.ts'
import { isDict, isList, type Value } from '../../workflow/values/value.ts'
import { VALUE_DIALECTS } from '../../workflow/values/value-dialect.ts'
import type { Style } from '../output/style.ts'
import { printable } from '../output/table.ts'

/** Most iterations or elements of one node that a tree shows, unless all are asked for. */
const SHOWN = 10
const MARKS = { waiting: '·', running: '▸', succeeded: '✓', failed: '✗', skipped: '-', cancelled: '⊘' } as const

/** A run's nodes as a tree, a line each. */
export function compileNodeTree(nodes: readonly NodeView[], style: Style, all: boolean): string {
  const lines: string[] = []
  addNodes(nodes, '', lines, style, all)
  return lines.map((line) => `${line}\n`).join('')
}

function addNodes(nodes: readonly NodeView[], indent: string, lines: string[], style: Style, all: boolean): void {
  const steps = nodes.filter(({ type }) => type === 'iteration' || type === 'element')
  const shown = all || steps.length <= SHOWN ? nodes : choose(nodes)
  for (const node of shown) {
    lines.push(`${indent}${nodeLine(node, style)}`)
    addNodes(node.inner, `${indent}  `, lines, style, all)
  }
  if (shown.length < nodes.length)
    lines.push(
      `${indent}… ${nodes.length - shown.length} more (${countStates(nodes.filter((node) => !shown.includes(node)))}); --all shows them`,
    )
}

/** The first ones, and whatever failed or is under way. */
function choose(nodes: readonly NodeView[]): readonly NodeView[] {
  const telling = new Set(nodes.filter(({ state }) => state === 'failed' || state === 'running').slice(0, SHOWN))
  return nodes.filter((node, index) => index < SHOWN / 2 || telling.has(node))
}

function countStates(nodes: readonly NodeView[]): string {
  const counts = new Map<string, number>()
  for (const { state } of nodes) counts.set(state, (counts.get(state) ?? 0) + 1)
  return Array.from(counts, ([state, count]) => `${count} ${state}`).join(', ')
}

function nodeLine(node: NodeView, style: Style): string {
  const { started_at, ended_at } = node
  const took = started_at !== null && ended_at !== null ? Date.parse(ended_at) - Date.parse(started_at) : 0
  const facts = [
    took > 0 ? formatDuration(took) : '',
    node.attempt !== null && node.attempt > 1 ? `attempt ${node.attempt}` : '',
    node.cause === null ? '' : `${node.cause}: ${printable(node.message ?? '')}`,
  ].filter((fact) => fact !== '')
  const mark =
    node.state === 'failed' ? style.bad(MARKS.failed) : node.state === 'succeeded' ? style.good(MARKS.succeeded) : MARKS[node.state]
  return `${mark} ${node.loc}  ${printable(node.name)}${facts.length === 0 ? '' : `  ${facts.join(', ')}`}`
}

/** `node -.N3 (math.divide) failed (task): division by zero` */
export function failedLine({ node, name, cause, message }: FailedNode): string {
  return `node ${node} (${printable(name)}) failed (${cause}): ${message.trimEnd().replaceAll('\n', '\n    ')}`
}

/** Outputs as the JSON document has them: every value as JSON, raw bytes that are no JSON as `{"base64": …}`. Whole text of the object. */
export function outputsJson(outputs: Contents | undefined, indent: number): string {
  if (outputs === undefined) return 'null'
  const pad = ' '.repeat(indent + 2)
  const lines = Array.from(outputs, ([port, content]) => `${pad}${JSON.stringify(port)}: ${valueJson(content.read)}`)
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${' '.repeat(indent)}}`
}

/** Python's JSON on one line, without what JSON proper does not have. */
function valueJson(value: Value): string {
  if (value instanceof Uint8Array) return `{"base64": ${JSON.stringify(Buffer.from(value).toString('base64'))}}`
  return encodeJson(finite(value), { ...VALUE_DIALECTS['2.1.0'], indent: 0 })
}

/** NaN and the infinities become text: `"NaN"`, `"Infinity"`. */
function finite(value: Value): Value {
  if (typeof value === 'number') return Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  if (isList(value)) return value.map(finite)
  return isDict(value) ? new Map(Array.from(value, ([key, item]) => [key, finite(item)])) : value
}

/** Outputs for a person: `port: value`, long values cut. */
export function outputLines(outputs: Contents): string {
  return Array.from(outputs, ([port, content]) => {
    if (content.path !== undefined && !content.inMemory && statSync(content.path).size > MOST_READ)
      return `${printable(port)}: ${content.path}\n`
    const { value } = content
    const text = value instanceof Uint8Array ? Buffer.from(value).toString() : valueJson(value)
    const line = printable(text)
    return `${printable(port)}: ${line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}… (${text.length} characters)` : line}\n`
  }).join('')
}

const MOST_SHOWN = 2_000
/** Of a larger file the path is shown, bytes. */
const MOST_READ = 64 * 1024
