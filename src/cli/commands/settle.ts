import { Option } from 'commander'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { jobLine } from '../job-text.ts'

interface SettleOptions {
  readonly as: 'succeeded' | 'failed' | 'cancelled'
  readonly reason: string
}

/** `drover settle JOB --as … --reason …`: a person's word on how a job ended that nothing can tell of any more. */
export async function settleCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'settle', 'Decide how a lost job ended. The reason goes on record.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .addOption(new Option('--as <state>', 'how it ended').choices(['succeeded', 'failed', 'cancelled']).makeOptionMandatory())
    .requiredOption('--reason <text>', 'how you know')
    .action(async (selector: string, options: SettleOptions) => {
      const job = await (await cli.drover()).settle(selector, { as: options.as, reason: options.reason })
      await cli.print({ json: job, ids: [job.id], text: () => `${jobLine(job)}\n` })
    })
  await command.parseAsync(argv, { from: 'user' })
}
