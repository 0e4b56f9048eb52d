import { EventEmitter } from 'node:events'
import type { JobChange, Store } from '../store/store.ts'

/**
 * Writes of one tick in one transaction: changes queued in the same turn of the event loop go to the store together,
 * and each caller learns whether its own was made. `changed` is emitted with the job ids once they are on disk.
 */
export class ChangeWriter {
  readonly #store: Store
  readonly #guard: () => void
  readonly #events = new EventEmitter<{ changed: [ReadonlySet<string>] }>().setMaxListeners(0)
  #waiting: { change: JobChange; resolve: (made: boolean) => void; reject: (error: unknown) => void }[] = []
  #flushing: Promise<void> | undefined

  /** `guard` throws when this process may no longer write (another generation holds the lease). */
  constructor(store: Store, guard: () => void) {
    this.#store = store
    this.#guard = guard
  }

  /** Resolves to true when the change was made, false when the job was no longer in its `from` state or attempt. */
  apply(change: JobChange): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject })
      this.#flushing ??= Promise.resolve().then(() => this.#flush())
    })
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        this.#guard()
        const made = await this.#store.apply(batch.map((item) => item.change))
        for (const [index, item] of batch.entries()) item.resolve(made[index] ?? false)
        this.announce(batch.filter((_, index) => made[index]).map((item) => item.change.jobId))
      } catch (error) {
        for (const item of batch) item.reject(error)
      }
    }
    this.#flushing = undefined
  }

  /** Tells listeners that these jobs have changed on disk. */
  announce(jobIds: readonly string[]): void {
    if (jobIds.length > 0) this.#events.emit('changed', new Set(jobIds))
  }

  /** Calls back after each batch that touched any job; returns the way to stop. */
  onChange(listener: (jobIds: ReadonlySet<string>) => void): () => void {
    this.#events.on('changed', listener)
    return () => this.#events.off('changed', listener)
  }

  /** Resolves at the next batch, or rejects when aborted. */
  async nextChange(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = this.onChange(() => resolve())
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      stop()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Resolves when all that was queued is on disk. */
  async settle(): Promise<void> {
    await this.#flushing
  }
}
