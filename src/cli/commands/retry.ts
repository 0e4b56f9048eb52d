import { InputError } from '../../errors.ts'
import type { Job } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { positions, repeated } from '../flag-values.ts'
import { jobLine } from '../job-text.ts'
import { oneOrMany } from '../output/json.ts'

interface RetryFlags {
  readonly elements?: readonly number[]
  readonly failed?: boolean
  readonly secret?: readonly string[]
}

function secretsOf(cli: Cli, given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((text): readonly [string, string] => {
      const equals = text.indexOf('=')
      const name = equals === -1 ? text : text.slice(0, equals)
      const value = equals === -1 ? cli.host.environment[name] : text.slice(equals + 1)
      if (value === undefined) throw new InputError('missing_secret', `--secret ${name}: ${name} is not set in your environment`)
      return [name, value]
    }),
  )
}

/** `drover retry JOB…`: a new attempt under the same id, of all or of some elements. */
export async function retryCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'retry', 'Start a new attempt of an ended job, under the same id.')
    .argument('<jobs...>', 'ids, unique prefixes, names, or "last"')
    .option('-e, --elements <positions>', 'only these elements, such as 3,7-9', positions('--elements'))
    .option('--failed', 'only the elements that did not succeed')
    .option('--secret <name=value>', 'a secret of the task; NAME alone takes yours (repeatable)', repeated)
    .action(async (selectors: readonly string[], flags: RetryFlags) => {
      if (flags.elements !== undefined && flags.failed)
        throw new InputError('invalid_argument', '--elements and --failed exclude each other')
      if (flags.elements !== undefined && selectors.length > 1)
        throw new InputError('invalid_argument', '--elements belongs to one job, and several are named')
      const elements = flags.failed ? ('failed' as const) : flags.elements
      const options = {
        ...(elements === undefined ? {} : { elements }),
        ...(flags.secret === undefined ? {} : { secrets: secretsOf(cli, flags.secret) }),
      }
      const drover = await cli.drover()
      const jobs: Job[] = []
      for (const selector of selectors) jobs.push(await drover.retry(selector, options))
      await cli.print({
        json: oneOrMany(jobs, selectors.length > 1),
        ids: jobs.map((job) => job.id),
        text: () => jobs.map((job) => `${jobLine(job)}, attempt ${job.attempt}\n`).join(''),
      })
    })
  await command.parseAsync(argv, { from: 'user' })
}
