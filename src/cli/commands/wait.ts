import { Option } from 'commander'
import { DroverError } from '../../errors.ts'
import type { Job } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { duration } from '../flag-values.ts'
import { exitCodeOfJobs } from '../follow-jobs.ts'
import { jobLine } from '../job-text.ts'
import { oneOrMany } from '../output/json.ts'

/** Exit code when `--timeout` passed first; the same as timeout(1) of GNU coreutils gives. */
const TIMEOUT_EXIT_CODE = 124

interface WaitFlags {
  readonly timeout?: number
}

/** `drover wait JOB…`: returns when all are settled, with the code of the first failure in time. */
export async function waitCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'wait', 'Wait until jobs are settled. Exits with the code of the first failure in time.')
    .argument('<jobs...>', 'ids, unique prefixes, names, or "last"')
    .addOption(new Option('--timeout <duration>', 'give up after this time, with exit code 124').argParser(duration('--timeout')))
    .action(async (selectors: readonly string[], flags: WaitFlags) => {
      const drover = await cli.drover()
      const interruption = cli.host.interruption()
      const timeout = flags.timeout === undefined ? undefined : AbortSignal.timeout(flags.timeout)
      const signal = timeout === undefined ? interruption : AbortSignal.any([interruption, timeout])
      const ids = (await Promise.all(selectors.map((selector) => drover.get(selector)))).map((job) => job.id)
      let jobs: readonly Job[]
      try {
        jobs = await Promise.all(
          ids.map(async (id) => {
            const job = await drover.wait(id, { until: 'settled', signal })
            if (cli.mode === 'table') await cli.host.stdout.write(`${jobLine(job)}\n`)
            return job
          }),
        )
        cli.exitCode = exitCodeOfJobs(jobs)
      } catch (error) {
        if (!signal.aborted || !(error instanceof DroverError) || error.code !== 'aborted') throw error
        cli.exitCode = interruption.aborted ? Number(interruption.reason) : TIMEOUT_EXIT_CODE
        await cli.say(interruption.aborted ? 'drover: no longer waiting; the jobs run on' : 'drover: the time is over; the jobs run on')
        if (cli.mode === 'table') return
        jobs = await Promise.all(ids.map((id) => drover.get(id)))
      }
      if (cli.mode !== 'table') await cli.print({ json: oneOrMany(jobs, selectors.length > 1), ids, text: () => '' })
    })
  await command.parseAsync(argv, { from: 'user' })
}
