import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { DroverError } from '../../errors.ts'
import type { JournalRecord } from './journal-record.ts'

const FORMAT = { drover_workflow_journal: 1 }

/**
 * A run's journal: one line per batch, `<crc32 of the rest, 8 hex digits> <JSON array of records>`; the first holds the
 * format. A batch counts whole or not at all. One process writes; any may read meanwhile.
 */
export class JournalFile {
  readonly #fd: number
  #pending: JournalRecord[] = []
  #unsynced = false
  #closed = false
  #failed = false

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** A new journal. Throws where there is one. */
  static create(path: string): JournalFile {
    const journal = new JournalFile(openSync(path, 'ax', 0o600))
    journal.#write(lineOf([FORMAT]))
    return journal
  }

  /** Goes on with a journal; a torn last line is cut off. Throws what `readJournal` throws. */
  static resume(path: string): { readonly journal: JournalFile; readonly records: readonly JournalRecord[] } {
    const { records, wholeBytes } = readJournal(path)
    const fd = openSync(path, 'a', 0o600)
    if (fstatSync(fd).size > wholeBytes) ftruncateSync(fd, wholeBytes)
    const journal = new JournalFile(fd)
    if (wholeBytes === 0) journal.#write(lineOf([FORMAT]))
    return { journal, records }
  }

  append(record: JournalRecord): void {
    this.#pending.push(record)
  }

  /**
   * Writes what was appended as one batch. From then on it outlives this process. Throws what the file system says; after that
   * nothing more is written, for what comes later may build on what is missing.
   */
  flush(): void {
    if (this.#pending.length === 0 || this.#failed) return
    const batch = this.#pending
    this.#pending = []
    this.#write(lineOf(batch))
  }

  /** Flushes, and waits until it outlives the machine too. */
  async sync(): Promise<void> {
    this.flush()
    if (!this.#unsynced || this.#closed) return
    this.#unsynced = false
    await new Promise<void>((resolve, reject) => fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      this.flush()
    } finally {
      closeSync(this.#fd)
    }
  }

  #write(line: Buffer): void {
    const before = fstatSync(this.#fd).size
    this.#unsynced = true
    try {
      for (let written = 0; written < line.length; ) written += writeSync(this.#fd, line, written)
    } catch (error) {
      this.#failed = true
      // A full disk: half a line would end the journal for all that comes later.
      ftruncateSync(this.#fd, before)
      throw error
    }
  }
}

/**
 * The records of all whole batches. What a dying process left of its last line is passed over. Throws DroverError
 * `store_unusable` for a line that is broken but not the last, `store_newer` for a format of a later release.
 */
export function readJournal(path: string): { readonly records: readonly JournalRecord[]; readonly wholeBytes: number } {
  const bytes = readFileSync(path)
  const records: JournalRecord[] = []
  let start = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const batch = parseLine(bytes.subarray(start, end))
    if (batch === undefined) {
      if (end + 1 >= bytes.length) break
      throw new DroverError('store_unusable', `the journal ${path} is damaged at byte ${start}`, {
        level: 'internal',
        hint: 'Start the workflow anew, or put back a copy of the file.',
      })
    }
    if (start === 0) refuseNewer(path, batch)
    else for (const record of batch) records.push(record)
    start = end + 1
  }
  return { records, wholeBytes: start }
}

function lineOf(batch: readonly unknown[]): Buffer {
  const json = Buffer.from(JSON.stringify(batch))
  return Buffer.concat([Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} `), json, NEWLINE])
}

const NEWLINE = Buffer.from('\n')

function parseLine(line: Buffer): readonly JournalRecord[] | undefined {
  const json = line.subarray(9)
  if (line[8] !== 32 || crc32(json) !== Number.parseInt(line.toString('latin1', 0, 8), 16)) return undefined
  // What carries its checksum was written by this code.
  return JSON.parse(json.toString()) as readonly JournalRecord[]
}

function refuseNewer(path: string, batch: readonly unknown[]): void {
  const [format] = batch
  const version =
    typeof format === 'object' && format !== null && 'drover_workflow_journal' in format ? format.drover_workflow_journal : undefined
  if (version === 1) return
  throw new DroverError('store_newer', `the journal ${path} has format ${String(version)}; this release reads 1`, {
    level: 'config',
    hint: 'Use the release of Drover that wrote it, or a newer one.',
  })
}
