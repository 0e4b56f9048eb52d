// drover workflow run examples/workflow.ts -i numbers=[6,7,27]: how many steps does each number take down to 1?
import { builtins, graph, int, list } from 'drover'

/** One step: n/2 of an even n, else 3n + 1. */
const step = graph({ n: int, steps: int })
const { n } = step.inputs
const isEven = step.call(builtins.eq, { a: step.call(builtins.mod, { a: n, b: 2 }), b: 0n })
const half = step.call(builtins.idivide, { a: n, b: 2 })
const more = step.call(builtins.iadd, { a: step.call(builtins.itimes, { a: n, b: 3 }), b: 1 })
const next = step.ifElse(isEven, half, more)
const stepBody = step.output({
  n: next,
  steps: step.call(builtins.iadd, { a: step.inputs.steps, b: 1 }),
  should_continue: step.call(builtins.igt, { a: next, b: 1 }),
})

/** Steps of one number. */
const count = graph({ n: int })
const countBody = count.output({ steps: count.loop(stepBody, { n: count.inputs.n, steps: 0 }, { name: 'down' }).steps })

/** Steps of each number, and the most of them. */
const all = graph({ numbers: list(int) })
const { steps } = all.map(countBody, { n: all.inputs.numbers })
export const collatz = all.output({ steps, most: all.call(builtins.max_item, { values: steps }) })

// node examples/workflow.ts > collatz.json: the graph as Tierkreis reads it.
if (import.meta.main) console.log(collatz.toText())
