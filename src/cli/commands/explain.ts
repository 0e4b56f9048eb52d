import type { Explanation } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { printable } from '../output/table.ts'

function compileExplanation(cli: Cli, explanation: Explanation): string {
  const { job, chain, log_tail: tail } = explanation
  const parts = [`${cli.style.state(job.state, cli.style.bold(printable(explanation.summary)))}\n`]
  if (chain.length > 0) parts.push('\n', ...chain.map((step) => `  ${cli.style.dim(step.at)}  ${printable(step.text)}\n`))
  if (tail !== null && tail.lines.length > 0)
    parts.push(`\nEnd of ${tail.file}:\n`, ...tail.lines.map((line) => `  | ${printable(line)}\n`))
  if (explanation.log_error !== null) parts.push(`\nIts log cannot be read now: ${printable(explanation.log_error)}\n`)
  if (explanation.next_step !== '') parts.push(`\nNext: ${printable(explanation.next_step)}\n`)
  return parts.join('')
}

/** `drover explain JOB`: why it waits or how it ended, on what evidence, and what to do. */
export async function explainCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'explain', 'Say why a job waits, or how it ended, and what to do next.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .action(async (selector: string) => {
      const explanation = await (await cli.drover()).explain(selector)
      await cli.print({ json: explanation, ids: [explanation.job.id], text: () => compileExplanation(cli, explanation) })
    })
  await command.parseAsync(argv, { from: 'user' })
}
