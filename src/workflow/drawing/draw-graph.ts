import { InputError } from '../../errors.ts'
import type { GraphData } from '../model/graph-data.ts'
import type { OutlineOptions } from './outline.ts'
import { outlineGraph } from './outline-graph.ts'
import { placeGraph } from './place-graph.ts'
import { type SvgOptions, writeSvg } from './svg.ts'

/** Nodes up to which bodies are drawn inside. */
const EXPANDED = 2_000
/** Nodes of the outermost graph that are placed at all: above, a picture takes minutes and nobody can read it. */
const MOST = 5_000

export interface DrawOptions extends OutlineOptions, SvgOptions {}

/**
 * Draws a graph as SVG, from left to right, bodies of evals, loops and maps inside their nodes. Default `maxNodes`: 2000. The same
 * graph gives the same text. Throws `InputError` for a graph of more than 5000 nodes (bodies not counted).
 */
export async function drawGraph(graph: GraphData, options: DrawOptions = {}): Promise<{ readonly svg: string }> {
  if (graph.nodes.length > MOST)
    throw new InputError('invalid_argument', `cannot draw a graph of ${graph.nodes.length} nodes: ${MOST} are the most that are placed`, {
      hint: 'Ask for Mermaid or JSON instead, or move parts of the graph into nested graphs.',
    })
  const outline = outlineGraph(graph, { ...options, maxNodes: options.maxNodes ?? EXPANDED })
  return { svg: writeSvg(await placeGraph(outline), options) }
}
