import type { GraphNode } from './graph-data.ts'

/** A name as it stands in a message: long ones are cut, so that a line stays a line. */
export function shortName(name: string): string {
  const quoted = JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name)
  return quoted
}

/** How messages name a node: `node 7 (function builtins.iadd)`, `node 0 (input "n")`, `node 3 (const)`. */
export function nodeLabel(node: GraphNode | undefined, index: number): string {
  return `node ${index}${node === undefined ? '' : ` (${detail(node)})`}`
}

function detail(node: GraphNode): string {
  switch (node.type) {
    case 'function':
      return `function ${shortName(node.functionName).slice(1, -1)}`
    case 'input':
      return `input ${shortName(node.name)}`
    case 'loop':
      return node.name === undefined ? 'loop' : `loop ${shortName(node.name)}`
    default:
      return node.type
  }
}
