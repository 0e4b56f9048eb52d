import type { NativeJob } from './scheduler.ts'

/**
 * Reads the rows of answers that say mostly the same each time: a line that stood in the last answer too gives the very same
 * objects, without being read again. Ten thousand waiting jobs then cost a poll little more than looking their lines up.
 */
export class RowMemory {
  readonly #read: (line: string) => readonly NativeJob[]
  readonly #known = new Map<string, KnownRow>()
  #answer = 0

  /** @param read pure: the jobs that one line tells of */
  constructor(read: (line: string) => readonly NativeJob[]) {
    this.#read = read
  }

  /** The jobs of one whole answer, in its order. */
  jobsOf(lines: readonly string[]): readonly NativeJob[] {
    this.#answer += 1
    const jobs: NativeJob[] = []
    let said = 0
    for (const line of lines) {
      let row = this.#known.get(line)
      if (row === undefined) {
        // A part of a string keeps the whole alive: a row that stays would keep the answer that it came with.
        const own = Buffer.from(line).toString()
        row = { jobs: this.#read(own), answer: 0 }
        this.#known.set(own, row)
      }
      if (row.answer !== this.#answer) said += 1
      row.answer = this.#answer
      for (const job of row.jobs) jobs.push(job)
    }
    // Rows stay where they are from answer to answer; only those not said any more go.
    if (said < this.#known.size) for (const [line, row] of this.#known) if (row.answer !== this.#answer) this.#known.delete(line)
    return jobs
  }
}

interface KnownRow {
  readonly jobs: readonly NativeJob[]
  /** The last answer that said it. */
  answer: number
}
