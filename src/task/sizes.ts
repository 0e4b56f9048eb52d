const POWER: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 }
const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])i?b?)?$/i
const GB = 1024 ** 3

/** What a size may look like; for messages and help. */
export const SIZE_FORMS = 'a number of GB, or 512MB, 64GB, 4GiB, 1TB'

/** A size as the TypeScript builder accepts it: GB as a number, or with a unit. */
export type Size = number | `${number}${'' | 'K' | 'M' | 'G' | 'T' | 'P'}${'' | 'B' | 'iB'}`

/**
 * Reads a size in bytes; `undefined` when it is none. A bare number is GB. All units are powers of 1024, also `GB`:
 * so counts SkyPilot (MEMORY_SIZE_UNITS in sky/skylet/constants.py), and so do Slurm's `--mem` and `free -h`.
 */
export function parseSize(value: string | number): number | undefined {
  const match = SIZE.exec(typeof value === 'number' ? String(value) : value.trim())
  if (!match) return undefined
  const unit = match[2]?.toLowerCase()
  const bytes = Math.round(Number(match[1]) * (unit === undefined ? GB : 1024 ** (POWER[unit] ?? 0)))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
