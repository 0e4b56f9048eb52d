import type { Store } from '../store/store.ts'
import type { AttemptPlan } from './attempt-plan.ts'

/** Positions whose cancel is on record for an attempt. */
export async function cancelledElements(store: Store, jobId: string, attempt: number): Promise<ReadonlySet<number>> {
  const events = await store.events({ jobId, after: 0, limit: 10_000 })
  const asked = events.filter((event) => event.type === 'cancel_requested' && event.attempt === attempt)
  return new Set(
    asked.flatMap(({ data }) => (Array.isArray(data.elements) ? data.elements.filter((position) => typeof position === 'number') : [])),
  )
}

/** Of a native array: tasks with one of `positions`, all of whose elements are cancelled. */
export function wholeTasks(
  { elements, places }: Pick<AttemptPlan, 'elements' | 'places'>,
  positions: readonly number[],
  cancelled: ReadonlySet<number>,
): readonly number[] {
  const tasks = places[0]?.tasks
  if (tasks === undefined) return []
  const { chunk } = tasks
  const taskOf = new Map(elements.map((position, index) => [position, Math.floor(index / chunk)]))
  const touched = new Set(positions.flatMap((position) => taskOf.get(position) ?? []))
  return [...touched].filter((task) => elements.slice(task * chunk, (task + 1) * chunk).every((position) => cancelled.has(position)))
}
