import { DroverError, InputError, toErrorJson } from '../errors.ts'
import { DROVER_EXIT_CODE } from '../task/exit-codes.ts'
import { Cli, type CliHost } from './cli.ts'
import { COMMAND_NAMES, isCommand } from './command-names.ts'
import { COMMAND_LOADERS } from './command-table.ts'
import { compileJsonError } from './output/json.ts'
import { OutputClosed } from './output/output-stream.ts'

/** True when the arguments ask for JSON, read without a parser: it must hold for arguments that are wrong, too. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  const own = end === -1 ? argv : argv.slice(0, end)
  return own.some(
    (word, index) =>
      word === '-ojson' ||
      word === '--output=json' ||
      word === '-o=json' ||
      ((word === '-o' || word === '--output') && own[index + 1] === 'json'),
  )
}

/** What commander throws: help and version end with 0, the rest is a wrong command line. */
function isCommanderError(error: unknown): error is Error & { readonly code: string; readonly exitCode: number } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('commander.')
}

async function dispatch(cli: Cli, argv: readonly string[]): Promise<void> {
  const [name = 'help', ...rest] = argv
  if (name === '--version' || name === '-V') return await dispatch(cli, ['version', ...rest])
  if (name === '--help' || name === '-h') return await dispatch(cli, ['help', ...rest])
  const [topic] = rest
  if (name === 'help' && topic !== undefined && !topic.startsWith('-') && topic !== 'help') return await dispatch(cli, [topic, '--help'])
  if (!isCommand(name)) {
    const { nearestName } = await import('../task/nearest-name.ts')
    const near = nearestName(name, COMMAND_NAMES)
    throw new InputError('invalid_argument', `unknown command "${name}"`, {
      hint: near === undefined ? 'All commands: drover help' : `Did you mean "${near}"?`,
    })
  }
  await (await COMMAND_LOADERS[name]())(cli, rest)
}

/** Adds the nearest name to an error about a job or target that is not there; asks only a living supervisor. */
async function withNearestName(cli: Cli, error: DroverError): Promise<DroverError> {
  if (error.details.hint !== undefined || (error.code !== 'unknown_job' && error.code !== 'unknown_target')) return error
  const wanted = /"([^"]+)"/.exec(error.message)?.[1]
  if (wanted === undefined) return error
  try {
    const drover = await cli.drover()
    const names =
      error.code === 'unknown_job'
        ? (await drover.list({ limit: 200 })).flatMap((job) => [job.id, job.name])
        : (await drover.targets(cli.client)).map((target) => target.name)
    const { nearestName } = await import('../task/nearest-name.ts')
    const near = nearestName(wanted, new Set(names))
    const hint =
      near !== undefined
        ? `Did you mean "${near}"?`
        : error.code === 'unknown_job'
          ? 'Known jobs: drover list --all'
          : 'Known targets: drover target list'
    return new DroverError(error.code, error.message, { ...error.details, hint })
  } catch {
    // The first error is the one to report; the suggestion was only an addition to it.
    return error
  }
}

async function report(cli: Cli, argv: readonly string[], thrown: unknown): Promise<number> {
  if (thrown instanceof OutputClosed) return 141
  if (isCommanderError(thrown) && thrown.exitCode === 0) return 0
  const error = isCommanderError(thrown)
    ? new InputError('invalid_argument', thrown.message.replace(/^error: /, '').trim(), {
        hint: `Usage: drover help ${argv[0] ?? ''}`.trimEnd(),
      })
    : thrown
  const shown = error instanceof DroverError ? await withNearestName(cli, error) : error
  try {
    if (asksForJson(argv)) await cli.host.stdout.write(compileJsonError(toErrorJson(shown)))
    const text =
      shown instanceof DroverError
        ? shown.display
        : shown instanceof Error
          ? cli.host.environment.DROVER_DEBUG
            ? (shown.stack ?? shown.message)
            : shown.message
          : String(shown)
    await cli.say(`drover: ${text}`)
  } catch (failure) {
    if (!(failure instanceof OutputClosed)) throw failure
  }
  return DROVER_EXIT_CODE
}

/** Runs one command line (without `node drover`) and resolves to its exit code. Never throws for what a user can cause. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  const cli = new Cli(host)
  let code: number
  try {
    await dispatch(cli, argv)
    code = cli.exitCode
  } catch (error) {
    code = await report(cli, argv, error)
  }
  await cli.close()
  return code
}

/** The program: `bin/drover.js` calls it with the process's arguments. */
export async function main(): Promise<void> {
  const { createProcessHost } = await import('./process-host.ts')
  process.exitCode = await runCli(process.argv.slice(2), createProcessHost())
}
