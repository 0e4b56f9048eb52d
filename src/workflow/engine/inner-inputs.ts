import { DroverError } from '../../errors.ts'
import type { PortRef } from '../model/graph-data.ts'
import type { Content } from './content.ts'
import type { Program } from './program.ts'
import type { Contents, NodeRun, Scope } from './scope.ts'

/** The graph that a node is to run. Throws DroverError for one that was not given. */
export function bodyOf(run: NodeRun, ref: PortRef): Content {
  const content = run.scope.content(ref)
  if (content === undefined) throw missingPort(run, 'graph', ref)
  return content
}

/** What a node's ports hold. */
export function givenTo(run: NodeRun): Contents {
  const contents = new Map<string, Content>()
  for (const [port, ref] of run.scope.program.node(run.index).inputs) {
    const content = run.scope.content(ref)
    if (content !== undefined) contents.set(port, content)
  }
  return contents
}

/**
 * A graph's inputs: values fixed in advance, over them what is given, over that what names an output of the run, as Tierkreis has
 * it, and itself, for recursion.
 */
export function inputsOf(program: Program, given: Contents, body: Content, near?: Scope): Contents {
  const inputs = new Map([...program.fixed, ...given])
  for (const [port, ref] of program.graph.fixedRefs ?? []) {
    const content = outputAt(ref.loc, ref.port, near)
    if (content !== undefined) inputs.set(port, content)
  }
  return inputs.set('body', body)
}

/** An output named by its location, in a scope around `near` or the root; undefined where it isn't there. */
function outputAt(loc: string, port: string, near: Scope | undefined): Content | undefined {
  const at = loc.lastIndexOf('.N')
  const around = loc.slice(0, Math.max(0, at))
  for (let scope = near; scope !== undefined; scope = scope.owner?.scope) {
    if (scope.loc === around) return scope.content({ node: Number(loc.slice(at + 2)), port })
  }
  return undefined
}

/** The error of a node that can't do without a port. */
export function missingPort(run: NodeRun, what: string, ref: PortRef): DroverError {
  const from = ref.node < 0 ? `the graph's input "${ref.port}"` : `port "${ref.port}" of node ${ref.node}`
  return new DroverError('invalid_task', `node ${run.loc} has no ${what}: ${from} gave nothing`, { level: 'input' })
}
