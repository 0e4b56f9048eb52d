import { setTimeout as sleep } from 'node:timers/promises'
import type { JobRow, Store } from '../store/store.ts'
import { type Cause, isEndState, isSettled } from '../task/states.ts'

/** How long an upstream that has ended, too, may still be read after its dependent, ms: both ends came in one answer. */
const UPSTREAM_MS = 3_000
const LOOK_MS = 100

/**
 * Why a job that its scheduler has cancelled before it began was cancelled: the failure of an upstream, if one has ended
 * otherwise than it must. A scheduler that drops what can never start says no more than that it is cancelled.
 */
export async function unmetUpstream(job: Pick<JobRow, 'id'>, store: Store, signal: AbortSignal): Promise<Cause | undefined> {
  const dependencies = await store.dependencies(job.id)
  if (dependencies.length === 0) return undefined
  for (const deadline = Date.now() + UPSTREAM_MS; ; ) {
    const upstreams = await Promise.all(
      dependencies.map(async ({ upstream, condition }) => ({ condition, row: await store.job(upstream) })),
    )
    for (const { condition, row } of upstreams) {
      if (row === undefined || !isEndState(row.state)) continue
      const met = condition === 'any' || (condition === 'ok' ? row.state === 'succeeded' : row.state === 'failed')
      if (met) continue
      const message = `"${row.name}" (${row.id}) ${row.state}: the condition cannot be met any more`
      return { kind: 'dependency', message }
    }
    if (upstreams.every(({ row }) => row === undefined || isSettled(row.state)) || Date.now() > deadline) return undefined
    await sleep(LOOK_MS, undefined, { signal })
  }
}
