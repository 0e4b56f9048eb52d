import type { Job, JobEvent } from '../../jobs/drover.ts'
import { isSettled, type State } from '../../task/states.ts'

/** An end that a case demands. */
export interface ExpectedEnd {
  readonly state: State
  /** Kind of its cause; absent: none is looked at. */
  readonly cause?: string | null
  readonly exitCode?: number
  /** Settled states that the attempt goes through before, in order: a job that is lost, and then known. Default none. */
  readonly through?: readonly State[]
}

/** Counts the ends of a whole table, and those that were not what had happened. */
export class EndTally {
  checked = 0
  readonly wrong: string[] = []

  /** Compares an end, and every settled state on the way to it; resolves to what is wrong. */
  check(caseName: string, job: Job, events: readonly JobEvent[], expected: ExpectedEnd): string | undefined {
    this.checked += 1
    const told = settledStates(events)
    const must = [...(expected.through ?? []), expected.state]
    const wrong =
      job.state !== expected.state ||
      (expected.cause !== undefined && (job.cause?.kind ?? null) !== expected.cause) ||
      (expected.exitCode !== undefined && job.exit_code !== expected.exitCode) ||
      told.join() !== must.join()
    if (!wrong) return undefined
    const text = `${caseName}: ${told.join(' → ') || 'no end'}, cause ${JSON.stringify(job.cause)}, exit code ${job.exit_code}; expected ${must.join(' → ')}, cause ${expected.cause}`
    this.wrong.push(text)
    return text
  }

  /** `wrong end states: 0 of 61`. */
  get summary(): string {
    return [`wrong end states: ${this.wrong.length} of ${this.checked}`, ...this.wrong].join('\n  ')
  }
}

/** The settled states that a job was put into, in order. */
function settledStates(events: readonly JobEvent[]): readonly State[] {
  return events.flatMap(({ type, data }) => (type === 'state' && isSettled(data['to'] as State) ? [data['to'] as State] : []))
}
