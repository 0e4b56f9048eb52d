import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import type { ImportFlags } from '../import-torch-submit.ts'

/** `drover import torch-submit`. */
export async function importCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'import', 'Take over what another tool has; that tool and its files stay as they are.').usage(
    'torch-submit [--dir PATH]',
  )
  command.addCommand(
    createCommand(cli, 'torch-submit', 'Clusters become targets, databases are registered, jobs can be followed, stopped and looked up.')
      .option('--dir <path>', 'its directory (default ~/.cache/torch-submit)')
      .option('--no-jobs', 'only targets and databases')
      .option('--dry-run', 'say what would be made; ask no node, write nothing')
      .action(async (flags: ImportFlags) => await (await import('../import-torch-submit.ts')).importTorchSubmit(cli, flags)),
  )
  await command.parseAsync(argv, { from: 'user' })
}
