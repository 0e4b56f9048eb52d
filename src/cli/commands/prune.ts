import { Option } from 'commander'
import { InputError } from '../../errors.ts'
import { parseSize, SIZE_FORMS } from '../../task/sizes.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { duration, refuseValue } from '../flag-values.ts'
import { bytesText } from '../output/amounts.ts'

interface PruneFlags {
  readonly olderThan?: number
  readonly maxSize?: number
  readonly dryRun?: boolean
}

/** `drover prune`: removes ended jobs by age, or oldest first until the rest fits a size. */
export async function pruneCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'prune', 'Remove old ended jobs and their directories.')
    .addOption(new Option('--older-than <age>', 'jobs that ended longer ago').argParser(duration('--older-than')))
    .addOption(
      new Option('--max-size <size>', 'oldest first, until the rest takes at most this').argParser(
        (value) => parseSize(value) ?? refuseValue('--max-size', value, SIZE_FORMS),
      ),
    )
    .option('--dry-run', 'say what would be removed')
    .action(async (flags: PruneFlags) => {
      if (flags.olderThan === undefined && flags.maxSize === undefined) {
        throw new InputError('invalid_argument', 'prune needs --older-than or --max-size', {
          hint: 'Example: drover prune --older-than 30d --dry-run',
        })
      }
      const result = await (await cli.drover()).prune({
        ...(flags.olderThan === undefined ? {} : { olderThanMs: flags.olderThan }),
        ...(flags.maxSize === undefined ? {} : { maxBytes: flags.maxSize }),
        dryRun: flags.dryRun ?? false,
      })
      const verb = flags.dryRun ? 'would remove' : 'removed'
      await cli.print({
        json: result,
        ids: result.removed,
        text: () =>
          `${result.removed.map((id) => `${verb} ${id}\n`).join('')}${verb} ${result.removed.length} jobs, ${bytesText(result.bytes)}\n`,
      })
      for (const warning of result.warnings) await cli.say(`drover: ${warning}`)
    })
  await command.parseAsync(argv, { from: 'user' })
}
