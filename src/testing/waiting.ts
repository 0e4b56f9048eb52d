import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Drover, Job, LogQuery } from '../jobs/drover.ts'
import { isSettled } from '../task/states.ts'

/** Looks until `look` gives something other than undefined or false. Throws at the deadline, naming what was awaited. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > end) throw new Error(`waited ${Math.round(deadlineMs / 1000)} s in vain for: ${what}`)
    await delay(20)
  }
}

/** The job once it is settled; fails at the deadline with the state it hangs in. */
export async function settled(drover: Drover, id: string, deadlineMs: number): Promise<Job> {
  try {
    await drover.wait(id, { until: 'settled', signal: AbortSignal.timeout(deadlineMs) })
  } catch (error) {
    const job = await drover.get(id)
    if (isSettled(job.state)) return job
    throw new Error(`job ${id} is ${job.state} (${job.reason ?? 'no reason'}, ${job.native_word ?? 'no native word'})`, { cause: error })
  }
  return drover.get(id)
}

/** All bytes of a job's logs, file after file in the order of the chunks. Default: stdout. */
export async function readLog(drover: Drover, id: string, query: LogQuery = { streams: ['stdout'] }): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const chunk of drover.logs(id, query)) pieces.push(chunk.bytes)
  return Buffer.concat(pieces)
}

/** The text of a file; undefined while it is not there or empty. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')) || undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Waits for a script to have written a whole line to a file; resolves to the text. */
export function written(path: string, deadlineMs: number): Promise<string> {
  return until(`a line in ${path}`, deadlineMs, async () => {
    const text = await textOf(path)
    return text?.endsWith('\n') ? text : undefined
  })
}
