import type { GraphData } from '../model/graph-data.ts'
import type { DrawnGraph, DrawnKind, DrawnNode, OutlineOptions } from './outline.ts'
import { hasGraph, outlineGraph } from './outline-graph.ts'
import { shownState, stateText } from './state-counts.ts'
import { STATE_MARKS } from './svg-style.ts'
import { clip } from './value-text.ts'

/** Nodes up to which bodies are drawn inside: Mermaid itself refuses more than 500 edges unless its `maxEdges` is raised. */
const EXPANDED = 300

/** Brackets of the shapes, by kind. */
const SHAPES: Readonly<Record<DrawnKind, readonly [string, string]>> = {
  const: ['[/', '/]'],
  input: ['>', ']'],
  'own inputs': ['>', ']'],
  output: ['([', '])'],
  function: ['[', ']'],
  eval: ['[[', ']]'],
  loop: ['(', ')'],
  map: ['[(', ')]'],
  ifelse: ['{', '}'],
  eifelse: ['{{', '}}'],
}

/**
 * The graph as a Mermaid flowchart: ports stand on the edges, bodies are subgraphs. A body has no edges from outside, as Mermaid
 * allows: its node stands before it, joined by a thick line. Default `maxNodes`: 300.
 *
 * `n0[/"const 0<br/>5"/]`, `n0 -- "value → a" --> n1`.
 */
export function graphMermaid(graph: GraphData, options: OutlineOptions = {}): string {
  const lines = ['flowchart LR']
  const names = { next: 0, styled: new Map<string, string[]>() }
  writeGraph(outlineGraph(graph, { ...options, maxNodes: options.maxNodes ?? EXPANDED }), '  ', lines, names)
  for (const [state, colour] of Object.entries(STATE_STROKES)) {
    const nodes = names.styled.get(state)
    if (nodes) lines.push(`  classDef ${state} stroke:${colour},stroke-width:3px`, `  class ${nodes.join(',')} ${state}`)
  }
  return `${lines.join('\n')}\n`
}

const STATE_STROKES = {
  waiting: '#6b7280',
  running: '#2563eb',
  succeeded: '#16a34a',
  failed: '#dc2626',
  cancelled: '#ca8a04',
  skipped: '#6b7280',
}

interface Names {
  next: number
  readonly styled: Map<string, string[]>
}

function writeGraph(graph: DrawnGraph, indent: string, lines: string[], names: Names): void {
  const ids = graph.nodes.map(() => `n${names.next++}`)
  for (const [k, node] of graph.nodes.entries()) {
    const id = ids[k]
    if (id === undefined || node.folded) continue
    const [open, close] = SHAPES[node.kind]
    lines.push(`${indent}${id}${open}"${labelOf(node)}"${close}`)
    const state = shownState(node.states)
    if (state !== undefined) names.styled.set(state, [...(names.styled.get(state) ?? []), id])
    if (!hasGraph(node.body)) continue
    lines.push(`${indent}subgraph ${id}body ["${escapeLabel(`body of ${kindOf(node)}`)}"]`)
    writeGraph(node.body.graph, `${indent}  `, lines, names)
    lines.push(`${indent}end`, `${indent}${id} === ${id}body`)
  }
  for (const { from, fromPort, to, toPort, role } of graph.edges) {
    if (graph.nodes[from]?.folded) continue
    const [line, arrow] = role === 'graph' || role === 'branch' ? ['-.', '.->'] : ['--', '-->']
    lines.push(`${indent}${ids[from]} ${line} "${escapeLabel(`${clip(fromPort, 20)} \u2192 ${clip(toPort, 20)}`)}" ${arrow} ${ids[to]}`)
  }
}

function labelOf(node: DrawnNode): string {
  const state = shownState(node.states)
  const note = node.body && 'note' in node.body ? node.body.note : ''
  const states = node.states && state !== undefined ? `${STATE_MARKS[state]} ${stateText(node.states)}` : ''
  return [kindOf(node), node.title, note, states]
    .filter((line) => line !== '')
    .map(escapeLabel)
    .join('<br/>')
}

function kindOf(node: DrawnNode): string {
  return node.kind === 'own inputs' ? 'graph inputs' : `${node.kind} ${node.index}`
}

/**
 * Text inside the quotes of a label. All that Mermaid, Markdown or HTML could take for more than text is written as a numeric
 * entity in Mermaid's own form (`#35;`).
 */
function escapeLabel(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,:=+\-\u2192\u2026\u2713\u2717\u2298\u25b6\u2013]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0xfffd
    const usable = code >= 0x20 && !(code >= 0x7f && code < 0xa0) && !(code >= 0xd800 && code < 0xe000) && code < 0xfffe
    const shown = usable || code > 0xffff
    return /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/.test(character) || !shown ? '#65533;' : `#${code};`
  })
}
