import type { LocalTask } from '../../src/workflow/builder/local-task.ts'
import { Content } from '../../src/workflow/engine/content.ts'
import { WorkflowEngine } from '../../src/workflow/engine/engine.ts'
import { compileProgram } from '../../src/workflow/engine/program.ts'
import type { GraphData } from '../../src/workflow/model/graph-data.ts'
import { runBuiltinNode } from '../../src/workflow/run/builtin-node.ts'
import { readValue } from '../../src/workflow/values/codec.ts'

/**
 * Runs a graph of builtins and local tasks, one node after the other and without a run's directory. Inputs and outputs are the texts
 * of their files. Throws the message of the first node that fails.
 */
export async function runInEngine(
  graph: GraphData,
  inputs: Readonly<Record<string, string>>,
  localTasks: ReadonlyMap<string, LocalTask> = new Map(),
): Promise<Record<string, string>> {
  const given = Object.entries(inputs).map(([port, text]) => [port, Content.of(readValue(Buffer.from(text)))] as const)
  const engine = new WorkflowEngine(compileProgram(graph), new Map(given))
  for (let run = engine.next(); run !== undefined; run = engine.next()) {
    const node = run.scope.program.node(run.index)
    if (node.type !== 'function') throw new Error(`${run.loc} is of type ${node.type}`)
    const local = localTasks.get(node.functionName)
    if (local !== undefined) {
      const contents = new Map<string, Uint8Array>()
      for (const [port, ref] of node.inputs) {
        const content = run.scope.content(ref)
        if (content !== undefined) contents.set(port, content.bytes)
      }
      const outputs = await local.invoke(contents, AbortSignal.timeout(10_000))
      engine.succeed(run, new Map(Array.from(outputs, ([port, value]) => [port, Content.written(value)])))
      continue
    }
    const end = runBuiltinNode(run, node.functionName.replace(/^builtins\./, ''))
    if ('failure' in end) throw new Error(`${run.loc}: ${end.failure.message}`)
    engine.succeed(run, end.outputs)
  }
  if (engine.outputs === undefined) throw new Error('the graph did not end')
  const outputs = Array.from(engine.outputs, ([port, content]) => [port, Buffer.from(content.bytes).toString()])
  return Object.fromEntries(outputs.sort())
}
