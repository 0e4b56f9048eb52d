import { until } from '../../src/testing/index.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { processesOf } from '../conformance/local-home.ts'
import { RunHome } from './run-fixture.ts'

/** A task of a whole number `x` that gives another, `value`. */
export const intTask = (name: string) => task(name, { x: int }, { value: int })

/** A workflow of one call of such a task, and its value. */
export function callOf(name: string) {
  const g = graph({})
  return g.output({ value: g.call(intTask(name), { x: 1 }) })
}

/** The script of a task that adds 1. */
const INC = 'printf %s $(($input_x_value + 1)) >"$output_value_file"'

/** A home whose worker `w` has these tasks, by their scripts, and `inc`, which adds 1. */
export function homeWith(tasks: Readonly<Record<string, string>>): RunHome {
  const home = new RunHome()
  home.worker('w', { inc: INC, ...tasks })
  return home
}

/** Resolves once no process of the home's runs lives; fails after 10 s. */
export async function nothingLives(home: RunHome): Promise<void> {
  await until('nothing of it to live', 10_000, () => processesOf(home.base).length === 0)
}
