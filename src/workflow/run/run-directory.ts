import { isUtf8 } from 'node:buffer'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DroverError, InputError } from '../../errors.ts'
import { Content } from '../engine/content.ts'
import type { Contents } from '../engine/scope.ts'
import type { CallRule } from './call-rules.ts'
import type { OnFailure } from './controller.ts'
import { explainFileTrouble } from './file-troubles.ts'
import { writeAtomically } from './run-files.ts'

export type Layout = 'drover' | 'tierkreis'

/** `run.json`: what a run was started with. */
export interface RunDescription {
  readonly format: 1
  readonly id: string
  readonly name: string | null
  /** ISO 8601, UTC. */
  readonly created_at: string
  readonly layout: Layout
  /** Absolute checkpoints directory. */
  readonly root: string
  readonly on_failure: OnFailure
  readonly max_parallel: number
  readonly rules: readonly CallRule[]
  /** Of the command line: what makes the executors again; null: the library's caller gives them. */
  readonly executors: unknown
  /** Where the graph came from, as given: a file, or `module.ts#export`. */
  readonly source: string | null
  readonly inputs: Readonly<Record<string, StoredInput>>
}

type StoredInput = { readonly text: string } | { readonly base64: string } | { readonly file: string }

/** An input of a run: its content, or a file that holds it. */
export type RunInput = Uint8Array | { readonly path: string }

/** Above this an input is kept as a file of its own, bytes. */
const MOST_INLINE = 256 * 1024

/** Directory of runs in a home. */
export function runsDirectory(home: string): string {
  return join(home, 'workflows')
}

/** Directory of the results that runs of a home take from each other. No id of a run begins with a dot. */
export function cacheDirectory(runs: string): string {
  return join(runs, '.cache')
}

/** Files of one run's own directory. */
export function runPaths(runs: string, id: string) {
  const directory = join(runs, id)
  return {
    directory,
    description: join(directory, 'run.json'),
    graph: join(directory, 'graph.json'),
    journal: join(directory, 'journal'),
    inputs: join(directory, 'inputs'),
    end: join(directory, 'end.json'),
    control: join(directory, 'control'),
    cancel: join(directory, 'control', 'cancel'),
  }
}

/** Refuses ids that are no plain name of a directory. */
export function checkRunId(id: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id)) return
  throw new InputError(
    'invalid_argument',
    `"${id}" can't name a workflow's run: letters, digits, "-", "_" and "." are allowed, at most 100`,
    {
      hint: 'Leave it out: a UUID is made.',
    },
  )
}

/** Makes a run's directory. Throws DroverError `conflict` where there is one of that id. */
export function createRunDirectory(
  runs: string,
  description: Omit<RunDescription, 'inputs' | 'format'>,
  graph: Uint8Array,
  inputs: ReadonlyMap<string, RunInput>,
): RunDescription {
  const { id } = description
  checkRunId(id)
  const paths = runPaths(runs, id)
  try {
    mkdirSync(runs, { recursive: true, mode: 0o700 })
    mkdirSync(paths.directory, { mode: 0o700 })
  } catch (error) {
    if (existsSync(paths.directory)) throw takenId(id, paths)
    throw cannotMake(id, paths.directory, error)
  }
  try {
    const stored: Record<string, StoredInput> = {}
    for (const [port, input] of inputs) stored[port] = storeInput(paths.inputs, Object.keys(stored).length, port, input)
    const whole = { format: 1, ...description, inputs: stored } as const
    writeAtomically(paths.graph, graph)
    // Last: a directory without it is of a run that never began.
    writeAtomically(paths.description, `${JSON.stringify(whole, undefined, 2)}\n`)
    return whole
  } catch (error) {
    rmSync(paths.directory, { recursive: true, force: true })
    throw cannotMake(id, paths.directory, error)
  }
}

function takenId(id: string, { directory, description }: ReturnType<typeof runPaths>): DroverError {
  const isRun = existsSync(description)
  const message = isRun ? `there is a run "${id}" already` : `there is a directory ${directory} already, of a run that never began`
  const hint = isRun ? `Take another id, or go on with it: drover workflow resume ${id}` : 'Take another id, or remove the directory.'
  return new DroverError('conflict', message, { level: 'input', hint })
}

function cannotMake(id: string, directory: string, error: unknown): unknown {
  const elsewhere = 'set DROVER_HOME to a directory of yours on a local disk.'
  return explainFileTrouble(error, `cannot make the run "${id}" in ${directory}`, {
    full: `Make room, or ${elsewhere}`,
    other: `Mend that, or ${elsewhere}`,
  })
}

