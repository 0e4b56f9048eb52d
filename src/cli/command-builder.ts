import { Command, Option } from 'commander'
import type { Cli, OutputMode } from './cli.ts'

/** Options every command has, as commander gives them. */
interface CommonOptions {
  readonly output?: OutputMode
  readonly daemon?: boolean
}

/**
 * A command with the options all commands share. `action` is set by the caller; before it runs, the mode of output and
 * the way to the supervisor are known. Errors are thrown, never printed here.
 */
export function createCommand(cli: Cli, name: string, summary: string): Command {
  const command = new Command(name)
    .description(summary)
    .addOption(new Option('-o, --output <form>', 'form of the result').choices(['table', 'json', 'quiet']))
    .addOption(new Option('--no-daemon', 'without a background supervisor: attach to one, else be it for this command'))
    .helpOption('-h, --help', 'show this help')
    .showSuggestionAfterError(true)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => void cli.host.stdout.write(text), writeErr: () => {} })
  command.hook('preAction', (_, actual) => {
    const options: CommonOptions = actual.optsWithGlobals()
    if (options.output !== undefined) cli.mode = options.output
    if (options.daemon === false) cli.daemon = false
  })
  return command
}
