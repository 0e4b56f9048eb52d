import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../../errors.ts'
import type { Drover } from '../../jobs/drover.ts'
import { Turns } from './turns.ts'

/** Requests to the supervisor at one time. */
const REQUESTS = 16
/** Pauses between two tries, ms. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/**
 * The requests of one executor to its supervisor. They take turns, so that a thousand ends at one moment are not a thousand
 * connections.
 */
export class SupervisorRequests {
  readonly #turns = new Turns(REQUESTS)
  readonly #drover: Drover
  readonly #patienceMs: number
  readonly #signal: AbortSignal

  /** `patienceMs`: how long a supervisor or node that can't be reached is tried again. */
  constructor(drover: Drover, patienceMs: number, signal: AbortSignal) {
    this.#drover = drover
    this.#patienceMs = patienceMs
    this.#signal = signal
  }

  /** Short requests in their turn, once each. Streams take none. */
  get inTurn(): Pick<Drover, 'get' | 'cancel' | 'events' | 'elements'> {
    const [drover, turns] = [this.#drover, this.#turns]
    return {
      get: (selector) => turns.take(() => drover.get(selector)),
      cancel: (selector, options) => turns.take(() => drover.cancel(selector, options)),
      events: (query) => drover.events(query),
      elements: (selector, query) => drover.elements(selector, query),
    }
  }

  /**
   * Tries again, in growing intervals, what failed for now. Throws what fails for good or for longer than the patience, and once the
   * signal is aborted.
   */
  async patiently<T>(work: (drover: Drover) => Promise<T>): Promise<T> {
    const until = performance.now() + this.#patienceMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#turns.take(() => work(this.#drover))
      } catch (error) {
        this.#signal.throwIfAborted()
        if (!(error instanceof DroverError && error.transient) || performance.now() > until) throw error
      }
      await sleep(pauseMs, undefined, { signal: this.#signal })
    }
  }
}
