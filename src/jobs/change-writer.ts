import type { JobChange, Store } from '../store/store.ts'

/** A wait for a change; its owner disposes it. */
export interface ChangeWaiter extends Disposable {
  readonly changed: Promise<void>
}

/** Key of those who wait for any job. */
const ANY = ''

/**
 * Writes of one tick in one transaction: changes queued in the same turn of the event loop go to the store together,
 * and each caller learns whether its own was made. Waiters of `nextChange` are woken once they are on disk.
 */
export class ChangeWriter {
  readonly #store: Store
  readonly #guard: () => void
  readonly #waiters = new Map<string, Set<() => void>>()
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
    if (jobIds.length === 0) return
    for (const name of [ANY, ...new Set(jobIds)]) for (const wake of [...(this.#waiters.get(name) ?? [])]) wake()
  }

  /**
   * Resolves at the next batch that touches one of the jobs (default: any), after `limitMs` at the latest, or when
   * aborted: look again then. A waiter costs nothing while other jobs change; dispose it when it is not awaited.
   */
  nextChange(signal: AbortSignal, jobIds?: readonly string[], limitMs?: number): ChangeWaiter {
    if (signal.aborted) return { changed: Promise.resolve(), [Symbol.dispose]: () => undefined }
    const names = jobIds ?? [ANY]
    const { promise, resolve } = Promise.withResolvers<void>()
    let timer: NodeJS.Timeout | undefined
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      for (const name of names) {
        const waiters = this.#waiters.get(name)
        waiters?.delete(done)
        if (waiters?.size === 0) this.#waiters.delete(name)
      }
      resolve()
    }
    for (const name of names) {
      const waiters = this.#waiters.get(name) ?? new Set()
      waiters.add(done)
      this.#waiters.set(name, waiters)
    }
    signal.addEventListener('abort', done, { once: true })
    if (limitMs !== undefined) timer = setTimeout(done, limitMs)
    return { changed: promise, [Symbol.dispose]: done }
  }

  /** Resolves when all that was queued is on disk. */
  async settle(): Promise<void> {
    await this.#flushing
  }
}
