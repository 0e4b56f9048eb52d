import type { Point } from './layout-graph.ts'
import type { DrawnKind } from './outline.ts'
import { hasGraph } from './outline-graph.ts'
import { BODY_PAD, type PlacedGraph, type PlacedNode, type PlacedPort, portLabel } from './place-graph.ts'
import { shownState } from './state-counts.ts'
import { STATE_MARKS, styleSheet } from './svg-style.ts'
import { xmlText } from './svg-text.ts'

/** Around the whole drawing. */
const MARGIN = 16
/** Radius of the bends of edges. */
const BEND = 6

export interface SvgOptions {
  /** Named in the picture's `<title>`. Default `Workflow graph`. */
  readonly title?: string
  /** Default `auto`. */
  readonly theme?: 'auto' | 'light' | 'dark'
}

/** The placed graph as an SVG document of its own. */
export function writeSvg(graph: PlacedGraph, options: SvgOptions = {}): string {
  const [width, height] = [graph.width + 2 * MARGIN, graph.height + 2 * MARGIN].map(Math.ceil)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="drover-graph" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="dg-title dg-desc">`,
    `<title id="dg-title">${xmlText(options.title ?? 'Workflow graph')}</title>`,
    `<desc id="dg-desc">${xmlText(describe(graph))}</desc>`,
    `<style>${styleSheet(options.theme ?? 'auto')}</style>`,
    '<defs><marker id="dg-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="8" markerHeight="8" orient="auto"><path class="ah" d="M0 0L8 4L0 8z"/></marker></defs>',
    `<rect class="bk" width="${width}" height="${height}"/>`,
  ]
  writeGraph(graph, { x: MARGIN, y: MARGIN }, parts)
  parts.push('</svg>')
  return `${parts.join('\n')}\n`
}

function describe(graph: PlacedGraph): string {
  const kinds = new Map<DrawnKind, number>()
  for (const { node } of graph.nodes) kinds.set(node.kind, (kinds.get(node.kind) ?? 0) + 1)
  const counted = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ')
  return `${graph.nodes.length} nodes (${counted}) and ${graph.edges.length} edges, from left to right.`
}

function writeGraph(graph: PlacedGraph, at: Point, parts: string[]): void {
  parts.push(`<g transform="translate(${n(at.x)} ${n(at.y)})">`)
  for (const placed of graph.nodes) writeNode(placed, parts)
  for (const { edge, path } of graph.edges) {
    parts.push(`<path class="ed ${edge.role}" marker-end="url(#dg-arrow)" d="${pathData(path)}"/>`)
  }
  parts.push('</g>')
}

function writeNode(placed: PlacedNode, parts: string[]): void {
  const { node, width, height } = placed
  const state = shownState(node.states)
  parts.push(`<g${state === undefined ? '' : ` class="${state}"`} transform="translate(${n(placed.x)} ${n(placed.y)})">`)
  const kind = node.kind === 'own inputs' ? 'graph inputs' : `${node.kind} ${node.index}`
  parts.push(`<title>${xmlText([node.id, kind, ...placed.lines.map(({ text }) => text)].join(' \u00b7 '))}</title>`)
  parts.push(...shape(node.kind, width, height))
  parts.push(`<text class="kd" x="14" y="15">${xmlText(kind)}</text>`)
  for (const line of placed.lines) {
    const mark = line.role === 'state' && state !== undefined ? `${STATE_MARKS[state]} ` : ''
    const style = { title: 'tt', note: 'nt', state: 'st' }[line.role]
    parts.push(`<text class="${style}" x="14" y="${n(line.y)}">${xmlText(mark + line.text)}</text>`)
  }
  for (const port of placed.inputs) writePort(port, 0, 'start', parts)
  for (const port of placed.outputs) writePort(port, width, 'end', parts)
  if (placed.body && hasGraph(node.body)) {
    const { x, y, graph } = placed.body
    const frame = { width: graph.width + 2 * BODY_PAD, height: graph.height + 2 * BODY_PAD }
    parts.push(
      `<rect class="in" x="${n(x - BODY_PAD)}" y="${n(y - BODY_PAD)}" width="${n(frame.width)}" height="${n(frame.height)}" rx="4"/>`,
    )
    writeGraph(graph, { x, y }, parts)
  }
  parts.push('</g>')
}

function writePort(port: PlacedPort, x: number, anchor: 'start' | 'end', parts: string[]): void {
  parts.push(`<circle class="dt" cx="${n(x)}" cy="${n(port.y)}" r="2"/>`)
  if (!port.labelled) return
  const at = `x="${n(anchor === 'start' ? x + 8 : x - 8)}" y="${n(port.y + 3.5)}"`
  parts.push(`<text class="pt" ${at} text-anchor="${anchor}">${xmlText(portLabel(port.name))}</text>`)
}

/** The outline of each kind, so that a print in black tells them apart. */
function shape(kind: DrawnKind, w: number, h: number): string[] {
  const outline = (d: string) => `<path class="sh" d="${d}"/>`
  const [x1, y1] = [n(w), n(h)]
  switch (kind) {
    // A sheet with a corner turned down.
    case 'const':
      return [outline(`M0 0H${n(w - 12)}L${x1} 12V${y1}H0z`), `<path class="mk" d="M${n(w - 12)} 0V12H${x1}"/>`]
    // What comes in is pointed at its port, what goes out is round behind its ports.
    case 'input':
      return [outline(`M0 0H${n(w - 12)}L${x1} ${n(h / 2)}L${n(w - 12)} ${y1}H0z`)]
    case 'own inputs':
      return [outline(`M12 0H${x1}V${y1}H12L0 ${n(h / 2)}z`)]
    case 'output':
      return [outline(`M0 0H${n(w - 16)}Q${x1} 0 ${x1} 16V${n(h - 16)}Q${x1} ${y1} ${n(w - 16)} ${y1}H0z`)]
    // The sign of a subroutine: bars at both sides.
    case 'eval':
      return [outline(`M0 0H${x1}V${y1}H0z`), `<path class="mk" d="M5 0V${y1}M${n(w - 5)} 0V${y1}"/>`]
    case 'loop':
      return [rounded(w, h, 18), `<path class="mk" d="M${n(w - 20)} 9a6 6 0 1 0 6 6M${n(w - 23)} 5.5l4 3.5l-4 3.5"/>`]
    // A pile of sheets.
    case 'map':
      return [`<path class="mk" d="M8 ${y1}v8h${n(w)}v-${n(h)}h-8M4 ${y1}v4h${n(w)}v-${n(h)}h-4"/>`, outline(`M0 0H${x1}V${y1}H0z`)]
    // Pointed like the diamond of a choice; an eager one has a second line.
    case 'ifelse':
      return [outline(`M10 0H${n(w - 10)}L${x1} 12V${n(h - 12)}L${n(w - 10)} ${y1}H10L0 ${n(h - 12)}V12z`)]
    case 'eifelse':
      return [
        outline(`M10 0H${n(w - 10)}L${x1} 12V${n(h - 12)}L${n(w - 10)} ${y1}H10L0 ${n(h - 12)}V12z`),
        `<path class="mk" d="M12 3H${n(w - 12)}M12 ${n(h - 3)}H${n(w - 12)}"/>`,
      ]
    case 'function':
      return [rounded(w, h, 5)]
  }
}

function rounded(w: number, h: number, r: number): string {
  return `<rect class="sh" width="${n(w)}" height="${n(h)}" rx="${r}"/>`
}

/** Straight lines with round bends. */
function pathData(path: readonly Point[]): string {
  return path
    .map((point, k) => {
      const [before, after] = [path[k - 1], path[k + 1]]
      if (before === undefined) return `M${n(point.x)} ${n(point.y)}`
      if (after === undefined) return `L${n(point.x)} ${n(point.y)}`
      const [enter, leave] = [towards(point, before), towards(point, after)]
      return `L${n(enter.x)} ${n(enter.y)}Q${n(point.x)} ${n(point.y)} ${n(leave.x)} ${n(leave.y)}`
    })
    .join('')
}

/** The point `BEND` away from `from`, at most half the way. */
function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const share = length === 0 ? 0 : Math.min(BEND, length / 2) / length
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
}

/** Two decimals are enough, and the same on every machine. */
function n(value: number): string {
  return String(Math.round(value * 100) / 100)
}
