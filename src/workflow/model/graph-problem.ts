/** Something wrong with a graph, found before it runs. */
export interface GraphProblem {
  /** An `error` stops the graph from running; a `warning` may be meant so, or concerns a node that never runs. */
  readonly severity: 'error' | 'warning'
  /**
   * The graph that the problem is in: empty for the outermost; `-.N3 body` for the constant that node 3 runs, `-.N3 body > N2 body`
   * for one inside that.
   */
  readonly graph: string
  /** Index of the node in that graph; undefined where the graph itself is meant. */
  readonly node: number | undefined
  /** One line: what is wrong, on which node, what to do. It begins with the place. */
  readonly message: string
}
