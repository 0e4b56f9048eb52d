import type { OptionRefusal } from '../../targets/parse-config.ts'
import { loginOptionNames, refuseLoginOption } from './login-node.ts'

/** Options of every batch kind that a task may set as well: how elements of an array are packed. */
export const batchTaskOptionNames = ['pack', 'pack_slots'] as const

/** Options that every batch kind has: those, and how its login node is reached. */
export const batchOptionNames: readonly string[] = [...loginOptionNames, ...batchTaskOptionNames]

/** What such an option takes, when this value is none; undefined for a value that may be used. */
export function refuseBatchOption(name: string, value: unknown): string | OptionRefusal | undefined {
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 1
  if (name === 'pack') return isCount || value === 'all' ? undefined : 'a number of elements that one task of the scheduler runs, or all'
  if (name === 'pack_slots') return isCount ? undefined : 'a number of packed elements that run at one time'
  return refuseLoginOption(name, value)
}
