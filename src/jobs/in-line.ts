import type { JobRow } from '../store/store.ts'

/** True for a job that stands in Drover's own line: nothing of it is at the target. A scheduler's queue is another matter. */
export function isInLine({ state, nativeId }: Pick<JobRow, 'state' | 'nativeId'>): boolean {
  return (state === 'created' || state === 'queued') && nativeId === undefined
}
