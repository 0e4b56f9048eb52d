import { InputError } from '../../errors.ts'
import type { JobLocation } from '../../jobs/drover.ts'
import { compileSession, localSession, remoteSession } from '../../jobs/enter-script.ts'
import { isSettled } from '../../task/states.ts'
import { startAttached } from '../attached-child.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { wholeNumber } from '../flag-values.ts'
import { compileJson } from '../output/json.ts'

/** What is run for a session in the place of a rank: `command`, without a terminal, or the account's shell with one. */
function sessionArgv({ enter, address }: JobLocation, command: readonly string[] | undefined): readonly string[] {
  const program = compileSession(enter, command)
  if (address === null) return localSession(program)
  // A command promises not to ask anything; a shell has a terminal where ssh may ask.
  const terminal = command === undefined ? ['-t'] : ['-T', '-o', 'BatchMode=yes']
  return ['ssh', ...terminal, '-o', 'ClearAllForwardings=yes', ...address, remoteSession(program)]
}

async function sayWhatIsMissing(cli: Cli, { job, attempt, state, ended, container, node }: JobLocation): Promise<void> {
  // A job in line for its next attempt shows the last one.
  const what = isSettled(state) ? `job ${job} has ended (${state})` : `attempt ${attempt} of job ${job} has ended (the job is ${state})`
  if (ended) await cli.say(`drover: ${what}: its work directory is here, its variables and secrets are gone`)
  if (container) await cli.say(`drover: job ${job} runs in a container: this is ${node}, outside of it`)
}

/** `drover shell JOB [RANK] [-- COMMAND…]`: ends with the code of the shell or command. */
export async function shellCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const at = argv.indexOf('--')
  const words = at === -1 ? undefined : argv.slice(at + 1)
  const command = createCommand(cli, 'shell', 'Open a shell where a job runs, in its directory and with its environment.')
    .usage('[options] <job> [rank] [-- COMMAND…]')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .argument('[rank]', 'which rank (default: 0)', wholeNumber('rank'))
    .addHelpText('after', '\nAfter -- stands one command to run there without a terminal; its exit code is the code of drover shell.')
    .action(async (selector: string, rank: number | undefined) => {
      if (words?.length === 0) throw new InputError('invalid_argument', 'shell: after -- stands a command, and there is none')
      const location = await (await cli.drover()).locate(selector, rank === undefined ? {} : { rank })
      const run = sessionArgv(location, words)
      if (cli.mode === 'json') return await cli.host.stdout.write(compileJson({ argv: run }))
      await sayWhatIsMissing(cli, location)
      cli.exitCode = await startAttached(cli, run).ended
    })
  await command.parseAsync(at === -1 ? argv : argv.slice(0, at), { from: 'user' })
}