function storeInput(directory: string, number: number, port: string, input: RunInput): StoredInput {
  if (input instanceof Uint8Array && input.length <= MOST_INLINE) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
    return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') }
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, String(number))
  if (input instanceof Uint8Array) writeAtomically(path, input)
  else keepFile(port, input.path, path)
  return { file: `inputs/${number}` }
}

/** A copy, for the user may go on writing to the file. */
function keepFile(port: string, from: string, to: string): void {
  try {
    copyFileSync(from, to)
  } catch (error) {
    if (existsSync(from) && error instanceof Error && 'code' in error && error.code === 'ENOSPC') throw error
    throw new InputError(
      'missing_file',
      `cannot read ${from}, given for input "${port}": ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/**
 * What is known of a run; undefined where there is none of that id. Throws DroverError `store_newer` for a later format, and
 * `store_unusable` for a file that is damaged or of another run (a copied directory).
 */
export function readDescription(runs: string, id: string): RunDescription | undefined {
  const { description } = runPaths(runs, id)
  if (!existsSync(description)) return undefined
  const document = parseDescription(readFileSync(description, 'utf8'))
  if (document !== undefined && document.format !== 1) {
    throw new DroverError('store_newer', `${description} has format ${String(document.format)}; this release reads 1`, {
      level: 'config',
      hint: 'Use the release of Drover that wrote it, or a newer one.',
    })
  }
  if (document?.id === id) return document
  throw new DroverError('store_unusable', `${description} ${document === undefined ? 'is damaged' : `is of the run "${document.id}"`}`, {
    level: 'config',
    hint: 'Put back what was there, or remove the directory.',
  })
}

function parseDescription(text: string): RunDescription | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null && 'id' in document ? (document as RunDescription) : undefined
  } catch {
    return undefined
  }
}

/** A run's inputs, as contents. */
export function readInputs(runs: string, description: RunDescription): Contents {
  const { directory } = runPaths(runs, description.id)
  const contents = new Map<string, Content>()
  for (const [port, input] of Object.entries(description.inputs)) {
    if ('file' in input) contents.set(port, Content.file(join(directory, input.file)))
    else contents.set(port, Content.written('text' in input ? Buffer.from(input.text) : Buffer.from(input.base64, 'base64')))
  }
  return contents
}

/** Ids of all runs that can be read, newest first. */
export function listRunIds(runs: string): readonly string[] {
  if (!existsSync(runs)) return []
  const found: { readonly id: string; readonly createdAt: string }[] = []
  for (const id of readdirSync(runs)) {
    const description = /^[A-Za-z0-9]/.test(id) ? readableDescription(runs, id) : undefined
    if (description !== undefined) found.push({ id, createdAt: description.created_at })
  }
  return found.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).map(({ id }) => id)
}

/** One that can't be read is told of by who asks for it by its id; it keeps nobody from the others. */
function readableDescription(runs: string, id: string): RunDescription | undefined {
  try {
    return readDescription(runs, id)
  } catch {
    return undefined
  }
}

/** The one run that a selector means: an id, a unique beginning of one, a name (its newest run), or `last`. */
export function selectRun(runs: string, selector: string): RunDescription {
  const exact = /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(selector) ? readDescription(runs, selector) : undefined
  if (exact !== undefined) return exact
  const all = listRunIds(runs)
  const named = (id: string): boolean => readDescription(runs, id)?.name === selector
  const beginning = all.filter((id) => id.startsWith(selector))
  const id = selector === 'last' ? all[0] : beginning.length === 1 ? beginning[0] : all.find(named)
  const description = id === undefined ? undefined : readDescription(runs, id)
  if (description !== undefined) return description
  const several = beginning.length > 1
  throw new InputError(
    several ? 'ambiguous_job' : 'unknown_job',
    several ? `"${selector}" begins the ids of ${beginning.length} workflow runs` : `there is no workflow run "${selector}"`,
    { hint: 'drover workflow list shows them.' },
  )
}

/** How a run ended, kept beside its journal so that a list need not read that. */
export interface RunEndNote {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  /** ISO 8601, UTC. */
  readonly at: string
}

/** Undefined: it has not ended, or the note can't be read; the journal has the end, too. */
export function readEnd(runs: string, id: string): RunEndNote | undefined {
  const { end } = runPaths(runs, id)
  try {
    return JSON.parse(readFileSync(end, 'utf8')) as RunEndNote
  } catch {
    return undefined
  }
}
