import type { DriverAllocation } from '../../driver/driver-options.ts'
import { compileHeldAgent } from '../../driver/held-agent-script.ts'
import { heldPaths } from '../../driver/held-paths.ts'
import { InputError } from '../../errors.ts'
import type { PlannedFile, ResolvedTask, SiteFacts } from '../executor.ts'
import type { Scheduler } from './scheduler.ts'

/** A task that holds its nodes runs Drover's agent, once, on the head node; any other is left as it is. */
export function withAgent<Options>({ title, held }: Scheduler<Options>, task: ResolvedTask, { root }: SiteFacts): ResolvedTask {
  const { holder } = task.spec
  if (holder === undefined) return task
  if (held === undefined) throw new InputError('unsupported', `cluster ${task.name}: nodes of ${title} cannot be held by Drover`)
  const idle = holder.idleMs === undefined ? {} : { idleSeconds: holder.idleMs / 1000 }
  return { ...task, numNodes: 1, run: { kind: 'script', text: compileHeldAgent({ ...idle, facts: held.facts(root) }) } }
}

/** The options of a holder: some hold whatever the configuration says. */
export function holderOptions<Options>(
  { held }: Scheduler<Options>,
  written: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries({ ...written, ...held?.options }).filter(([, value]) => value !== undefined))
}

/** The driver of an agent looks after the head node alone. */
export function headOf(allocation: DriverAllocation): DriverAllocation {
  return { ...allocation, nodes: 1, nodeList: `{\n${allocation.nodeList}\n} | head -n 1` }
}

/** What the agent and Drover tell each other by. */
export const heldJobFiles: readonly PlannedFile[] = [heldPaths.commands, heldPaths.events, heldPaths.nodes].map((path) => ({
  path,
  mode: 0o600,
  content: '',
}))
