import type { CheckedTask } from '../calls/worker-call.ts'
import { isGraphDocument, type Value } from '../values/value.ts'
import { readGraph } from './graph-codec.ts'
import type { GraphData } from './graph-data.ts'
import { graphShape } from './graph-shape.ts'
import { splitFunctionName } from './output-ports.ts'

/** Every task that a graph, or one in its constants, uses: by worker, with the ports that are connected. Graphs made at run time are not seen. */
export function collectTasks(graph: GraphData): ReadonlyMap<string, readonly CheckedTask[]> {
  const workers = new Map<string, CheckedTask[]>()
  const seen = new Set<Value>()
  const open = [graph]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const shape = graphShape(next)
    for (const [index, node] of next.nodes.entries()) {
      if (node.type === 'const' && isGraphDocument(node.value) && !seen.has(node.value)) {
        seen.add(node.value)
        open.push(readGraph(node.value))
      }
      if (node.type !== 'function') continue
      const { worker, task } = splitFunctionName(node.functionName)
      const tasks = workers.get(worker) ?? []
      tasks.push({ task, inputs: [...node.inputs.keys()], outputs: [...(shape.consumers[index]?.keys() ?? [])] })
      workers.set(worker, tasks)
    }
  }
  return workers
}
