import type { Job } from '../jobs/drover.ts'
import { spanMs, spanText } from './output/amounts.ts'
import type { Style } from './output/style.ts'
import { type Cell, compileTable, printable } from './output/table.ts'

/** The state of a job with what a person wants beside it: progress of an array, exit code, why it waits. */
export function detailOf(job: Job): string {
  const { elements } = job
  const parts: string[] = []
  if (elements) {
    parts.push(`${elements.succeeded}/${elements.total} done`)
    if (elements.running > 0) parts.push(`${elements.running} running`)
    if (elements.failed > 0) parts.push(`${elements.failed} failed`)
    if (elements.lost > 0) parts.push(`${elements.lost} lost`)
  }
  if (job.cause !== null) parts.push(job.cause.message)
  else if (job.reason !== null) parts.push(job.reason)
  return printable(parts.join(', '))
}

/** One line on how a job ended, or stands: `job k3v9x2 (train) failed: exit code 3 on rank 1`. */
export function jobLine(job: Job): string {
  const detail = detailOf(job)
  return `job ${job.id} (${job.name}) ${job.state}${detail === '' ? '' : `: ${detail}`}`
}

function ageOf(job: Job, now: number): string {
  return spanText(Math.max(0, now - Date.parse(job.created_at)))
}

/** Longest detail in a table that is not on a terminal, characters. */
const DETAIL_WIDTH = 100

/** The table of `drover list`. */
export function compileJobTable(jobs: readonly Job[], style: Style, now: number): string {
  const rows = jobs.map((job): readonly (string | Cell)[] => {
    const ran = spanMs(job.started_at, job.ended_at, now)
    const detail = detailOf(job)
    return [
      job.id,
      job.name,
      job.target,
      { text: job.state, shown: style.state(job.state) },
      job.attempt > 1 ? String(job.attempt) : '',
      ageOf(job, now),
      ran === undefined ? '' : spanText(ran),
      detail.length > DETAIL_WIDTH ? `${detail.slice(0, DETAIL_WIDTH - 1)}…` : detail,
    ]
  })
  const columns = [
    { title: 'ID' },
    { title: 'NAME' },
    { title: 'TARGET' },
    { title: 'STATE' },
    { title: 'TRY', align: 'right' },
    { title: 'AGE', align: 'right' },
    { title: 'TIME', align: 'right' },
    { title: 'DETAIL' },
  ] as const
  // The column of attempts is there only when some job had more than one.
  const keep = (index: number): boolean => index !== 4 || jobs.some((job) => job.attempt > 1)
  return compileTable(
    columns.filter((_, index) => keep(index)),
    rows.map((row) => row.filter((_, index) => keep(index))),
  )
}
