import { writeFileSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { compileIdl } from '../../workers/stubs/idl-compiler.ts'
import { compilePythonStubs } from '../../workers/stubs/python-compiler.ts'
import { compileTypeScriptStubs } from '../../workers/stubs/typescript-compiler.ts'
import type { WorkerInterface } from '../../workers/stubs/worker-interface.ts'
import type { Cli } from '../cli.ts'
import { findOne, workerPlaces } from './worker-find.ts'
import { byDescribe, describeWorker, readInterface } from './worker-interface.ts'

/** What stubs can be written for. */
export const STUB_FORMS = ['typescript', 'python', 'idl'] as const
type StubForm = (typeof STUB_FORMS)[number]

/** Flags of `drover worker stubs`. */
export interface StubsFlags {
  readonly registry?: readonly string[]
  readonly to?: StubForm
  readonly write?: string
}

const COMPILERS: Readonly<Record<StubForm, (worker: WorkerInterface) => string>> = {
  typescript: compileTypeScriptStubs,
  python: compilePythonStubs,
  idl: compileIdl,
}

/** `drover worker stubs NAME|FILE`: declarations of a worker's tasks, to standard output or a file. */
export async function writeStubs(cli: Cli, source: string, flags: StubsFlags): Promise<void> {
  const { described, isTypeScript } = await interfaceFrom(cli, source, flags)
  const to = flags.to ?? (isTypeScript ? 'python' : 'typescript')
  const text = COMPILERS[to](described)
  const file = flags.write === undefined ? null : resolve(cli.host.directory, flags.write)
  if (file !== null) writeFileSync(file, text)
  await cli.print({
    json: { worker: described.name, to, tasks: described.tasks.map(({ name }) => name), file, text },
    ids: described.tasks.map(({ name }) => name),
    text: () => (file === null ? text : ''),
  })
}

async function interfaceFrom(
  cli: Cli,
  source: string,
  flags: StubsFlags,
): Promise<{ readonly described: WorkerInterface; readonly isTypeScript: boolean }> {
  const path = resolve(cli.host.directory, source)
  const extension = extname(source)
  if (extension === '.py' || extension === '.tsp') return { described: readInterface(path), isTypeScript: false }
  const isFile = ['.ts', '.mts', '.js', '.mjs'].includes(extension)
  const worker = isFile ? undefined : await findOne(source, workerPlaces(cli, flags))
  const asked = worker === undefined ? await byDescribe([process.execPath, path], dirname(path)) : await describeWorker(worker)
  if ('problem' in asked) throw new InputError('invalid_argument', `cannot read the tasks of ${source}: ${asked.problem}`)
  return { described: asked.described, isTypeScript: worker === undefined || worker.kind === 'typescript' }
}
