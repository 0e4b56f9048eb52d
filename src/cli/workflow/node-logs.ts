import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { RunFiles } from '../../workflow/run/run-files.ts'
import type { Workflows } from '../../workflow/run/workflows.ts'
import type { Cli } from '../cli.ts'

/** Files of a call that hold what its worker said: stdout, its log, where Tierkreis's workers write their error too, and stderr. */
const FILES = ['stdout', 'logs', '_error', 'errors', '_errors'] as const
/** Files up to this size are compared, so that a message that stands in two is printed once, bytes. */
const MOST_COMPARED = 1 << 20

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
  const seen = new Set<string>()
  for (const name of FILES) {
    const path = join(directory, name)
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    const text = size <= MOST_COMPARED && size > 0 ? readFileSync(path, 'latin1').trim() : undefined
    if (text !== undefined && seen.has(text)) continue
    if (text !== undefined) seen.add(text)
    printed = (await print(cli, path)) || printed
  }
  if (run?.failure !== undefined && !printed) await cli.host.stdout.write(`${run.failure.message}\n`)
}

/** Streamed: a worker may have written a GB. False: there is nothing. */
async function print(cli: Cli, path: string): Promise<boolean> {
  if (!statSync(path, { throwIfNoEntry: false })?.size) return false
  for await (const piece of createReadStream(path)) await cli.host.stdout.write(piece)
  return true
}
