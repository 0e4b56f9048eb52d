import { closeSync, openSync, writeFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { writeCallArgs } from '../../workflow/calls/call-args.ts'
import { checkOutputs } from '../../workflow/calls/check-outputs.ts'
import type { WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'

/**
 * Makes the marks that the executor owes for a worker that knows nothing of them: `done_path` (empty) once all outputs are there,
 * else `<loc>/_error`. A cancelled call has none. Where they can't be made the end stays what it is.
 */
export async function markEnd(call: WorkerCall, end: WorkerEnd): Promise<WorkerEnd> {
  if (end.outcome === 'cancelled') return end
  const done = end.outcome === 'succeeded' && (await checkOutputs(call)).missing.length === 0
  try {
    closeSync(openSync(done ? resolve(call.root, call.args.done_path) : join(call.directory, '_error'), 'a'))
  } catch {
    // The directory is gone or the disk full: marks are for other readers, the end is known.
  }
  return end
}

/** How a worker is told paths: relative to the checkpoints directory, as Tierkreis does, or absolute. */
export const CALL_PATHS = ['relative', 'absolute'] as const
export type CallPaths = (typeof CALL_PATHS)[number]

/**
 * The path of the call's arguments as the worker is given it. `absolute`: a copy of the arguments whose paths are all absolute,
 * `<loc>/definition-absolute`, is written for it. Throws what the file system says.
 */
export function argsPathFor(call: WorkerCall, paths: CallPaths): string {
  if (paths === 'relative') return call.argsPath
  const absolute = (path: string): string => (path === '' || isAbsolute(path) ? path : resolve(call.root, path))
  const ports = (files: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([port, path]) => [port, absolute(path)]))
  const { inputs, outputs, output_dir, done_path, error_path, logs_path, errors_path } = call.args
  const path = join(call.directory, 'definition-absolute')
  const args = {
    ...call.args,
    inputs: ports(inputs),
    outputs: ports(outputs),
    output_dir: absolute(output_dir),
    done_path: absolute(done_path),
    error_path: absolute(error_path),
    logs_path: logs_path === null ? null : absolute(logs_path),
    ...(errors_path ? { errors_path: absolute(errors_path) } : {}),
  }
  writeFileSync(path, writeCallArgs(args))
  return path
}
