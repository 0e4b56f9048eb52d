import type { OptionRefusal } from '../../targets/parse-config.ts'
import { parseSize } from '../../task/sizes.ts'

/** One component of a heterogeneous job: what differs from the task's own words. */
export interface HetComponent {
  readonly nodes: number
  /** Per node; absent: as the task says. */
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly gpus?: number
  /** As the task names types; absent: any. */
  readonly gpuType?: string
  /** Directives of this component alone, over those of the job: partition, constraint, … */
  readonly plain: Readonly<Record<string, string>>
}

/** Options of a job that a component may have for itself. */
const OWN = ['partition', 'constraint', 'gres', 'nodelist', 'exclude', 'licenses', 'reservation'] as const

const MUST =
  'a list of at least two components {nodes, cpus, memory, accelerators, partition, constraint, …}: [{nodes: 1}, {nodes: 2, accelerators: H100:8}]'

const isCount = (value: unknown, least: number): boolean => typeof value === 'number' && Number.isInteger(value) && value >= least
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && !/[\0\n\r]/.test(value)
const GPUS = /^(?:([A-Za-z0-9][A-Za-z0-9_.+-]*):)?(\d+)$/

function refuseComponent(value: unknown): OptionRefusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { path: [], must: 'a mapping: {nodes: 2, cpus: 8}' }
  const { nodes, cpus, memory, accelerators, ...own } = value as Readonly<Record<string, unknown>>
  if (!isCount(nodes, 1)) return { path: ['nodes'], must: 'a number of nodes, at least 1' }
  if (cpus !== undefined && !isCount(cpus, 1)) return { path: ['cpus'], must: 'a number of cores per node' }
  if (memory !== undefined && parseSize(String(memory)) === undefined) return { path: ['memory'], must: 'a size per node: 16GB' }
  if (accelerators !== undefined && !isCount(accelerators, 0) && !GPUS.test(String(accelerators)))
    return { path: ['accelerators'], must: 'GPUs per node: H100:8, or a number' }
  const odd = Object.entries(own).find(([name, each]) => !OWN.some((known) => known === name) || !isText(each))
  return odd && { path: [odd[0]], must: `one of nodes, cpus, memory, accelerators, ${OWN.join(', ')}` }
}

/** What is wrong with the option `het`; undefined for a value that may be used. */
export function refuseHet(value: unknown): OptionRefusal | undefined {
  if (!Array.isArray(value) || value.length < 2) return { path: [], must: MUST }
  for (const [index, component] of value.entries()) {
    const refused = refuseComponent(component)
    if (refused !== undefined) return { path: [index, ...refused.path], must: refused.must }
  }
  return undefined
}

/** Reads the option `het`, which `refuseHet` lets pass; undefined: the job is of one kind of node. */
export function parseHet(value: unknown): readonly HetComponent[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.map((each) => {
    const { nodes, cpus, memory, accelerators, ...plain } = each as Readonly<Record<string, number | string>>
    const memoryBytes = memory === undefined ? undefined : parseSize(String(memory))
    const [, gpuType, gpus] = accelerators === undefined ? [] : (GPUS.exec(String(accelerators)) ?? [])
    return {
      nodes: Number(nodes),
      ...(cpus === undefined ? {} : { cpus: Number(cpus) }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(gpus === undefined ? {} : { gpus: Number(gpus) }),
      ...(gpuType === undefined ? {} : { gpuType }),
      plain: Object.fromEntries(Object.entries(plain).map(([name, own]) => [name, String(own)])),
    }
  })
}
