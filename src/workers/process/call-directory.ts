import { readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { WorkerCall } from '../../workflow/calls/worker-call.ts'

/**
 * Removes what an earlier try at the call left: marks, error texts, stderr and outputs, so that none is taken for this one's. Files
 * outside the call's directory stay. Returns false when the directory itself is gone.
 */
export function clearMarks(call: Pick<WorkerCall, 'args' | 'directory' | 'root'>): boolean {
  const { done_path, error_path, errors_path, outputs } = call.args
  const written = Object.entries(outputs).flatMap(([port, path]) => (port === '*' ? elementsOf(resolve(call.root, path)) : [path]))
  const named = [done_path, error_path, ...(errors_path ? [errors_path] : []), ...written].map((path) => resolve(call.root, path))
  const inside = named.filter((path) => !relative(call.directory, path).startsWith('..'))
  const own = ['_done', '_error', '_errors', 'errors'].map((name) => join(call.directory, name))
  for (const path of new Set([...own, ...inside])) {
    if (path !== call.directory) rmSync(path, { force: true })
  }
  return statSync(call.directory, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Files of a port's elements: `…/outputs/*`. */
function elementsOf(pattern: string): readonly string[] {
  try {
    return readdirSync(dirname(pattern)).flatMap((name) => (/(?:^|-)\d+$/.test(name) ? [join(dirname(pattern), name)] : []))
  } catch {
    // There is no such directory, hence no element.
    return []
  }
}

/** Absolute path of the run's log, to which stdout goes; undefined: nowhere. */
export function logsPath(call: Pick<WorkerCall, 'args' | 'root'>): string | undefined {
  return call.args.logs_path === null ? undefined : resolve(call.root, call.args.logs_path)
}
