import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorJson } from '../errors.ts'
import type { JobRow } from '../store/store.ts'
import { type Transport, transportAt } from '../transports/transport.ts'
import type { ActiveAttempt } from './active-attempt.ts'
import { workDirsOf } from './attempt-plan.ts'
import type { JobContext } from './job-context.ts'

/** How long a node that does not answer is waited for, and how often it is asked, ms. What is lacking then `drover fetch` brings. */
const PATIENCE_MS = 900_000
const ASK_AGAIN_MS = 3_000

export interface CollectOutcome {
  /** Local directory the files were brought to; undefined when they could not be. */
  readonly directory?: string
  readonly files?: readonly string[]
  /** What went wrong. The job's own end stands all the same. */
  readonly warning?: string
}

/** Where a job's files go on the client's side: `<client directory>/drover-out/<name>-<id>`. */
export function outputDirectory(clientDirectory: string, job: { readonly name: string; readonly id: string }): string {
  return join(clientDirectory, 'drover-out', `${job.name}-${job.id}`)
}

/** Brings files matching the globs from the work directories; with several ranks into a folder per rank. Resolves to their paths. */
export async function fetchOutputs(
  workDirs: readonly { readonly node: string; readonly directory: string }[],
  globs: readonly string[],
  to: string,
  transport: Transport,
): Promise<readonly string[]> {
  // Ranks of a linked directory share it.
  const distinct = [...new Map(workDirs.map((each) => [`${each.node}:${each.directory}`, each])).values()]
  const files: string[] = []
  for (const [rank, { node, directory }] of distinct.entries()) {
    const folder = distinct.length > 1 ? String(rank) : ''
    const found = await transportAt(transport, node).getTree(directory, globs, join(to, folder))
    files.push(...found.map((path) => join(folder, path)))
  }
  return files
}

/**
 * Collects what the task's `collect` names; what a cut connection left undone is done when the node answers again. Rejects only
 * when the supervisor stops: any other failure is a warning beside the job's own end.
 */
export async function collectOutputs(
  active: ActiveAttempt,
  job: JobRow,
  transport: Transport,
  context: Pick<JobContext, 'now' | 'signal'>,
): Promise<CollectOutcome> {
  const directory = outputDirectory(active.task.clientDirectory ?? active.task.spec.baseDirectory, job)
  for (const until = context.now() + PATIENCE_MS; ; ) {
    try {
      const files = await fetchOutputs(workDirsOf(active.plan), active.task.collect, directory, transport)
      if (files.length === 0) return { warning: `collect: nothing matches ${active.task.collect.join(', ')}` }
      return { directory, files }
    } catch (error) {
      const { message, level, transient } = toErrorJson(error)
      // The next supervisor collects.
      context.signal.throwIfAborted()
      if (level !== 'transport' || !transient || context.now() > until) return { warning: `collect: ${message}` }
      await sleep(ASK_AGAIN_MS, undefined, { signal: context.signal })
    }
  }
}
