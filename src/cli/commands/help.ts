import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { Cli } from '../cli.ts'
import { COMMANDS, isCommand } from '../command-table.ts'
import { compileFields } from '../output/table.ts'

/** `drover help [command]`. */
export async function helpCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const name = argv.find((word) => !word.startsWith('-'))
  if (name !== undefined) {
    if (!isCommand(name)) {
      const near = nearestName(name, Object.keys(COMMANDS))
      throw new InputError('invalid_argument', `unknown command "${name}"`, near === undefined ? {} : { hint: `Did you mean "${near}"?` })
    }
    if (name !== 'help') return await (await COMMANDS[name].load())(cli, ['--help'])
  }
  const commands = Object.entries(COMMANDS).flatMap(([command, { summary }]) =>
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
