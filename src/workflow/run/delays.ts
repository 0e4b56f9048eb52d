/** The longest a timer can wait, ms. */
const MOST_MS = 2 ** 31 - 1

/** What a run waits for by the clock alone: builtins that take their time, and tries after a while. */
export class Delays {
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #wake: () => void
  #waiting = 0

  /** @param wake called after each act */
  constructor(wake: () => void) {
    this.#wake = wake
  }

  /** Acts that are still to come. */
  get waiting(): number {
    return this.#waiting
  }

  /** Calls `act` after so many ms, however many. */
  after(ms: number, act: () => void): void {
    this.#waiting++
    this.#wait(ms, () => {
      this.#waiting--
      act()
      this.#wake()
    })
  }

  /** Nothing is acted any more. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #wait(ms: number, act: () => void): void {
    // Longer waits than a timer can hold are waited in parts.
    const part = Math.min(ms, MOST_MS)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (part < ms) this.#wait(ms - part, act)
      else act()
    }, part)
    this.#timers.add(timer)
  }
}
