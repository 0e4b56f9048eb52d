import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import { InputError } from '../../errors.ts'
import { parseIdl } from '../../workers/stubs/idl-parser.ts'
import { parsePythonStubs } from '../../workers/stubs/python-parser.ts'
import type { WorkerInterface } from '../../workers/stubs/worker-interface.ts'
import { prepareEnvironment } from '../../workers/uv/python-environment.ts'
import { uvSettings } from '../../workers/uv/uv-options.ts'
import type { FoundWorker } from './worker-find.ts'

/** How long a worker may take to say what it offers: uv may have to install what it needs first. */
const LIMIT_MS = 300_000
const MAX_SAID = 600

/** What a worker said of itself, or why it did not. */
export type Described = { readonly described: WorkerInterface } | { readonly problem: string }

/** Asks a worker for its tasks, by running it. A script without stubs, and a foreign program on PATH, cannot say. */
export async function describeWorker(worker: FoundWorker): Promise<Described> {
  if (worker.kind === 'python' && worker.python !== undefined) {
    const environment = await prepareEnvironment(worker.python, uvSettings({ registries: [] }))
    if (typeof environment === 'string') return { problem: environment }
    return await byStubs(environment.argv, worker.python.directory, environment.env)
  }
  if (worker.kind === 'typescript') return await byDescribe([worker.path], dirname(worker.path))
  const written = writtenInterface(worker)
  if (written !== undefined) return written
  if (!/^tkr[-_]/.test(basename(worker.path))) return { problem: 'a script does not say which tasks it has' }
  return await byStubs([worker.path], dirname(worker.path), {})
}

/** What can be known without running anything: stubs and interfaces beside the worker. */
export function writtenInterface(worker: FoundWorker): Described | undefined {
  if (worker.registry === null) return undefined
  const folder = join(worker.registry, worker.name)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined
  const inner = `tkr_${worker.name.replaceAll('-', '_')}_impl`
  const candidates = ['stubs.py', 'api/api.py', `${worker.name}.tsp`, `${inner}/${worker.name}.tsp`, `src/${worker.name}.tsp`]
  const path = candidates.map((name) => join(folder, name)).find((candidate) => existsSync(candidate))
  if (path === undefined) return undefined
  try {
    return { described: readInterface(path) }
  } catch (error) {
    return { problem: error instanceof InputError ? error.display : String(error) }
  }
}

/** Reads stubs (`.py`) or an interface (`.tsp`). Throws `InputError`. */
export function readInterface(path: string): WorkerInterface {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new InputError('missing_file', `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return extname(path) === '.tsp' ? parseIdl(text, path) : parsePythonStubs(text, path)
}

/** The interface of a program of the SDK, which prints it. */
export async function byDescribe(argv: readonly string[], cwd: string): Promise<Described> {
  const { stdout, problem } = await ask([...argv, '--describe'], cwd, {})
  if (problem !== undefined) return { problem }
  try {
    const read: unknown = JSON.parse(stdout)
    if (typeof read === 'object' && read !== null && 'name' in read && 'tasks' in read && Array.isArray(read.tasks)) {
      // Written by `Worker.describe` of this SDK.
      return { described: read as unknown as WorkerInterface }
    }
  } catch {
    // Said below, with what it printed.
  }
  return { problem: `it printed no interface for --describe: does it end with "await worker.app()"? It said: ${stdout.slice(0, MAX_SAID)}` }
}

async function byStubs(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Described> {
  const directory = mkdtempSync(join(tmpdir(), 'drover-stubs-'))
  try {
    const path = join(directory, 'stubs.py')
    const { problem } = await ask([...argv, '--stubs-path', path], cwd, env)
    if (problem !== undefined) return { problem }
    if (!existsSync(path)) return { problem: 'it wrote no stubs for --stubs-path: does it end with "worker.app(argv)"?' }
    return { described: readInterface(path) }
  } catch (error) {
    if (error instanceof InputError) return { problem: error.display }
    throw error
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function ask(
  argv: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly problem?: string }> {
  const [program = '', ...args] = argv
  return new Promise((resolve) => {
    const options = {
      cwd,
      env: { ...process.env, DROVER_NODE: process.execPath, ...env },
      encoding: 'utf8',
      timeout: LIMIT_MS,
      maxBuffer: 1 << 26,
    } as const
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout })
      const said = stderr
        .trim()
        .split('\n')
        .slice(-12)
        .join('\n')
        .slice(-4 * MAX_SAID)
      const how = error.killed
        ? `it did not answer within ${LIMIT_MS / 1000} s`
        : typeof error.code === 'number'
          ? `it ended with exit code ${error.code}`
          : error.message
      resolve({ stdout, problem: said === '' ? how : `${how}: ${said}` })
    })
  })
}
