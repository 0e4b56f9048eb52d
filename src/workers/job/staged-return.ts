import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../../errors.ts'
import type { Drover } from '../../jobs/drover.ts'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'
import { globsOf, STAGED_ROOT, stageCall, takeBack } from './staged-call.ts'

/** Calls whose files come in one transfer. */
const TOGETHER = 200
/** Pause before a transfer that failed is tried again, ms. */
const AGAIN_MS = 2_000

interface Wanted {
  readonly call: WorkerCall
  readonly done: PromiseWithResolvers<void>
}

/** Brings the files of ended calls back and puts them in place; of one job one transfer at a time, for all calls that ended meanwhile. */
export class StagedReturn {
  readonly #drover: Pick<Drover, 'fetch'>
  readonly #patienceMs: number
  readonly #signal: AbortSignal
  readonly #waiting = new Map<string, Wanted[]>()
  readonly #busy = new Set<string>()

  constructor(drover: Pick<Drover, 'fetch'>, patienceMs: number, signal: AbortSignal) {
    this.#drover = drover
    this.#patienceMs = patienceMs
    this.#signal = signal
  }

  /** Resolves when what the call has left is in its place, which may be nothing. Rejects where it can't be brought or written. */
  bring(jobId: string, call: WorkerCall): Promise<void> {
    const done = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(jobId) ?? []
    this.#waiting.set(jobId, waiting)
    waiting.push({ call, done })
    if (!this.#busy.has(jobId)) void this.#work(jobId)
    return done.promise
  }

  async #work(jobId: string): Promise<void> {
    this.#busy.add(jobId)
    for (let waiting = this.#waiting.get(jobId); waiting !== undefined; waiting = this.#waiting.get(jobId)) {
      const batch = waiting.splice(0, TOGETHER)
      if (waiting.length === 0) this.#waiting.delete(jobId)
      try {
        await this.#fetch(jobId, batch)
        for (const { done } of batch) done.resolve()
      } catch (error) {
        for (const { done } of batch) done.reject(error)
      }
    }
    this.#busy.delete(jobId)
  }

  async #fetch(jobId: string, batch: readonly Wanted[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    const to = join(first.call.directory, `drover-fetched-${crypto.randomUUID()}`)
    try {
      const globs = batch.flatMap(({ call }) => globsOf(stageCall(call)))
      await this.#patiently(() => this.#drover.fetch(jobId, { globs, to }))
      const folders = await foldersIn(to)
      for (const { call } of batch) {
        for (const folder of folders) await takeBack(call, folder, appendFile)
      }
    } finally {
      await rm(to, { recursive: true, force: true })
    }
  }

  async #patiently(work: () => Promise<unknown>): Promise<void> {
    const until = performance.now() + this.#patienceMs
    for (;;) {
      try {
        await work()
        return
      } catch (error) {
        // The job left nothing that a call would want.
        if (error instanceof DroverError && error.code === 'missing_file') return
        if (!(error instanceof DroverError && error.transient) || performance.now() > until) throw error
      }
      await sleep(AGAIN_MS, undefined, { signal: this.#signal })
    }
  }
}

/** The checkpoints directories that came: one, or one in a folder per rank or place. */
async function foldersIn(to: string): Promise<readonly string[]> {
  const names = await readdir(to).catch((): string[] => [])
  if (names.includes(STAGED_ROOT)) return [join(to, STAGED_ROOT)]
  return names
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => join(to, name, STAGED_ROOT))
}

async function appendFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  try {
    await pipeline(createReadStream(from), createWriteStream(to, { flags: 'a' }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
