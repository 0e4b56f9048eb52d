import type { Cli } from '../cli.ts'
import { COMMAND_FACTS } from '../command-names.ts'
import { compileFields } from '../output/table.ts'

/** `drover help`: all commands. Help on one command is that command's own `--help`. */
export async function helpCommand(cli: Cli): Promise<void> {
  const commands = Object.entries(COMMAND_FACTS).flatMap(([command, { summary }]) =>
    summary === '' ? [] : [[`  ${command}`, summary] as const],
  )
  await cli.host.stdout.write(`drover ${cli.host.version}: write a task once, run it anywhere.

Usage: drover <command> [options]

${compileFields(commands)}
  drover run -- echo hi          run a command on this machine and follow it
  drover run train.yaml --on hpc run a task file on the target "hpc"
  drover help run                all options of a command

Every command takes -o json|quiet|table and --no-daemon. Exit codes: the task's own for run and wait,
125 for failures of Drover, 124 when wait --timeout passed, 130 after Ctrl-C (jobs run on).
`)
}
