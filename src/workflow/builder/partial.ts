import { InputError } from '../../errors.ts'
import type { Value } from '../values/value.ts'
import { Graph } from './graph.ts'
import type { Inputs, Literal, Port } from './port.ts'
import { literalOf } from './port-values.ts'
import { Workflow } from './workflow.ts'

/** How `partial` keeps the values. */
export interface PartialOptions {
  /**
   * `constants` (default): they become constants of the graph, which every controller runs. `fixed_values`: they stand beside the
   * graph, whose nodes stay as they are; Drover's own, other controllers don't see them, and not for a graph that calls itself with
   * another value for such an input.
   */
  readonly as?: 'constants' | 'fixed_values'
}

/**
 * The workflow with values for some of its inputs: `partial(power, { exponent: 2 })` needs only the base. Throws `InputError` for an
 * input that it doesn't have and for a value of another type.
 */
export function partial<In, Out, const G extends { readonly [K in keyof In]?: Literal<In[K]> }>(
  workflow: Workflow<In, Out>,
  given: G & { readonly [K in Exclude<keyof G, keyof In>]: never },
  { as = 'constants' }: PartialOptions = {},
): Workflow<Omit<In, keyof G>, Out> {
  const values = new Map<string, Value>()
  for (const [name, value] of Object.entries(given)) {
    const type = Object.hasOwn(workflow.inputPorts, name) ? workflow.inputPorts[name] : undefined
    if (type === undefined) {
      throw new InputError('invalid_argument', `partial: the graph has no input "${name}"`, {
        hint: `It has: ${Object.keys(workflow.inputPorts).join(', ') || 'none'}.`,
      })
    }
    values.set(name, literalOf(type, value, `partial: input "${name}"`))
  }
  const rest = Object.fromEntries(Object.entries(workflow.inputPorts).filter(([name]) => !values.has(name)))
  if (as === 'fixed_values') {
    const graph = workflow.toGraphData()
    const fixedInputs = new Map([...graph.fixedInputs, ...values])
    return new Workflow({ ...graph, fixedInputs }, rest, workflow.outputPorts, workflow.localTasks)
  }
  // Taken in node by node, a graph that calls itself still calls the one in which these are inputs.
  const g = new Graph<Omit<In, keyof G>>(rest)
  const outputs = g.embed(workflow, { ...g.inputs, ...given } as unknown as Inputs<NoInfer<In>>)
  return g.output(outputs as unknown as Readonly<Record<string, Port<unknown>>>) as unknown as Workflow<Omit<In, keyof G>, Out>
}
