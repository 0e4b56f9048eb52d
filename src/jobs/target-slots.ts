import type { Capabilities } from '../executors/capabilities.ts'
import type { ResolvedTask, SiteFacts } from '../executors/executor.ts'
import { Capacity, type Slots } from './capacity.ts'
import type { Demand } from './job-queue.ts'
import { LabCapacity } from './lab-capacity.ts'
import { SchedulerSlots } from './scheduler-slots.ts'

/** What a job asks of the slots: per element, or per node where there are several machines. */
export function demandOf({ array, numNodes, perNode }: ResolvedTask, site: SiteFacts): Demand {
  const { cpus, memoryBytes = 0, gpus, gpuType, gpuMemoryBytes } = perNode
  const nodes = array ? 1 : numNodes
  if (site.nodes !== undefined) {
    const wish = { ...(gpuType === undefined ? {} : { gpuType }), ...(gpuMemoryBytes === undefined ? {} : { gpuMemoryBytes }) }
    return { cpus, memoryBytes, gpus, nodes, ...(gpus > 0 ? wish : {}) }
  }
  return {
    // Several node runners of one task develop a distributed task here: together they take at most the machine.
    cpus: Math.min(cpus * nodes, site.cpus),
    memoryBytes: Math.min(memoryBytes * nodes, site.memoryBytes),
    gpus: Math.min(gpus * nodes, site.gpus.length),
  }
}

/** The slots of a target: one machine's, several machines', or a line before a scheduler that has its own. */
export function slotsOf({ capacity }: Capabilities, site: SiteFacts): Slots {
  if (capacity === 'scheduler') return new SchedulerSlots()
  const machine = (facts: Pick<SiteFacts, 'cpus' | 'memoryBytes' | 'gpus'>) => ({
    cpus: facts.cpus,
    memoryBytes: facts.memoryBytes,
    gpus: facts.gpus,
  })
  if (site.nodes === undefined) return new Capacity({ ...machine(site), gpus: site.gpus.map((gpu) => gpu.index) })
  return new LabCapacity(site.nodes.map((facts) => ({ node: facts.node, ...machine(facts) })))
}
