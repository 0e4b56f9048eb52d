import { InputError } from '../../errors.ts'
import type { Job } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { positions } from '../flag-values.ts'
import { jobLine } from '../job-text.ts'
import { oneOrMany } from '../output/json.ts'

/** `drover cancel JOB…`: asks jobs, or elements of one array, to end. It does not wait for their end. */
export async function cancelCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'cancel', 'End jobs, or elements of an array. Does not wait: see drover wait.')
    .argument('<jobs...>', 'ids, unique prefixes, names, or "last"')
    .option('-e, --elements <positions>', 'only these elements, such as 3,7-9', positions('--elements'))
    .action(async (selectors: readonly string[], options: { readonly elements?: readonly number[] }) => {
      if (options.elements !== undefined && selectors.length > 1)
        throw new InputError('invalid_argument', '--elements belongs to one job, and several are named')
      const elements = options.elements === undefined ? {} : { elements: options.elements }
      const drover = await cli.drover()
      const jobs: Job[] = []
      for (const selector of selectors) jobs.push(await drover.cancel(selector, { by: 'user', ...elements }))
      await cli.print({
        json: oneOrMany(jobs, selectors.length > 1),
        ids: jobs.map((job) => job.id),
        text: () => jobs.map((job) => `${jobLine(job)}\n`).join(''),
      })
    })
  await command.parseAsync(argv, { from: 'user' })
}
