import type { Job, ListFilter } from '../jobs/drover.ts'
import { requestOnce } from '../server/one-request.ts'
import { packageFacts } from '../server/package-root.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { commaSeparated } from './flag-values.ts'
import { compileList, type ListOptions, parseListOptions } from './list-request.ts'
import { OutputClosed, outputOf } from './output/output-stream.ts'
import { styleFor } from './output/style.ts'

const FLAGS: Readonly<Record<string, keyof ListOptions | 'output'>> = {
  '--state': 'state',
  '-s': 'state',
  '--name': 'name',
  '-n': 'name',
  '--target': 'target',
  '-t': 'target',
  '--group': 'group',
  '-g': 'group',
  '--since': 'since',
  '--age': 'age',
  '--limit': 'limit',
  '-l': 'limit',
  '--output': 'output',
  '-o': 'output',
}

/** What a plain command line of `list` asks for; undefined for anything that takes a real parser. */
export function readPlainFlags(
  argv: readonly string[],
): { readonly options: ListOptions; readonly mode: 'table' | 'json' | 'quiet'; readonly daemon: boolean } | undefined {
  const options: Record<string, string | readonly string[] | boolean> = {}
  let state: readonly string[] | undefined
  let daemon = true
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? ''
    if (word === '--all' || word === '-a') options.all = true
    else if (word === '--no-daemon') daemon = false
    else {
      const equals = word.startsWith('--') ? word.indexOf('=') : -1
      const flag = FLAGS[equals === -1 ? word : word.slice(0, equals)]
      const value = equals === -1 ? argv[++index] : word.slice(equals + 1)
      if (flag === undefined || value === undefined || (equals === -1 && value.startsWith('-'))) return undefined
      if (flag === 'state') state = commaSeparated(value, state)
      else options[flag] = value
    }
  }
  const { output = 'table', ...rest } = options
  if (output !== 'table' && output !== 'json' && output !== 'quiet') return undefined
  return { options: state === undefined ? rest : { ...rest, state }, mode: output, daemon }
}

/** Asks the supervisor, and starts one where there is none and `daemon` allows it. */
async function ask(filter: ListFilter, daemon: boolean): Promise<unknown> {
  const { home, socketPath } = resolveHome(process.env)
  const request = () => requestOnce(socketPath, '/v1/list', filter, packageFacts().version)
  try {
    return await request()
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (!daemon || (code !== 'ENOENT' && code !== 'ECONNREFUSED')) throw error
    const { startDaemon } = await import('../server/start-daemon.ts')
    await startDaemon({ home, socketPath, environment: process.env })
    return await request()
  }
}

/**
 * `drover list` without commander and HTTP client, which would double its time: people and scripts call it in loops.
 * Resolves to the exit code; to undefined, with nothing printed, for what is not plain: help, wrong flags, no
 * background supervisor wanted, an older one, an error. Then `main` does it all again.
 */
export async function fastList(argv: readonly string[]): Promise<number | undefined> {
  const plain = readPlainFlags(argv)
  if (plain === undefined) return undefined
  try {
    const filter = parseListOptions(plain.options)
    const answer = await ask(filter, plain.daemon && process.env.DROVER_DAEMON !== '0')
    // Sent by createHttpApi of a supervisor that is not older.
    const jobs = answer as readonly Job[]
    const stdout = outputOf(process.stdout)
    await stdout.write(compileList(jobs, plain.mode, styleFor(stdout, process.env), Date.now()))
    if (jobs.length === 0 && plain.mode === 'table') await outputOf(process.stderr).write('no jobs\n')
    return 0
  } catch (error) {
    return error instanceof OutputClosed ? 141 : undefined
  }
}
