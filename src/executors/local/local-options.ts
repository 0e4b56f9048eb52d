import { DroverError } from '../../errors.ts'
import type { Limits } from '../../targets/parse-config.ts'
import { parseSize, SIZE_FORMS } from '../../task/sizes.ts'
import type { SiteFacts } from '../executor.ts'

/** Options of a `local` target: caps on what jobs may take of the machine. */
export interface LocalOptions {
  /** Cores; default: all this process may use. More than there are lets jobs share cores. */
  readonly cpus?: number
  /** Bytes; default: all of the machine. */
  readonly memoryBytes?: number
  /** Device indices, or how many of those that `nvidia-smi` finds; default: all. */
  readonly gpus?: number | readonly number[]
}

/** The options as a configuration file names them. */
export const localOptionNames = ['cpus', 'memory', 'gpus'] as const

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0
const isIndices = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isCount)

/** Bytes of the option `memory`, read as a task's `resources.memory` is: `4` (GB), `4GB`, `512MB`; undefined when it is none. */
function memoryBytesOf(value: unknown): number | undefined {
  const bytes = typeof value === 'number' || typeof value === 'string' ? parseSize(value) : undefined
  return bytes === undefined || bytes <= 0 ? undefined : bytes
}

/** What an option takes, when the value is none; undefined for a value that may be used. */
export function refuseLocalOption(name: string, value: unknown): string | undefined {
  if (name === 'cpus') return typeof value === 'number' && Number.isFinite(value) && value > 0 ? undefined : 'a number above 0'
  if (name === 'memory') return memoryBytesOf(value) === undefined ? `above 0: ${SIZE_FORMS}` : undefined
  if (name === 'gpus') return isCount(value) || isIndices(value) ? undefined : 'a number of GPUs, or a list of device indices'
  return `one of the options ${localOptionNames.join(', ')}`
}

/** Reads the options of a target; throws `invalid_config` naming the option. */
export function parseLocalOptions(options: Readonly<Record<string, unknown>>): LocalOptions {
  for (const [name, value] of Object.entries(options)) {
    const allowed = refuseLocalOption(name, value)
    if (allowed !== undefined)
      throw new DroverError('invalid_config', `option ${name} must be ${allowed}, and is ${JSON.stringify(value)}`, { level: 'config' })
  }
  const { cpus, gpus } = options
  const memoryBytes = memoryBytesOf(options['memory'])
  return {
    ...(typeof cpus === 'number' ? { cpus } : {}),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(isCount(gpus) || isIndices(gpus) ? { gpus } : {}),
  }
}

/** Facts of this machine as jobs may use it: the target's options, and the configuration's limits over them. */
export function capSite(site: SiteFacts, options: LocalOptions, limits: Limits): SiteFacts {
  const { gpus: allowed } = options
  const named =
    allowed === undefined
      ? site.gpus
      : typeof allowed === 'number'
        ? site.gpus.slice(0, allowed)
        : site.gpus.filter((gpu) => allowed.includes(gpu.index))
  const most = Number.POSITIVE_INFINITY
  return {
    ...site,
    cpus: Math.min(options.cpus ?? site.cpus, limits.cpus ?? most),
    memoryBytes: Math.min(options.memoryBytes ?? site.memoryBytes, limits.memory ?? most),
    gpus: named.slice(0, limits.gpus ?? named.length),
  }
}
