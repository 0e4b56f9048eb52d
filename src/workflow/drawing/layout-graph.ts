/** The only file that knows the layout library: ELK's layered algorithm (elkjs 0.12). */
import type { ELK, ElkNode } from 'elkjs'

export interface Point {
  readonly x: number
  readonly y: number
}

/** A box with its ports: inputs on its left side, outputs on its right. Lengths in pixels. */
export interface LayoutBox {
  readonly width: number
  readonly height: number
  /** How far below the box's upper edge each input port is. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
}

/** From output port `output` of box `from` to input port `input` of box `to`; all are positions in their lists. */
export interface LayoutEdge {
  readonly from: number
  readonly output: number
  readonly to: number
  readonly input: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  /** Upper left corner of each box. */
  readonly boxes: readonly Point[]
  /** The bends of each edge, ends included. */
  readonly paths: readonly (readonly Point[])[]
}

/** Boxes up to which the order of nodes in the graph is kept and crossings are avoided with care: it takes ten times as long. */
const CAREFUL = 400
const CARE = { 'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES', 'elk.layered.thoroughness': '7' }
const HASTE = { 'elk.layered.crossingMinimization.greedySwitch.type': 'OFF', 'elk.layered.thoroughness': '1' }

let library: Promise<ELK> | undefined

/** Places boxes from left to right along the edges, without overlaps. The same input gives the same output. Cycles are allowed. */
export async function layoutGraph(boxes: readonly LayoutBox[], edges: readonly LayoutEdge[]): Promise<Layout> {
  if (boxes.length === 0) return { width: 0, height: 0, boxes: [], paths: [] }
  // Loaded when something is drawn: it takes longer to load than most commands take to run.
  library ??= import('elkjs/lib/elk.bundled.js').then((module) => new (constructorOf(module.default))())
  const elk = await library
  const root: ElkNode = {
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.randomSeed': '1',
      'elk.spacing.nodeNode': '24',
      'elk.layered.spacing.nodeNodeBetweenLayers': '40',
      ...(boxes.length > CAREFUL ? HASTE : CARE),
      'elk.padding': '[top=0,left=0,bottom=0,right=0]',
    },
    children: boxes.map((box, k) => ({
      id: `n${k}`,
      width: box.width,
      height: box.height,
      layoutOptions: { 'elk.portConstraints': 'FIXED_POS' },
      ports: [
        ...box.inputs.map((y, p) => ({ id: `n${k}i${p}`, x: 0, y, width: 0, height: 0, layoutOptions: { 'elk.port.side': 'WEST' } })),
        ...box.outputs.map((y, p) => ({
          id: `n${k}o${p}`,
          x: box.width,
          y,
          width: 0,
          height: 0,
          layoutOptions: { 'elk.port.side': 'EAST' },
        })),
      ],
    })),
    edges: edges.map((edge, k) => ({ id: `e${k}`, sources: [`n${edge.from}o${edge.output}`], targets: [`n${edge.to}i${edge.input}`] })),
  }
  const placed = await elk.layout(root)
  // Edges come back in their order, and with whole sections: hyperedges are not asked for.
  return {
    width: placed.width ?? 0,
    height: placed.height ?? 0,
    boxes: (placed.children ?? []).map(({ x = 0, y = 0 }) => ({ x, y })),
    paths: (placed.edges ?? []).map(({ sections = [] }) =>
      sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]),
    ),
  }
}

type Constructor = new () => ELK

/** The bundle is CommonJS and its class the module itself, though its types speak of a member `default`. */
function constructorOf(module: { readonly default: Constructor } | Constructor): Constructor {
  return 'default' in module ? module.default : module
}
