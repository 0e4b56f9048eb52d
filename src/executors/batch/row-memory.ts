import type { NativeJob } from './scheduler.ts'

/**
 * Reads the rows of answers that say mostly the same each time: a line that stood in the last answer too gives the very same
 * objects, without being read again. Ten thousand waiting jobs then cost a poll little more than looking their lines up.
 */
export class RowMemory {
  readonly #read: (line: string) => readonly NativeJob[]
  #last: ReadonlyMap<string, readonly NativeJob[]> = new Map()

  /** @param read pure: the jobs that one line tells of */
  constructor(read: (line: string) => readonly NativeJob[]) {
    this.#read = read
  }

  /** The jobs of one whole answer, in its order. */
  jobsOf(lines: readonly string[]): readonly NativeJob[] {
    const rows = new Map<string, readonly NativeJob[]>()
    const jobs: NativeJob[] = []
    for (const line of lines) {
      const found = this.#last.get(line) ?? this.#read(line)
      rows.set(line, found)
      for (const job of found) jobs.push(job)
    }
    this.#last = rows
    return jobs
  }
}
