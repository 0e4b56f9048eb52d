import { toErrorJson } from '../errors.ts'
import type { Logger } from '../executors/executor.ts'

/** Promises and timers started by one owner, which ends them: nothing it began outlives `stop`. */
export class OwnedWork {
  readonly #signal: AbortSignal
  readonly #log: Logger
  readonly #label: string
  readonly #promises = new Set<Promise<void>>()
  readonly #timers = new Set<NodeJS.Timeout>()

  /** `label` begins the warning about a promise that was rejected; after an abort nobody is warned. */
  constructor(options: { readonly signal: AbortSignal; readonly log: Logger; readonly label: string }) {
    this.#signal = options.signal
    this.#log = options.log
    this.#label = options.label
  }

  /** Promises under way. */
  get size(): number {
    return this.#promises.size
  }

  own(promise: Promise<unknown>): void {
    const tracked: Promise<void> = promise
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!this.#signal.aborted) this.#log.warn(`${this.#label}${toErrorJson(error).message}`)
      })
      .finally(() => this.#promises.delete(tracked))
    this.#promises.add(tracked)
  }

  /** Acts once, `delayMs` from now; not after an abort. */
  after(delayMs: number, act: () => Promise<unknown>): void {
    if (this.#signal.aborted) return
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.own(act())
      },
      Math.min(delayMs, 2 ** 31 - 1),
    )
    this.#timers.add(timer)
  }

  /** Resolves when nothing is under way any more; timers not yet due are dropped. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    await Promise.allSettled(this.#promises)
  }
}
