import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { quoteShell } from '../../driver/quote.ts'
import type { WorkerCall, WorkerCallArgs } from '../../workflow/calls/worker-call.ts'
import { callEnvironment } from '../shell/call-environment.ts'
import { CALL_VARIABLES } from './job-script.ts'

/** Stands for the checkpoints directory, whose place a job knows as TKR_DIR. */
const ROOT = '/drover-checkpoints'

/**
 * Lines of POSIX sh that set the variables by which a script learns of its call (`callEnvironment`), with paths from TKR_DIR on:
 * `export input_a_file="$TKR_DIR"/W/-.N0/outputs/value`. `args` and `argsPath` are those that the job has.
 */
function compileCallVariables(call: WorkerCall, args: WorkerCallArgs, argsPath: string): string {
  const paths = callEnvironment({ ...call, root: ROOT, args, argsPath })
  const values = Object.entries(callEnvironment(call)).filter(([name]) => /^input_.*_value$/.test(name))
  return [...Object.entries(paths), ...values]
    .filter(([name]) => name !== 'TKR_DIR')
    .map(([name, value]) => `export ${name}=${fromRoot(value)}\n`)
    .join('')
}

function fromRoot(value: string): string {
  if (value === ROOT) return '"$TKR_DIR"'
  return value.startsWith(`${ROOT}/`) ? `"$TKR_DIR"/${quoteShell(value.slice(ROOT.length + 1))}` : quoteShell(value)
}

/** Writes them beside the arguments, below `root`. */
export async function writeCallVariables(root: string, call: WorkerCall, args: WorkerCallArgs, argsPath: string): Promise<void> {
  await writeFile(join(root, dirname(argsPath), CALL_VARIABLES), compileCallVariables(call, args, argsPath))
}
