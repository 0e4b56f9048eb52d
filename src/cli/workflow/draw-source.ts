import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { drawGraph } from '../../workflow/drawing/draw-graph.ts'
import { graphJson } from '../../workflow/drawing/graph-json.ts'
import { graphMermaid } from '../../workflow/drawing/mermaid.ts'
import { formatGraph } from '../../workflow/model/graph-codec.ts'
import type { NodeView } from '../../workflow/run/inspect-run.ts'
import type { Workflows } from '../../workflow/run/workflows.ts'
import type { Cli } from '../cli.ts'
import { readWorkflowSource } from './workflow-source.ts'

/**
 * `drover workflow graph`: a graph, or a run with the states of its nodes, as SVG, Mermaid or JSON; or, as `tierkreis`, the file
 * that Tierkreis reads.
 */
export async function drawSource(
  cli: Cli,
  workflows: Workflows,
  given: string,
  flags: { readonly format: string; readonly out?: string; readonly run?: boolean },
): Promise<void> {
  const graph = flags.run ? workflows.graph(given) : (await readWorkflowSource(given, cli.host.directory)).graph
  if (flags.format === 'tierkreis') return await write(cli, `${formatGraph(graph)}\n`, flags.out)
  const states = flags.run ? statesOf(workflows.inspect(given).nodes) : undefined
  const options = states === undefined ? {} : { states }
  const text =
    flags.format === 'svg'
      ? (await drawGraph(graph, options)).svg
      : flags.format === 'mermaid'
        ? graphMermaid(graph, options)
        : `${JSON.stringify(graphJson(graph, options), undefined, 2)}\n`
  await write(cli, text, flags.out)
}

async function write(cli: Cli, text: string, file: string | undefined): Promise<void> {
  if (file === undefined) await cli.host.stdout.write(text)
  else await writeFile(resolve(cli.host.directory, file), text)
}

function statesOf(nodes: readonly NodeView[]): Map<string, NodeView['state']> {
  const states = new Map<string, NodeView['state']>()
  const open = [...nodes]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    states.set(node.loc, node.state)
    open.push(...node.inner)
  }
  return states
}
