import type { Job } from '../jobs/drover.ts'
import { isSettled } from '../task/states.ts'
import { spanMs, spanText } from './output/amounts.ts'
import type { Output } from './output/output-stream.ts'
import { printable } from './output/table.ts'

/** One line on how far a job is: `train queued: waits for 2 cores`, `sweep 37/100 done, 8 running, 1 failed, 4.2/s, 15s left`. */
export function compileProgress(job: Job, now: number): string {
  const ran = spanMs(job.started_at, job.ended_at, now)
  const { elements } = job
  if (elements === null) {
    const time = ran === undefined ? '' : ` ${spanText(ran)}`
    return printable(`${job.name} ${job.state}${time}${job.reason === null ? '' : `: ${job.reason}`}`)
  }
  const ended = elements.succeeded + elements.failed + elements.cancelled + elements.lost
  const parts = [`${ended}/${elements.total} done`, `${elements.running} running`]
  if (elements.failed > 0) parts.push(`${elements.failed} failed`)
  if (elements.lost > 0) parts.push(`${elements.lost} lost`)
  if (ran !== undefined && ran > 0 && ended > 0) {
    const perSecond = (ended * 1000) / ran
    parts.push(perSecond >= 10 ? `${Math.round(perSecond)}/s` : `${perSecond.toFixed(2)}/s`)
    if (ended < elements.total) parts.push(`${spanText(((elements.total - ended) * 1000) / perSecond)} left`)
  }
  return printable(`${job.name} ${parts.join(', ')}${job.reason === null || elements.running > 0 ? '' : `: ${job.reason}`}`)
}

/** How often the line is brought up to date, ms. */
const REFRESH_MS = 500

/** A line at the bottom of the terminal that gives way to output. Does nothing where stderr is no terminal. */
export class ProgressLine {
  readonly #output: Output
  readonly #jobs: readonly string[]
  readonly #read: (id: string) => Promise<Job>
  readonly #now: () => number
  #shown = false
  #running = true
  #wake: () => void = () => {}
  readonly #done: Promise<void>

  constructor(output: Output, jobs: readonly string[], read: (id: string) => Promise<Job>, now: () => number) {
    this.#output = output
    this.#jobs = jobs
    this.#read = read
    this.#now = now
    this.#done = output.isTTY ? this.#refresh() : Promise.resolve()
  }

  /** Takes the line away; it comes back with the next refresh. */
  async clear(): Promise<void> {
    if (!this.#shown) return
    this.#shown = false
    await this.#output.write('\r\u001b[K')
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#wake()
    await this.#done
    await this.clear()
  }

  async #refresh(): Promise<void> {
    while (this.#running) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, REFRESH_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      if (!this.#running) return
      try {
        await this.#draw(await Promise.all(this.#jobs.map(this.#read)))
      } catch {
        // The line is an extra: what breaks here is reported by the wait beside it.
      }
    }
  }

  async #draw(jobs: readonly Job[]): Promise<void> {
    const live = jobs.filter((job) => !isSettled(job.state))
    if (live.length === 0 || !this.#running) return
    const text = live.map((job) => compileProgress(job, this.#now())).join(' | ')
    const width = Math.max(10, this.#output.columns - 1)
    this.#shown = true
    await this.#output.write(`\r\u001b[K\u001b[2m${text.length > width ? `${text.slice(0, width - 1)}…` : text}\u001b[0m`)
  }
}
