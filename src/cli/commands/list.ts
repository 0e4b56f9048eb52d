import { Option } from 'commander'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { commaSeparated } from '../flag-values.ts'
import { compileList, type ListOptions, parseListOptions } from '../list-request.ts'

/** `drover list`: newest jobs first, 50 unless told otherwise. Usually answered by fast-list.ts, which must know the same flags. */
export async function listCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'list', 'List jobs, newest first.')
    .option('-s, --state <states>', 'only these states (comma-separated; also: live, ended)', commaSeparated)
    .option('-n, --name <name>', 'only jobs of this name')
    .option('-t, --target <target>', 'only jobs of this target')
    .option('-g, --group <group>', 'only jobs of this group')
    .option('--since <age>', 'only jobs made within this time, such as 12h')
    .addOption(new Option('--age <age>', 'the same as --since').hideHelp())
    .option('-l, --limit <n>', 'at most so many (default 50)')
    .option('-a, --all', 'all jobs')
    .action(async (options: ListOptions) => {
      const filter = parseListOptions(options)
      const jobs = await (await cli.drover()).list(filter)
      await cli.host.stdout.write(compileList(jobs, cli.mode, cli.style, cli.host.now()))
      if (jobs.length === 0 && cli.mode === 'table') await cli.say('no jobs')
    })
  await command.parseAsync(argv, { from: 'user' })
}
