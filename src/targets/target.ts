import { createHash } from 'node:crypto'
import type { Limits } from './parse-config.ts'

/**
 * A named place that runs jobs, as the configuration files defined it at one moment. A job keeps the definition it was
 * submitted with, so that neither a changed file nor another project's target of the same name moves it.
 */
export interface Target {
  readonly name: string
  readonly kind: string
  /** Directory of bundles and jobs there; absolute, or below the target's home (`~/.drover`). */
  readonly root: string
  /** Shell text before the task's own (module load, conda activate). */
  readonly prologue?: string
  /** As written; the executor of this kind reads and checks the values. */
  readonly options: Readonly<Record<string, unknown>>
  /** What the configuration allows at most; absent keys: no limit. `cpus`, `memory`, `gpus` are of this machine. */
  readonly limits: Limits
}

/** The same for equal definitions, in whatever order their keys were written; 16 hexadecimal digits. */
export function targetKey(target: Target): string {
  return createHash('sha256').update(JSON.stringify(target, sortedKeys)).digest('hex').slice(0, 16)
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
