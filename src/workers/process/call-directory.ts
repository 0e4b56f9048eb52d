import { rmSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'

/**
 * Removes what an earlier try at the call left to say how it ended: marks, error texts, stderr. Files outside the call's directory
 * stay. Returns false when the directory itself is gone.
 */
export function clearMarks(call: Pick<WorkerCall, 'args' | 'directory' | 'root'>): boolean {
  const { done_path, error_path, errors_path } = call.args
  const named = [done_path, error_path, ...(errors_path ? [errors_path] : [])].map((path) => resolve(call.root, path))
  const inside = named.filter((path) => !relative(call.directory, path).startsWith('..'))
  const own = ['_done', '_error', '_errors', 'errors'].map((name) => join(call.directory, name))
  for (const path of new Set([...own, ...inside])) {
    if (path !== call.directory) rmSync(path, { force: true })
  }
  return statSync(call.directory, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Absolute path of the run's log, to which stdout goes; undefined: nowhere. */
export function logsPath(call: Pick<WorkerCall, 'args' | 'root'>): string | undefined {
  return call.args.logs_path === null ? undefined : resolve(call.root, call.args.logs_path)
}
