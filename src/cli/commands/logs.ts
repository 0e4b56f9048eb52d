import { Option } from 'commander'
import { DroverError, toErrorJson } from '../../errors.ts'
import type { Drover, LogChunk, LogQuery } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { commaSeparated, positions, refuseValue, wholeNumber } from '../flag-values.ts'
import { exitCodeOfJobs } from '../follow-jobs.ts'
import { jobLine } from '../job-text.ts'
import { LogLineSplitter } from '../log-lines.ts'
import { LogPrinter, prefixOf } from '../log-printer.ts'

const STREAMS = ['stdout', 'stderr', 'setup', 'driver'] as const

interface LogsFlags {
  readonly rank?: readonly number[]
  readonly element?: readonly number[]
  readonly stream?: readonly string[]
  readonly attempt?: number
  readonly follow?: boolean
  readonly tail?: number
  readonly status?: boolean
}

function queryOf(flags: LogsFlags): LogQuery {
  const streams = flags.stream?.map((word) => STREAMS.find((one) => one === word) ?? refuseValue('--stream', word, STREAMS.join(', ')))
  return {
    ...(flags.rank === undefined ? {} : { ranks: flags.rank }),
    ...(flags.element === undefined ? {} : { elements: flags.element }),
    ...(streams === undefined ? {} : { streams }),
    ...(flags.attempt === undefined ? {} : { attempt: flags.attempt }),
    ...(flags.tail === undefined ? {} : { tail: flags.tail }),
    follow: flags.follow ?? false,
  }
}

/** Prints the one JSON document of `logs -o json` as it comes: lines first, then the error, if there was one. */
async function printJsonLines(cli: Cli, job: string, chunks: AsyncIterable<LogChunk>): Promise<void> {
  const { stdout } = cli.host
  const splitter = new LogLineSplitter()
  let separator = '\n'
  const write = async (lines: readonly unknown[]): Promise<void> => {
    for (const line of lines) {
      await stdout.write(`${separator}    ${JSON.stringify(line)}`)
      separator = ',\n'
    }
  }
  await stdout.write(`{\n  "job": ${JSON.stringify(job)},\n  "lines": [`)
  let failure: DroverError | undefined
  try {
    for await (const chunk of chunks) await write(splitter.push(chunk))
  } catch (error) {
    if (!(error instanceof DroverError)) throw error
    failure = error
  }
  await write(splitter.finish())
  await stdout.write(`\n  ]${failure === undefined ? '' : `,\n  "error": ${JSON.stringify(toErrorJson(failure))}`}\n}\n`)
  if (failure === undefined) return
  await cli.say(`drover: ${failure.display}`)
  cli.exitCode = 125
}

async function printText(cli: Cli, drover: Drover, id: string, flags: LogsFlags, chunks: AsyncIterable<LogChunk>): Promise<void> {
  let printer: LogPrinter | undefined
  const one = flags.rank?.length === 1 || flags.element?.length === 1
  for await (const chunk of chunks) {
    if (printer === undefined) {
      const job = await drover.get(id)
      const many = !one && (job.elements !== null || job.ranks.length > 1)
      const options = { stdout: cli.host.stdout, stderr: cli.host.stderr, oneOutput: flags.stream?.length === 1 }
      printer = new LogPrinter(many ? { ...options, prefix: prefixOf(undefined) } : options)
    }
    await printer.print(chunk)
  }
  await printer?.finish()
}

/** `drover logs JOB`: the task's stdout on stdout, the rest on stderr; a stream asked for by name goes to stdout. */
export async function logsCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'logs', 'Print or follow what a job wrote.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .option('-f, --follow', 'go on until the job is settled; Ctrl-C only stops the printing')
    .option('-r, --rank <ranks>', 'only these ranks, such as 0,2-3', positions('--rank'))
    .option('-e, --element <positions>', 'only these elements of an array, such as 3,7-9', positions('--element'))
    .option('--stream <streams>', 'only these: stdout, stderr, setup, driver (default stdout,stderr)', commaSeparated)
    .addOption(new Option('--attempt <n>', 'of this attempt (default: the current one)').argParser(wholeNumber('--attempt', 1)))
    .addOption(new Option('-n, --tail <n>', 'only the last lines of each file').argParser(wholeNumber('--tail')))
    .option('--status', "exit with the job's code; with -f after it has ended")
    .action(async (selector: string, flags: LogsFlags) => {
      const query = queryOf(flags)
      const drover = await cli.drover()
      // "last" or a name may mean another job a moment later; all further calls use the id.
      const { id } = await drover.get(selector)
      const signal = flags.follow ? cli.host.interruption() : undefined
      const chunks = drover.logs(id, { ...query, ...(signal === undefined ? {} : { signal }) })
      if (cli.mode === 'json') await printJsonLines(cli, id, chunks)
      else await printText(cli, drover, id, flags, chunks)
      if (signal?.aborted) {
        cli.exitCode = typeof signal.reason === 'number' ? signal.reason : 130
        return
      }
      if (!flags.status || cli.exitCode !== 0) return
      const job = flags.follow
        ? await drover.wait(id, { until: 'settled', ...(signal === undefined ? {} : { signal }) })
        : await drover.get(id)
      await cli.say(`drover: ${jobLine(job)}`)
      const live = job.exit_code === null && job.ended_at === null && job.state !== 'lost'
      cli.exitCode = live ? 0 : exitCodeOfJobs([job])
    })
  await command.parseAsync(argv, { from: 'user' })
}
