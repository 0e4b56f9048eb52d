import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'

/** `drover version`. */
export async function versionCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'version', 'Print the version.').action(async () => {
    const { version } = cli.host
    await cli.print({
      json: { drover: version, node: process.versions.node },
      ids: [version],
      text: () => `drover ${version} (node ${process.versions.node})\n`,
    })
  })
  await command.parseAsync(argv, { from: 'user' })
}
