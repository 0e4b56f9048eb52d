import type { CheckLine } from '../jobs/drover.ts'
import type { Cli } from './cli.ts'
import { printable } from './output/table.ts'

/** Prints check lines and sets the exit code to 125 when one is not well. */
export async function printChecks(cli: Cli, lines: readonly CheckLine[]): Promise<void> {
  const width = lines.reduce((most, line) => Math.max(most, line.check.length), 0)
  await cli.print({
    json: lines,
    ids: lines.filter((line) => !line.ok).map((line) => line.check),
    text: () =>
      lines
        .map((line) => {
          const mark = !line.ok ? cli.style.bad('FAIL') : line.warning ? cli.style.bad('warn') : cli.style.good('ok  ')
          const fix = line.fix === null || line.ok ? '' : `      ${' '.repeat(width)}  ${printable(line.fix)}\n`
          return `${mark}  ${line.check.padEnd(width)}  ${printable(line.detail)}\n${fix}`
        })
        .join(''),
  })
  if (lines.some((line) => !line.ok)) cli.exitCode = 125
}
