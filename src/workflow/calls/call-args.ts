/** The `definition` file of a worker call (Tierkreis 2.0.9 to 2.1.1): read in every known dialect, written as 2.1.1 writes it. */
import { InputError } from '../../errors.ts'
import type { WorkerCallArgs } from './worker-call.ts'

const TEXT_KEYS = ['function_name', 'output_dir', 'done_path', 'error_path'] as const
const PORT_KEYS = ['inputs', 'outputs'] as const
/** The order in which Tierkreis writes the keys; others follow in the order in which they were read. */
const WRITTEN_ORDER = ['function_name', 'inputs', 'outputs', 'output_dir', 'done_path', 'error_path', 'logs_path'] as const

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(origin: string, what: string): InputError {
  return new InputError('invalid_argument', `cannot read the worker call ${origin}: ${what}`, {
    hint: 'It is the file "definition" of a node, which a Tierkreis controller writes: JSON with function_name, inputs, outputs, output_dir, done_path, error_path and logs_path.',
  })
}

/** What stands there, for a message. */
function found(value: unknown): string {
  if (value === undefined) return 'is missing'
  if (Array.isArray(value)) return 'is a list'
  return value === null ? 'is null' : `is ${typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value)}`}`
}

/**
 * Reads the arguments of a worker call. Accepted are the seven keys of all releases with paths relative to the checkpoints directory
 * or absolute, an empty `output_dir`, a `logs_path` that is null or missing, an `errors_path` beside `error_path`; unknown keys
 * are kept.
 * @param origin names the file in messages
 * @throws InputError that names the key which is missing or has another type
 */
export function readCallArgs(content: Uint8Array | string, origin = 'definition'): WorkerCallArgs {
  const text = typeof content === 'string' ? content : new TextDecoder().decode(content)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    const why = text.trim() === '' ? 'the file is empty' : `not JSON: ${error instanceof Error ? error.message : String(error)}`
    throw malformed(origin, why)
  }
  if (!isRecord(document)) throw malformed(origin, `the document ${found(document)} where an object was expected`)
  const { function_name, inputs, outputs, output_dir, done_path, error_path, logs_path = null, errors_path } = document
  for (const key of TEXT_KEYS) {
    const value = document[key]
    if (typeof value !== 'string') throw malformed(origin, `"${key}" ${found(value)}, a string was expected`)
    if (value === '' && key !== 'output_dir') throw malformed(origin, `"${key}" is empty`)
  }
  for (const key of PORT_KEYS) {
    const ports = document[key]
    if (!isRecord(ports)) throw malformed(origin, `"${key}" ${found(ports)}, an object of port names and paths was expected`)
    for (const [port, path] of Object.entries(ports)) {
      if (typeof path !== 'string') throw malformed(origin, `"${key}.${port}" ${found(path)}, a path was expected`)
    }
  }
  for (const [key, value] of Object.entries({ logs_path, errors_path })) {
    if (value !== undefined && value !== null && typeof value !== 'string') {
      throw malformed(origin, `"${key}" ${found(value)}, a path or null was expected`)
    }
  }
  // The loops above have read every key that the type names.
  return { ...document, function_name, inputs, outputs, output_dir, done_path, error_path, logs_path } as WorkerCallArgs
}

/** Writes a `definition` byte for byte as Tierkreis 2.1.1 does (one line, no spaces, no line break at the end); unknown keys follow. */
export function writeCallArgs(args: WorkerCallArgs): string {
  const known = Object.fromEntries(WRITTEN_ORDER.map((key) => [key, args[key]]))
  return JSON.stringify({ ...known, ...args })
}

/** What `callArgsOf` needs of a node. All paths are relative to the checkpoints directory. */
export interface CallOfNode {
  /** Name of the run's directory. */
  readonly runId: string
  /** The node's own directory: `W/-.N3.N3`. */
  readonly directory: string
  /** Name of the task without its worker. */
  readonly task: string
  /** Where each input's value lies; see `outputPath`. */
  readonly inputs: ReadonlyMap<string, string>
  /** Output ports that somebody reads, in their order. */
  readonly outputs: readonly string[]
}

/** Path of an output's file, by the directory of the node that writes it: `W/-.N3.N0/outputs/value`. */
export function outputPath(directory: string, port: string): string {
  return `${directory}/outputs/${port}`
}

/**
 * Arguments for a node's call as Tierkreis 2.1.1 gives them: done marker `W/<loc>/_done`, error text `W/<loc>/logs`, log of the
 * worker `W/logs`.
 */
export function callArgsOf({ runId, directory, task, inputs, outputs }: CallOfNode): WorkerCallArgs {
  return {
    function_name: task,
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(outputs.map((port) => [port, outputPath(directory, port)])),
    output_dir: `${directory}/outputs`,
    done_path: `${directory}/_done`,
    error_path: `${directory}/logs`,
    logs_path: `${runId}/logs`,
  }
}
