/** Waiting items by key, each key with a limit of its own, all under one more: first come, first served within a key, keys in turn. */
export class CallQueue<Item> {
  readonly #limits: ReadonlyMap<string, number>
  readonly #most: number
  readonly #lines = new Map<string, { items: Item[]; head: number; running: number }>()
  #running = 0

  /** @param limits most at one time of each key; @param most over all keys */
  constructor(limits: ReadonlyMap<string, number>, most: number) {
    this.#limits = limits
    this.#most = most
  }

  /** Number of items taken and not given back. */
  get running(): number {
    return this.#running
  }

  /** Number of items that wait. */
  get waiting(): number {
    let waiting = 0
    for (const { items, head } of this.#lines.values()) waiting += items.length - head
    return waiting
  }

  add(key: string, item: Item): void {
    let line = this.#lines.get(key)
    if (line === undefined) {
      line = { items: [], head: 0, running: 0 }
      this.#lines.set(key, line)
    }
    line.items.push(item)
  }

  /** Takes all that may start. */
  take(): readonly { readonly key: string; readonly item: Item }[] {
    const taken: { key: string; item: Item }[] = []
    for (let found = true; found && this.#running < this.#most; ) {
      found = false
      for (const [key, line] of this.#lines) {
        if (this.#running >= this.#most) break
        if (line.head >= line.items.length || line.running >= (this.#limits.get(key) ?? Number.POSITIVE_INFINITY)) continue
        const item = line.items[line.head++]
        if (line.head > 1_024 && line.head * 2 > line.items.length) {
          line.items = line.items.slice(line.head)
          line.head = 0
        }
        line.running++
        this.#running++
        found = true
        if (item !== undefined) taken.push({ key, item })
      }
    }
    return taken
  }

  /** One item of the key has ended. */
  giveBack(key: string): void {
    const line = this.#lines.get(key)
    if (line === undefined) return
    line.running--
    this.#running--
  }

  /** Takes out all that wait, but for those to be kept. */
  clear(keep: (item: Item) => boolean): readonly Item[] {
    const taken: Item[] = []
    for (const line of this.#lines.values()) {
      const waiting = line.items.slice(line.head)
      line.items = waiting.filter(keep)
      line.head = 0
      taken.push(...waiting.filter((item) => !keep(item)))
    }
    return taken
  }
}
