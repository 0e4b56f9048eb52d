import type { ResolvedTask } from './executor.ts'

/** Positions that this attempt runs, 0-based; empty for a job that is no array. */
export function arrayPositions({ array }: Pick<ResolvedTask, 'array'>): readonly number[] {
  if (array === undefined) return []
  return array.positions ?? Array.from({ length: array.size }, (_, position) => position)
}
