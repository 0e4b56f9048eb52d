import { writeFileSync } from 'node:fs'
import { DroverError, InputError } from '../../errors.ts'
import { compileIdl } from '../stubs/idl-compiler.ts'
import { compilePythonStubs } from '../stubs/python-compiler.ts'
import { ServedCall } from './serve-call.ts'
import type { Worker } from './worker.ts'

/** How long a task may go on after SIGTERM. */
const GRACE_MS = 2_000
/** 128 + SIGTERM, as shells have it. */
const TERMINATED = 143

const HELP = `usage: tkr-NAME DEFINITION       run one call; paths are relative to $TKR_DIR, or absolute
       tkr-NAME --stubs-path F   write stubs for Python graphs to F
       tkr-NAME --idl-path F     write the interface (TypeSpec) to F
       tkr-NAME --describe       print the interface as JSON
`

/** Runs the program of a worker and ends the process: 0, 1 for a failure, 143 after SIGTERM. */
export async function runApp(worker: Worker, args: readonly string[]): Promise<void> {
  const [first, path] = args
  try {
    if (first === undefined) process.stderr.write(HELP.replaceAll('NAME', worker.name))
    else if (first === '--help' || first === '-h') process.stdout.write(HELP.replaceAll('NAME', worker.name))
    else if (first === '--describe') process.stdout.write(`${JSON.stringify(worker.describe(), null, 2)}\n`)
    else if (first === '--stubs-path') writeFileSync(needed(first, path), compilePythonStubs(worker.describe()))
    else if (first === '--idl-path') writeFileSync(needed(first, path), compileIdl(worker.describe()))
    else return await runCall(worker, first)
  } catch (error) {
    process.stderr.write(`${error instanceof DroverError ? error.display : String(error)}\n`)
    process.exit(1)
  }
  process.exit(0)
}

function needed(flag: string, path: string | undefined): string {
  if (path === undefined || path === '') throw new InputError('invalid_argument', `${flag} needs the path of a file`)
  return path
}

async function runCall(worker: Worker, argsPath: string): Promise<void> {
  const stop = new AbortController()
  const call = new ServedCall(worker, argsPath, {
    environment: process.env,
    stderr: (text) => process.stderr.write(text),
    signal: stop.signal,
  })
  let hasFailed = false
  const end = (code: number, error?: unknown): void => {
    if (code !== 0 && !hasFailed && !call.isDone) {
      hasFailed = true
      call.fail(error)
    }
    process.exit(call.isDone ? 0 : code)
  }
  // A task that ends the process, or waits for what never comes, must not look like one that succeeded.
  process.on('exit', (code) => {
    if (call.isDone || hasFailed) return
    hasFailed = true
    call.fail(new Error(`the worker's process ended before task and outputs were complete (exit code ${code})`))
    if (code === 0 || code === 13) process.exitCode = 1
  })
  process.on('uncaughtException', (error) => end(1, error))
  process.once('SIGTERM', () => {
    const reason = new Error('the worker was told to end (SIGTERM)')
    stop.abort(reason)
    setTimeout(() => end(TERMINATED, reason), GRACE_MS)
  })
  try {
    await call.run()
    end(0)
  } catch (error) {
    if (stop.signal.aborted) end(TERMINATED, stop.signal.reason)
    else end(1, error)
  }
}
