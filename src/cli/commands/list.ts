import { Option } from 'commander'
import type { ListFilter } from '../../jobs/drover.ts'
import { parseDuration } from '../../task/durations.ts'
import { END_STATES, LIVE_STATES, STATES, type State } from '../../task/states.ts'
import type { Cli } from '../cli.ts'
import { commaSeparated, createCommand, refuseValue, wholeNumber } from '../command-builder.ts'
import { compileJobTable } from '../job-text.ts'

interface ListOptions {
  readonly state?: readonly string[]
  readonly name?: string
  readonly target?: string
  readonly group?: string
  readonly since?: number
  readonly limit?: number
  readonly all?: boolean
}

function statesOf(words: readonly string[]): readonly State[] {
  return words.flatMap((word): readonly State[] => {
    if (word === 'live') return LIVE_STATES
    if (word === 'ended') return END_STATES
    const state = STATES.find((one) => one === word)
    return state === undefined ? refuseValue('--state', word, `${STATES.join(', ')}, live or ended`) : [state]
  })
}

function age(value: string): number {
  return parseDuration(value) ?? refuseValue('--since', value, 'a duration such as 30m, 12h or 7d')
}

function filterOf(options: ListOptions): ListFilter {
  return {
    ...(options.state === undefined ? {} : { states: statesOf(options.state) }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.group === undefined ? {} : { group: options.group }),
    ...(options.since === undefined ? {} : { maxAgeMs: options.since }),
    ...(options.all ? { limit: Number.MAX_SAFE_INTEGER } : options.limit === undefined ? {} : { limit: options.limit }),
  }
}

/** `drover list`: newest jobs first, 50 unless told otherwise. */
export async function listCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'list', 'List jobs, newest first.')
    .option('-s, --state <states>', 'only these states (comma-separated; also: live, ended)', commaSeparated)
    .option('-n, --name <name>', 'only jobs of this name')
    .option('-t, --target <target>', 'only jobs of this target')
    .option('-g, --group <group>', 'only jobs of this group')
    .addOption(new Option('--since <age>', 'only jobs made within this time, such as 12h').argParser(age))
    .addOption(new Option('--age <age>', 'the same as --since').argParser(age).hideHelp())
    .addOption(new Option('-l, --limit <n>', 'at most so many (default 50)').argParser(wholeNumber('--limit', 1)))
    .option('-a, --all', 'all jobs')
    .action(async (options: ListOptions & { readonly age?: number }) => {
      const since = options.since ?? options.age
      const filter = filterOf({ ...options, ...(since === undefined ? {} : { since }) })
      const jobs = await (await cli.drover()).list(filter)
      await cli.print({ json: jobs, ids: jobs.map((job) => job.id), text: () => (jobs.length === 0 ? '' : compileJobTable(cli, jobs)) })
      if (jobs.length === 0 && cli.mode === 'table') await cli.say('no jobs')
    })
  await command.parseAsync(argv, { from: 'user' })
}
