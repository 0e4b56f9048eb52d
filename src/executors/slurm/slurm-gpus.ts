import { InputError } from '../../errors.ts'
import { matchesGpu } from '../../targets/gpu-match.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import type { ResolvedTask } from '../executor.ts'

/** GPUs per node as Slurm asks for them. */
export interface GpuRequest {
  /** `gpu:h100:4`; without type `gpu:4`. */
  readonly words: string
  /** Why the type could not be asked for. */
  readonly warning?: string
}

/** Types of a partition's GPUs in its generic resources: `gpu:h100:4(S:0-1),gpu:2` → `h100`, undefined. */
function typesOf({ gres = '' }: SchedulerFacts['partitions'][number]): readonly (string | undefined)[] {
  return [...gres.matchAll(/(?:^|,)gpu(?::([^:,()]+))?:\d+(?=[,(]|$)/g)].map(([, type]) => type)
}

/**
 * `H100:4` → `gpu:h100:4`, the type spelled as the site spells it. `partition`: only its types count; undefined: any.
 * Throws InputError `unsupported` where the site has none of that type, or no GPUs at all.
 */
export function gpuRequest(
  { name, target, perNode }: Pick<ResolvedTask, 'name' | 'target' | 'perNode'>,
  facts: SchedulerFacts,
  partition: string | undefined,
): GpuRequest {
  const { gpus, gpuType } = perNode
  const named = partition?.split(',')
  const inNamed = facts.partitions.filter((each) => named?.includes(each.name) ?? true)
  const known = (inNamed.length > 0 ? inNamed : facts.partitions).flatMap(typesOf)
  const types = [...new Set(known.filter((type) => type !== undefined))]
  const where = `target "${target}"${partition === undefined ? '' : ` (partition ${partition})`}`
  if (known.length === 0)
    throw new InputError('unsupported', `task ${name}: ${where} has no GPUs`, {
      hint: 'Choose another target with --on, or a partition with GPUs: sinfo -o "%P %G" shows them.',
    })
  if (gpuType === undefined || gpuType === '*') return { words: `gpu:${gpus}` }
  const exact = types.find((type) => type.toLowerCase() === gpuType.toLowerCase())
  const same = exact ?? types.find((type) => matchesGpu({ index: 0, name: type, memoryBytes: 0 }, { gpuType }))
  if (same !== undefined) return { words: `gpu:${same}:${gpus}` }
  if (types.length > 0 && !known.includes(undefined))
    throw new InputError('unsupported', `task ${name}: ${where} has no GPU of type ${gpuType}`, { hint: `Its GPUs: ${types.join(', ')}.` })
  return { words: `gpu:${gpus}`, warning: `GPUs of ${where} have no types: that they are ${gpuType} cannot be asked for` }
}
