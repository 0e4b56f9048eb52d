import { DroverError } from '../errors.ts'
import type { Drover, Job } from '../jobs/drover.ts'
import { DROVER_EXIT_CODE, GROUP_END } from '../task/exit-codes.ts'
import type { Cli } from './cli.ts'
import { LogPrinter, prefixOf } from './log-printer.ts'
import { ProgressLine } from './progress-line.ts'

/** A settled job's log that brings nothing for so long is given up, ms. */
const QUIET_AFTER_END_MS = 10_000

/** The code `run` and `wait` end with: 0 when all succeeded (or ended with their group), else that of the first failure in time. */
export function exitCodeOfJobs(jobs: readonly Job[]): number {
  const failed = jobs.filter((job) => job.state !== 'succeeded' && !(job.state === 'cancelled' && job.cause?.by === GROUP_END))
  const time = (job: Job): number => (job.ended_at === null ? Number.POSITIVE_INFINITY : Date.parse(job.ended_at))
  const first = failed.sort((a, b) => time(a) - time(b))[0]
  if (first === undefined) return 0
  // A job without success never gives 0, whatever its record says.
  return first.exit_code === null || first.exit_code === 0 ? DROVER_EXIT_CODE : first.exit_code
}

/** True where lines need a mark: more than one rank or element writes. */
function writesManyFiles(job: Job): boolean {
  return job.elements !== null || job.ranks.length > 1
}

async function printLogs(
  cli: Cli,
  drover: Drover,
  job: Job,
  several: boolean,
  settled: Promise<Job>,
  before: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const giveUp = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const arm = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => giveUp.abort(), QUIET_AFTER_END_MS)
  }
  let ended = false
  settled.then(
    () => {
      ended = true
      arm()
    },
    () => giveUp.abort(),
  )
  let printer: LogPrinter | undefined
  try {
    for await (const chunk of drover.logs(job.id, { follow: true, signal: AbortSignal.any([signal, giveUp.signal]) })) {
      clearTimeout(timer)
      // Ranks are known at the latest when the first of them writes.
      printer ??= new LogPrinter({
        stdout: cli.host.stdout,
        stderr: cli.host.stderr,
        before,
        ...(several || writesManyFiles(await drover.get(job.id)) ? { prefix: prefixOf(several ? job.name : undefined) } : {}),
      })
      await printer.print(chunk)
      if (ended) arm()
    }
    await printer?.finish()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Follows jobs until all are settled: prints what they write (in table form only) and a progress line on a terminal.
 * Resolves to the settled jobs, or to undefined when `signal` ended it. Throws what the supervisor reports.
 */
export async function followJobs(cli: Cli, drover: Drover, jobs: readonly Job[], signal: AbortSignal): Promise<readonly Job[] | undefined> {
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  const progress =
    cli.mode === 'table'
      ? new ProgressLine(
          cli.host.stderr,
          jobs.map((job) => job.id),
          (id) => drover.get(id),
          cli.host.now,
        )
      : undefined
  try {
    return await Promise.all(
      jobs.map(async (job) => {
        const settled = drover.wait(job.id, { until: 'settled', signal: ending })
        const printed =
          cli.mode === 'table'
            ? printLogs(cli, drover, job, jobs.length > 1, settled, async () => await progress?.clear(), ending)
            : Promise.resolve()
        const [ended] = await Promise.all([settled, printed])
        return ended
      }),
    )
  } catch (error) {
    if (signal.aborted && error instanceof DroverError && error.code === 'aborted') return undefined
    throw error
  } finally {
    stop.abort()
    await progress?.stop()
  }
}
