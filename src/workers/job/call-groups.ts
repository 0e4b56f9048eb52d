import type { WorkerCall } from '../../workflow/calls/worker-call.ts'

/** Pause after the last call of a map after which its array is made, ms, and the longest that its first call waits. */
const QUIET_MS = 25
const LONGEST_MS = 250

/**
 * Which calls may become one array: elements of the same map, whose locations differ only in the elements' labels. Undefined: the
 * call is no element of a map.
 */
export function groupOf({ root, runId, loc, worker, task, timeoutMs }: WorkerCall): string | undefined {
  const path = loc.replace(/\.M[^.]*/g, '.M*')
  return path === loc ? undefined : JSON.stringify([root, runId, path, worker, task, timeoutMs ?? null])
}

interface Group<Item> {
  readonly items: Item[]
  readonly since: number
  timer: NodeJS.Timeout
}

/** Gathers what arrives together by its group; each group is handed on once it is quiet, full, or has waited long enough. */
export class CallGroups<Item> {
  readonly #groups = new Map<string, Group<Item>>()
  readonly #most: number
  readonly #quietMs: number
  readonly #handOn: (items: readonly Item[]) => void

  /** `quietMs` undefined: 25. */
  constructor(most: number, quietMs: number | undefined, handOn: (items: readonly Item[]) => void) {
    this.#most = most
    this.#quietMs = quietMs ?? QUIET_MS
    this.#handOn = handOn
  }

  add(key: string, item: Item): void {
    const now = performance.now()
    const known = this.#groups.get(key)
    const group = known ?? { items: [], since: now, timer: setTimeout(() => this.#end(key), this.#quietMs) }
    if (known === undefined) this.#groups.set(key, group)
    group.items.push(item)
    if (group.items.length >= this.#most) this.#end(key)
    else if (known !== undefined) {
      clearTimeout(group.timer)
      const left = Math.max(LONGEST_MS, this.#quietMs) - (now - group.since)
      group.timer = setTimeout(() => this.#end(key), Math.max(0, Math.min(this.#quietMs, left)))
    }
  }

  /** Gives back what was not handed on yet. */
  close(): readonly Item[] {
    const items = [...this.#groups.values()].flatMap((group) => {
      clearTimeout(group.timer)
      return group.items
    })
    this.#groups.clear()
    return items
  }

  #end(key: string): void {
    const group = this.#groups.get(key)
    if (group === undefined) return
    clearTimeout(group.timer)
    this.#groups.delete(key)
    this.#handOn(group.items)
  }
}
