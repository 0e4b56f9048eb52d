import { Option } from 'commander'
import { InputError } from '../../errors.ts'
import type { PruneOptions } from '../../jobs/drover.ts'
import { parseSize, SIZE_FORMS } from '../../task/sizes.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { duration, refuseValue } from '../flag-values.ts'
import { bytesText } from '../output/amounts.ts'

interface PruneFlags {
  readonly olderThan?: number
  readonly maxSize?: number
  readonly workflowCache?: boolean
  readonly dryRun?: boolean
}

/** `drover prune`: removes ended jobs by age, or oldest first until the rest fits a size; or results of workflows' calls. */
export async function pruneCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'prune', 'Remove old ended jobs and their directories, or cached results of workflows.')
    .addOption(new Option('--older-than <age>', 'jobs that ended, cached results last used longer ago').argParser(duration('--older-than')))
    .addOption(
      new Option('--max-size <size>', 'oldest first, until the rest takes at most this').argParser(
        (value) => parseSize(value) ?? refuseValue('--max-size', value, SIZE_FORMS),
      ),
    )
    .option('--workflow-cache', 'results that workflow run --cache kept, in place of jobs; without a limit, all')
    .option('--dry-run', 'say what would be removed')
    .action(async (flags: PruneFlags) => {
      const options: PruneOptions = {
        ...(flags.olderThan === undefined ? {} : { olderThanMs: flags.olderThan }),
        ...(flags.maxSize === undefined ? {} : { maxBytes: flags.maxSize }),
        dryRun: flags.dryRun ?? false,
      }
      if (flags.workflowCache) await pruneCache(cli, options)
      else await pruneJobs(cli, options)
    })
  await command.parseAsync(argv, { from: 'user' })
}

async function pruneJobs(cli: Cli, options: PruneOptions): Promise<void> {
  if (options.olderThanMs === undefined && options.maxBytes === undefined) {
    throw new InputError('invalid_argument', 'prune needs --older-than or --max-size', {
      hint: 'Example: drover prune --older-than 30d --dry-run',
    })
  }
  const result = await (await cli.drover()).prune(options)
  const verb = verbOf(options)
  await printPruned(cli, result, () => {
    const lines = result.removed.map((id) => `${verb} ${id}\n`)
    return `${lines.join('')}${verb} ${result.removed.length} jobs, ${bytesText(result.bytes)}\n`
  })
}

/** The cache is files of the home: no supervisor is needed. */
async function pruneCache(cli: Cli, options: PruneOptions): Promise<void> {
  const { workflowsOf } = await import('../workflow/follow-run.ts')
  const result = workflowsOf(cli).pruneCache(options)
  const { length } = result.removed
  await printPruned(cli, result, () => `${verbOf(options)} ${length} cached result${length === 1 ? '' : 's'}, ${bytesText(result.bytes)}\n`)
}

function verbOf({ dryRun }: PruneOptions): string {
  return dryRun ? 'would remove' : 'removed'
}

interface Pruned {
  readonly removed: readonly string[]
  readonly bytes: number
  readonly warnings: readonly string[]
}

async function printPruned(cli: Cli, result: Pruned, text: () => string): Promise<void> {
  await cli.print({ json: result, ids: result.removed, text })
  for (const warning of result.warnings) await cli.say(`drover: ${warning}`)
}
