import { resolve } from 'node:path'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'

/** `drover fetch JOB [globs] --to DIR`: copies files of a job's work directory to this machine. */
export async function fetchCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'fetch', 'Copy files of a job to this machine.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .argument('[globs...]', 'files relative to the work directory (default: what the task collects)')
    .option('--to <directory>', 'where to put them')
    .action(async (selector: string, globs: readonly string[], options: { readonly to?: string }) => {
      const result = await (await cli.drover()).fetch(selector, {
        ...(globs.length === 0 ? {} : { globs }),
        ...(options.to === undefined ? {} : { to: resolve(cli.host.directory, options.to) }),
      })
      await cli.print({
        json: result,
        ids: result.files,
        text: () => result.files.map((file) => `${resolve(result.directory, file)}\n`).join(''),
      })
      if (result.files.length === 0) await cli.say('drover: no file matched')
    })
  await command.parseAsync(argv, { from: 'user' })
}
