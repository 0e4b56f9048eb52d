import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileSight } from './file-sight.ts'

/** Name of the file in a call's directory that says which job runs it. */
const FILE = 'drover-job'

/**
 * Which job runs a call. Written before the job is submitted (`job` null), again when its id is known and when the call has ended, so
 * that another controller finds the job at whatever moment this one dies.
 */
export interface JobRecord {
  /** Of the call that it was written for. */
  readonly attempt: number
  /** The job's submit key. */
  readonly key: string
  /** The job's name, which is of this key alone: by it the job is found where its id was never written. */
  readonly name: string
  readonly job: string | null
  /** Position in the job's array; null: the job is this call alone. */
  readonly element: number | null
  /** How its files travel. */
  readonly files: FileSight
  /** The call's end has been told. */
  readonly ended: boolean
}

/** Writes the record of the call in `directory`, as a whole or not at all. */
export async function writeJobRecord(directory: string, record: JobRecord): Promise<void> {
  const path = join(directory, FILE)
  await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`)
  await rename(`${path}.new`, path)
}

/** Writes it anew. A record that can't be written any more is no reason to lose a call that runs: its job is found by name. */
export async function updateJobRecord(directory: string, record: JobRecord): Promise<void> {
  await writeJobRecord(directory, record).catch(() => undefined)
}

/** The record of the call in `directory` and how long ago it was written, ms; undefined where there is none that can be read. */
export async function readJobRecord(directory: string): Promise<(JobRecord & { readonly ageMs: number }) | undefined> {
  const path = join(directory, FILE)
  let text: string
  let writtenAt: number
  try {
    text = await readFile(path, 'utf8')
    writtenAt = (await stat(path)).mtimeMs
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw error
  }
  const record = parseRecord(text)
  return record === undefined ? undefined : { ...record, ageMs: Math.max(0, Date.now() - writtenAt) }
}

function parseRecord(text: string): JobRecord | undefined {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof read !== 'object' || read === null) return undefined
  const { attempt, key, name, job, element, files, ended } = read as Readonly<Record<string, unknown>>
  if (typeof attempt !== 'number' || typeof key !== 'string' || typeof name !== 'string') return undefined
  if ((job !== null && typeof job !== 'string') || (element !== null && typeof element !== 'number')) return undefined
  if (files !== 'shared' && files !== 'staged') return undefined
  return { attempt, key, name, job, element, files, ended: ended === true }
}
