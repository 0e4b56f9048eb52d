import { DRAWN_STATES, type DrawnState, type StateCounts } from './outline.ts'

/** The turn of a loop, the element of a map. */
const REPEATED = /\.([LM])[^.]*/g

/** States by location, all turns of a loop and all elements of a map taken together under `L*` and `M*`. */
export function countStates(states: ReadonlyMap<string, DrawnState>): ReadonlyMap<string, StateCounts> {
  const found = new Map<string, Map<DrawnState, number>>()
  for (const [loc, state] of states) {
    const place = loc.replace(REPEATED, '.$1*')
    let counts = found.get(place)
    if (counts === undefined) {
      counts = new Map()
      found.set(place, counts)
    }
    counts.set(state, (counts.get(state) ?? 0) + 1)
  }
  return found
}

/** The order in which states matter to who looks. */
const WEIGHT: Record<DrawnState, number> = { failed: 5, cancelled: 4, running: 3, waiting: 2, succeeded: 1, skipped: 0 }

/** The one state that a node is drawn in: a failure before all else, success only where nothing is open. Undefined: no state. */
export function shownState(counts: StateCounts | undefined): DrawnState | undefined {
  return counts && [...counts.keys()].sort((a, b) => WEIGHT[b] - WEIGHT[a])[0]
}

/** `succeeded`; for a node that runs often `2 failed, 5 succeeded`. */
export function stateText(counts: StateCounts): string {
  const present = [...DRAWN_STATES]
    .sort((a, b) => WEIGHT[b] - WEIGHT[a])
    .flatMap((state) => {
      const n = counts.get(state)
      return n === undefined ? [] : [{ state, n }]
    })
  const [only] = present
  if (present.length === 1 && only?.n === 1) return only.state
  return present.map(({ state, n }) => `${n} ${state}`).join(', ')
}
