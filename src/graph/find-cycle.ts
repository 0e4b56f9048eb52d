/** One dependency: `node` waits for `upstream`. */
export interface DependencyEdge {
  readonly node: string
  readonly upstream: string
}

/**
 * The first cycle among the edges, each node waiting for the next and the last for the first; undefined when there is
 * none. `a→b, b→a` gives `['a', 'b']`; a node that waits for itself gives `['a']`. Time and memory grow with the edges.
 */
export function findCycle(edges: Iterable<DependencyEdge>): readonly string[] | undefined {
  const upstreams = new Map<string, string[]>()
  for (const { node, upstream } of edges) {
    const known = upstreams.get(node)
    if (known) known.push(upstream)
    else upstreams.set(node, [upstream])
  }
  const done = new Set<string>()
  for (const start of upstreams.keys()) {
    if (done.has(start)) continue
    // The path from `start` to where the walk is, with what is left to visit of each; a chain may be too long to recurse.
    const path: { readonly node: string; next: number }[] = [{ node: start, next: 0 }]
    const onPath = new Map([[start, 0]])
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const upstream = upstreams.get(top.node)?.[top.next++]
      if (upstream === undefined) {
        done.add(top.node)
        onPath.delete(top.node)
        path.pop()
        continue
      }
      const seenAt = onPath.get(upstream)
      if (seenAt !== undefined) return path.slice(seenAt).map((step) => step.node)
      if (done.has(upstream)) continue
      onPath.set(upstream, path.length)
      path.push({ node: upstream, next: 0 })
    }
  }
  return undefined
}
