import { layoutGraph, type Point } from './layout-graph.ts'
import type { DrawnEdge, DrawnGraph, DrawnNode } from './outline.ts'
import { hasGraph } from './outline-graph.ts'
import { stateText } from './state-counts.ts'
import { clip } from './value-text.ts'

/** A node with its place; lengths in pixels, from the upper left corner of its graph. */
export interface PlacedNode {
  readonly node: DrawnNode
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** Text lines under the kind: title, note about the body, states. */
  readonly lines: readonly PlacedLine[]
  readonly inputs: readonly PlacedPort[]
  readonly outputs: readonly PlacedPort[]
  /** Upper left corner of the body's graph, from that of the node. */
  readonly body?: { readonly graph: PlacedGraph; readonly x: number; readonly y: number }
}

export interface PlacedLine {
  readonly text: string
  readonly role: 'title' | 'note' | 'state'
  /** Base line. */
  readonly y: number
}

export interface PlacedPort {
  readonly name: string
  /** Whether the name is written: not where the node has one port, and says itself what is on it. */
  readonly labelled: boolean
  readonly y: number
}

export interface PlacedGraph {
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly { readonly edge: DrawnEdge; readonly path: readonly Point[] }[]
}

/** Width of a character of 12 px in a monospaced font, a little more than most have. */
const CHARACTER = 7.4
const LINE = 16
/** Height of the line with the kind. */
const HEAD = 22
const PAD = 12
/** Around the graph of a body. */
export const BODY_PAD = 14

type Box = Omit<PlacedNode, 'x' | 'y'>

/** Sizes and places of all that is drawn, bodies first: a node is as large as its body. */
export async function placeGraph(graph: DrawnGraph): Promise<PlacedGraph> {
  const shown = graph.nodes.flatMap((node, k) => (node.folded ? [] : [k]))
  const positions = new Map(shown.map((k, position) => [k, position]))
  // Bodies that are drawn, or named, in the node itself: nothing leads to their port.
  const bodies = new Set(graph.edges.flatMap(({ from, to }) => (graph.nodes[from]?.folded ? [to] : [])))
  const boxes: Box[] = []
  for (const k of shown) {
    const node = graph.nodes[k]
    if (node) boxes.push(boxOf(node, bodies.has(k), hasGraph(node.body) ? await placeGraph(node.body.graph) : undefined))
  }
  const edges = graph.edges.flatMap((edge) => {
    const [from, to] = [positions.get(edge.from), positions.get(edge.to)]
    if (from === undefined || to === undefined) return []
    const output = boxes[from]?.outputs.findIndex(({ name }) => name === edge.fromPort) ?? -1
    const input = boxes[to]?.inputs.findIndex(({ name }) => name === edge.toPort) ?? -1
    return output < 0 || input < 0 ? [] : [{ edge, from, output, to, input }]
  })
  const heights = ({ inputs, outputs, width, height }: Box) => ({
    width,
    height,
    inputs: inputs.map(({ y }) => y),
    outputs: outputs.map(({ y }) => y),
  })
  const layout = await layoutGraph(boxes.map(heights), edges)
  return {
    width: layout.width,
    height: layout.height,
    nodes: boxes.map((box, k) => ({ ...box, ...(layout.boxes[k] ?? { x: 0, y: 0 }) })),
    edges: edges.map(({ edge }, k) => ({ edge, path: layout.paths[k] ?? [] })),
  }
}

function boxOf(node: DrawnNode, withoutBodyPort: boolean, body: PlacedGraph | undefined): Box {
  const inputs = node.inputs.filter((port) => !(withoutBodyPort && port === 'body'))
  const texts: Omit<PlacedLine, 'y'>[] = []
  if (node.title !== '') texts.push({ text: node.title, role: 'title' })
  if (node.body && 'note' in node.body) texts.push({ text: node.body.note, role: 'note' })
  if (node.states) texts.push({ text: stateText(node.states), role: 'state' })
  const lines = texts.map((line, k) => ({ ...line, y: HEAD + 13 + k * LINE }))
  const portsTop = HEAD + lines.length * LINE + 6
  const plain = (node.kind === 'const' || node.kind === 'input') && node.outputs.length <= 1 && inputs.length === 0
  const rows = plain ? 0 : Math.max(inputs.length, node.outputs.length)
  const bottom = portsTop + rows * LINE + 6
  const ports = (names: readonly string[]) =>
    names.map((name, k) => ({ name, labelled: !plain, y: plain ? bottom / 2 : portsTop + k * LINE + LINE / 2 }))
  const bodyWidth = body === undefined ? 0 : body.width + 2 * BODY_PAD + 2 * PAD
  const width = Math.max(
    plain ? 64 : 96,
    textWidth(`${node.kind} ${node.index}`) + 2 * PAD + 20,
    ...texts.map(({ text }) => textWidth(text) + 2 * PAD + 14),
    widest(inputs) + (plain ? 0 : widest(node.outputs)) + 2 * PAD + 12,
    bodyWidth,
  )
  return {
    node,
    width,
    height: bottom + (body === undefined ? 0 : body.height + 2 * BODY_PAD + PAD),
    lines,
    inputs: ports(inputs),
    outputs: ports(node.outputs),
    ...(body === undefined ? {} : { body: { graph: body, x: PAD + BODY_PAD + (width - bodyWidth) / 2, y: bottom + BODY_PAD } }),
  }
}

/** A port's name as it is drawn. */
export function portLabel(name: string): string {
  return clip(name, 20)
}

/** Ports are written a little smaller. */
function widest(ports: readonly string[]): number {
  return ports.reduce((width, name) => Math.max(width, textWidth(portLabel(name)) * 0.9), 0)
}

/** Characters of Chinese, Japanese and Korean and most emoji are as wide as two. */
function textWidth(text: string): number {
  let width = 0
  for (const character of text)
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u.test(
      character,
    )
      ? 2
      : 1
  return width * CHARACTER
}
