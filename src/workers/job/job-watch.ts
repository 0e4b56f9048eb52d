import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../../errors.ts'
import type { Drover, Job, JobElement } from '../../jobs/drover.ts'
import { isSettled, type State } from '../../task/states.ts'

/** Pauses between two tries to reach a supervisor, ms. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** What is known of a call's job at its end; `job` undefined: it was removed, and nobody knows. */
export interface JobEnding {
  readonly job: Job | undefined
  /** Of an array. Undefined beside a job that is an array: it ended without this element being told. */
  readonly element?: JobElement
}

export interface JobWatchOptions {
  readonly drover: Pick<Drover, 'events' | 'elements' | 'get'>
  /** How long a supervisor that can't be reached is tried again, ms. */
  readonly patienceMs: number
}

interface EventStream {
  readonly abort: AbortController
  /** Resolves when it is known from which event on it reads. */
  readonly placed: PromiseWithResolvers<void>
}

/**
 * Tells how jobs end: one stream of events for all single jobs, one stream of elements for each array; nothing is asked again and
 * again. A stream that breaks is taken up where it was; a supervisor that stays away for longer than the patience rejects the waits.
 */
export class JobWatch {
  readonly #drover: JobWatchOptions['drover']
  readonly #patienceMs: number
  readonly #closing = new AbortController()
  readonly #single = new Map<string, PromiseWithResolvers<void>>()
  readonly #arrays = new Map<string, ArrayWatch>()
  #stream: EventStream | undefined

  constructor({ drover, patienceMs }: JobWatchOptions) {
    this.#drover = drover
    this.#patienceMs = patienceMs
  }

  /** Resolves when the job is settled. Rejects with the supervisor's error where it can't be reached, or with `aborted` after `close`. */
  async ended(jobId: string): Promise<JobEnding> {
    const known = this.#single.get(jobId)
    const waiting = known ?? Promise.withResolvers<void>()
    if (known === undefined) {
      // Whoever asks awaits it below; the job may be settled at the first look.
      waiting.promise.catch(() => undefined)
      this.#single.set(jobId, waiting)
    }
    try {
      const before = await this.#current(jobId)
      if (before === undefined || isSettled(before.state)) return { job: before }
      await this.#follow(jobId)
      // The stream may have begun with a younger job, after this one's end; that end shows here.
      const job = await this.#current(jobId)
      if (job === undefined || isSettled(job.state)) return { job }
      await waiting.promise
      return { job: await this.#current(jobId) }
    } finally {
      this.#single.delete(jobId)
      if (this.#single.size === 0) this.#endStream()
    }
  }

  /** Resolves when the element has ended for good. Rejects as `ended`. */
  elementEnded(jobId: string, position: number): Promise<JobEnding> {
    let watch = this.#arrays.get(jobId)
    if (watch === undefined) {
      watch = new ArrayWatch()
      this.#arrays.set(jobId, watch)
      const own = watch
      void this.#followArray(jobId, own).finally(() => this.#arrays.delete(jobId))
    }
    return watch.wait(position)
  }

  /** Rejects all waits; jobs are left as they are. */
  close(): void {
    const error = new DroverError('aborted', 'the executor of jobs was closed; its jobs run on', { level: 'internal', transient: true })
    this.#closing.abort(error)
    this.#endStream()
    for (const waiting of this.#single.values()) waiting.reject(error)
    for (const watch of this.#arrays.values()) watch.fail(error)
  }

  async #current(jobId: string): Promise<Job | undefined> {
    return await this.#patiently(async () => {
      try {
        return await this.#drover.get(jobId)
      } catch (error) {
        if (error instanceof DroverError && error.code === 'unknown_job') return undefined
        throw error
      }
    })
  }

  #endStream(): void {
    this.#stream?.abort.abort()
    this.#stream = undefined
  }

