import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'

/** `drover rm JOB…`: removes ended jobs with their directories; `--force` cancels live ones first. */
export async function rmCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'rm', 'Remove ended jobs and their directories.')
    .argument('<jobs...>', 'ids, unique prefixes, names, or "last"')
    .option('-f, --force', 'cancel live jobs first')
    .action(async (selectors: readonly string[], options: { readonly force?: boolean }) => {
      const result = await (await cli.drover()).remove(selectors, { force: options.force ?? false })
      await cli.print({ json: result, ids: result.removed, text: () => result.removed.map((id) => `removed ${id}\n`).join('') })
      for (const warning of result.warnings) await cli.say(`drover: ${warning}`)
    })
  await command.parseAsync(argv, { from: 'user' })
}
