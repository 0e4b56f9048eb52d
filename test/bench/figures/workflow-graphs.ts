/** Graphs of the figures, as files of Tierkreis 2.1.1: the same text goes to Drover and to its controllers. */

/** A node as the file has it; consumers are filled in by `graphText`. */
type Node = { readonly type: string; readonly [key: string]: unknown }
type Ref = readonly [node: number, port: string]

const constant = (value: unknown): Node => ({ type: 'const', value, inputs: {} })
const call = (name: string, inputs: Readonly<Record<string, Ref>>): Node => ({ type: 'function', function_name: name, inputs })

/** The last node is the output. */
function graphOf(nodes: readonly Node[], graphInputs: readonly string[] = []): Readonly<Record<string, unknown>> {
  const consumers = nodes.map((): Record<string, number[]> => ({}))
  for (const [index, node] of nodes.entries()) {
    const inputs = Object.values((node['inputs'] ?? {}) as Readonly<Record<string, Ref>>)
    const body = node['body'] as Ref | undefined
    for (const [from, port] of body === undefined ? inputs : [...inputs, body]) {
      const ports = consumers[from]
      if (ports !== undefined) ports[port] = [...(ports[port] ?? []), index]
    }
  }
  return {
    nodes: nodes.map((node, index) => ({ ...node, outputs: consumers[index] })),
    fixed_inputs: {},
    graph_inputs: graphInputs,
    graph_output_idx: nodes.length - 1,
    named_nodes: {},
    node_metadata: {},
  }
}

/** 1 + 1 + 1 + …: `count` builtins, each after the one before. Output `value`: `count` + 1. */
export function chainGraph(count: number, task = 'builtins.iadd'): string {
  const links = Array.from({ length: count }, (_, at) => {
    const before: Ref = [at === 0 ? 0 : at, 'value']
    return call(task, task === 'builtins.iadd' ? { a: before, b: [0, 'value'] } : { value: before })
  })
  return JSON.stringify(graphOf([constant(1), ...links, { type: 'output', inputs: { value: [count, 'value'] } }]))
}

/** 3x + 3 for each of 0 … `count` - 1: two builtins an element. Output `value`: the list. */
export function mapGraph(count: number): string {
  const body = graphOf(
    [
      { type: 'input', name: 'x', inputs: {} },
      constant(3),
      call('builtins.itimes', { a: [0, 'x'], b: [1, 'value'] }),
      call('builtins.iadd', { a: [2, 'value'], b: [1, 'value'] }),
      { type: 'output', inputs: { value: [3, 'value'] } },
    ],
    ['x'],
  )
  return overElements(count, body)
}

/** One call of a worker for each of 0 … `count` - 1: `<task>(x)`. Output `value`: the list. */
export function callsGraph(count: number, task: string): string {
  const body = graphOf(
    [{ type: 'input', name: 'x', inputs: {} }, call(task, { x: [0, 'x'] }), { type: 'output', inputs: { value: [1, 'value'] } }],
    ['x'],
  )
  return overElements(count, body)
}

function overElements(count: number, body: unknown): string {
  return JSON.stringify(
    graphOf([
      constant(Array.from({ length: count }, (_, at) => at)),
      call('builtins.unfold_values', { value: [0, 'value'] }),
      constant(body),
      { type: 'map', body: [2, 'value'], inputs: { x: [1, '*'] } },
      call('builtins.fold_values', { values_glob: [3, 'value-*'] }),
      { type: 'output', inputs: { value: [4, 'value'] } },
    ]),
  )
}

/** Counts from 0 to `count`: two builtins an iteration. Output `value`: `count`. */
export function loopGraph(count: number): string {
  const body = graphOf(
    [
      { type: 'input', name: 'i', inputs: {} },
      constant(1),
      constant(count),
      call('builtins.iadd', { a: [0, 'i'], b: [1, 'value'] }),
      call('builtins.igt', { a: [2, 'value'], b: [3, 'value'] }),
      { type: 'output', inputs: { i: [3, 'value'], should_continue: [4, 'value'] } },
    ],
    ['i'],
  )
  return JSON.stringify(
    graphOf([
      constant(0),
      constant(body),
      { type: 'loop', body: [1, 'value'], continue_port: 'should_continue', name: 'count_up', inputs: { i: [0, 'value'] } },
      { type: 'output', inputs: { value: [2, 'i'] } },
    ]),
  )
}