  /** Begins the one stream of events where there is none; resolves when it has its place. */
  #follow(jobId: string): Promise<void> {
    if (this.#stream !== undefined) return this.#stream.placed.promise
    const stream: EventStream = { abort: new AbortController(), placed: Promise.withResolvers() }
    stream.placed.promise.catch(() => undefined)
    this.#stream = stream
    const signal = AbortSignal.any([stream.abort.signal, this.#closing.signal])
    this.#run(jobId, stream, signal).catch((error: unknown) => {
      stream.placed.reject(error)
      if (this.#stream === stream) this.#stream = undefined
      if (!stream.abort.signal.aborted) for (const waiting of this.#single.values()) waiting.reject(error)
    })
    return stream.placed.promise
  }

  /** Reads events from the first one of that job on. */
  async #run(jobId: string, { placed }: EventStream, signal: AbortSignal): Promise<void> {
    let after: number | undefined
    await this.#patiently(async (progress) => {
      after ??= await this.#firstEvent(jobId, signal)
      placed.resolve()
      for await (const event of this.#drover.events({ after, signal })) {
        after = event.seq
        progress()
        const to = event.type === 'state' ? event.data['to'] : undefined
        if (typeof to === 'string' && isSettled(to as State)) this.#single.get(event.job)?.resolve()
      }
      if (!signal.aborted) throw ended()
    }, signal)
  }

  /** Cursor before the first event of a job; 0, before all events, where it was removed. */
  async #firstEvent(jobId: string, signal: AbortSignal): Promise<number> {
    const first = new AbortController()
    try {
      for await (const event of this.#drover.events({ jobs: [jobId], after: 0, signal: AbortSignal.any([signal, first.signal]) })) {
        first.abort()
        return event.seq - 1
      }
    } catch (error) {
      if (!(error instanceof DroverError && error.code === 'unknown_job')) throw error
    }
    return 0
  }

  async #followArray(jobId: string, watch: ArrayWatch): Promise<void> {
    const { signal } = this.#closing
    try {
      await this.#patiently(async (progress) => {
        try {
          for await (const element of this.#drover.elements(jobId, { signal })) {
            progress()
            // Asked once there is an end to tell, for the words of its cause.
            watch.tell(element, () => this.#current(jobId))
          }
        } catch (error) {
          if (error instanceof DroverError && error.code === 'unknown_job') return
          throw error
        }
        if (signal.aborted) return
        // A stream that ended while the job goes on was broken off.
        const job = await this.#current(jobId)
        if (job !== undefined && !isSettled(job.state)) throw ended()
      }, signal)
      watch.finish(await this.#current(jobId))
    } catch (error) {
      watch.fail(signal.aborted ? signal.reason : error)
    }
  }

  /** Tries again, in growing intervals, while the supervisor can't be reached; `progress` begins the patience anew. */
  async #patiently<T>(work: (progress: () => void) => Promise<T>, signal = this.#closing.signal): Promise<T> {
    let pauseMs = FIRST_PAUSE_MS
    let since: number | undefined
    const progress = (): void => {
      pauseMs = FIRST_PAUSE_MS
      since = undefined
    }
    for (;;) {
      try {
        return await work(progress)
      } catch (error) {
        signal.throwIfAborted()
        since ??= performance.now()
        if (!(error instanceof DroverError && error.transient) || performance.now() - since > this.#patienceMs) throw error
      }
      await sleep(pauseMs, undefined, { signal })
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    }
  }
}

function ended(): DroverError {
  return new DroverError('supervisor_unreachable', 'the supervisor ended the stream of events', { level: 'transport', transient: true })
}

/** Waits for the elements of one array. */
class ArrayWatch {
  readonly #waits = new Map<number, PromiseWithResolvers<JobEnding>>()
  readonly #told = new Map<number, JobElement>()
  #job: (() => Promise<Job | undefined>) | undefined

  wait(position: number): Promise<JobEnding> {
    const element = this.#told.get(position)
    const waiting = this.#waits.get(position) ?? Promise.withResolvers<JobEnding>()
    this.#waits.set(position, waiting)
    if (element !== undefined) this.#end(position, element)
    return waiting.promise
  }

  tell(element: JobElement, job: () => Promise<Job | undefined>): void {
    if (this.#told.has(element.position)) return
    this.#told.set(element.position, element)
    this.#job = job
    this.#end(element.position, element)
  }

  /** The job is settled: what was not told will not be. */
  finish(job: Job | undefined): void {
    for (const waiting of this.#waits.values()) waiting.resolve({ job })
  }

  fail(error: unknown): void {
    for (const waiting of this.#waits.values()) waiting.reject(error)
  }

  #end(position: number, element: JobElement): void {
    const waiting = this.#waits.get(position)
    if (waiting === undefined) return
    // An element with a code has its own end; of another the job knows why.
    if (element.state === 'succeeded' || element.exit_code !== null) waiting.resolve({ job: undefined, element })
    else this.#job?.().then((job) => waiting.resolve({ job, element }), waiting.reject)
  }
}
