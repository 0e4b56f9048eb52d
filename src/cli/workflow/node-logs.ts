import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { RunFiles } from '../../workflow/run/run-files.ts'
import type { Workflows } from '../../workflow/run/workflows.ts'
import type { Cli } from '../cli.ts'

/** Files of a call that hold what its worker said, and their titles. */
const FILES = [
  ['logs', ''],
  ['errors', ''],
  ['_errors', ''],
] as const

/** `drover workflow logs`: the run's log, or what one node's worker wrote, errors among it. Throws InputError for a node that has none. */
export async function nodeLogs(cli: Cli, workflows: Workflows, selector: string, loc: string | undefined): Promise<void> {
  const { id, root } = workflows.describe(selector)
  const files = new RunFiles(root, id)
  if (loc === undefined) {
    await print(cli, join(root, id, 'logs'))
    return
  }
  const directory = files.directoryOf(loc)
  const run = workflows.inspect(id).functions.get(loc)
  if (run === undefined && !existsSync(directory)) {
    throw new InputError('invalid_argument', `the run ${id} has not come to a call ${loc}`, {
      hint: `drover workflow show ${id} lists its nodes.`,
    })
  }
  let printed = false
  for (const [name] of FILES) printed = (await print(cli, join(directory, name))) || printed
  if (run?.failure !== undefined && !printed) await cli.host.stdout.write(`${run.failure.message}\n`)
}

/** Streamed: a worker may have written a GB. False: there is nothing. */
async function print(cli: Cli, path: string): Promise<boolean> {
  if (!statSync(path, { throwIfNoEntry: false })?.size) return false
  for await (const piece of createReadStream(path)) await cli.host.stdout.write(piece)
  return true
}
