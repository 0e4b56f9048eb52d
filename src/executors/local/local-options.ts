import { DroverError } from '../../errors.ts'
import type { SiteFacts } from '../executor.ts'

/** Options of a `local` target: caps on what jobs may take of the machine. */
export interface LocalOptions {
  /** Cores; default: all this process may use. */
  readonly cpus?: number
  /** Bytes; default: all of the machine. */
  readonly memoryBytes?: number
  /** Device indices; default: all found by `nvidia-smi`. */
  readonly gpus?: readonly number[]
}

/** The options as a configuration file names them. */
export const localOptionNames = ['cpus', 'memory', 'gpus'] as const

/** Reads the option table of a configured target; throws `invalid_config` naming the option. */
export function parseLocalOptions(options: Readonly<Record<string, unknown>>): LocalOptions {
  const { cpus, memory, gpus } = options
  const bad = (key: string, value: unknown, allowed: string): DroverError =>
    new DroverError('invalid_config', `option ${key}: ${JSON.stringify(value)} is not ${allowed}`, { level: 'config' })
  if (cpus !== undefined && !(typeof cpus === 'number' && cpus > 0)) throw bad('cpus', cpus, 'a number above 0')
  if (memory !== undefined && !(typeof memory === 'number' && memory > 0)) throw bad('memory', memory, 'a number of GB above 0')
  if (gpus !== undefined && !(Array.isArray(gpus) && gpus.every((index) => Number.isInteger(index))))
    throw bad('gpus', gpus, 'a list of device indices')
  return {
    ...(typeof cpus === 'number' ? { cpus } : {}),
    ...(typeof memory === 'number' ? { memoryBytes: memory * 1e9 } : {}),
    ...(Array.isArray(gpus) ? { gpus: gpus.filter((index): index is number => typeof index === 'number') } : {}),
  }
}

/** Facts of this machine with the target's caps applied. */
export function capSite(site: SiteFacts, options: LocalOptions): SiteFacts {
  const allowed = options.gpus
  return {
    ...site,
    cpus: options.cpus ?? site.cpus,
    memoryBytes: options.memoryBytes ?? site.memoryBytes,
    gpus: allowed === undefined ? site.gpus : site.gpus.filter((gpu) => allowed.includes(gpu.index)),
  }
}
