import { InputError } from '../errors.ts'
import type { ResolvedTask } from '../executors/executor.ts'
import type { JobRow } from '../store/store.ts'
import { readAttemptPlan, workDirsOf } from './attempt-plan.ts'
import { fetchOutputs, outputDirectory } from './collect.ts'
import type { JobControl } from './job-context.ts'

/**
 * Brings files of a job's work directory back: those that fit `globs`, else the task's `collect`, else all.
 *
 * @throws InputError `conflict` for a job that has not started, `missing_file` when nothing fits
 */
export async function fetchJob(
  row: JobRow,
  options: { readonly globs?: readonly string[]; readonly to?: string },
  { store, targets }: JobControl,
): Promise<{ readonly directory: string; readonly files: readonly string[] }> {
  const task = row.task === undefined ? undefined : (JSON.parse(row.task) as ResolvedTask)
  const plan = readAttemptPlan((await store.attempts(row.id)).findLast((attempt) => attempt.plan !== undefined)?.plan)
  if (plan === undefined || task === undefined) throw new InputError('conflict', `job ${row.id} has not started: there is nothing to fetch`)
  const globs = options.globs?.length ? options.globs : task.collect.length > 0 ? task.collect : ['**']
  const directory = options.to ?? outputDirectory(task.clientDirectory ?? task.spec.baseDirectory, row)
  const files = await fetchOutputs(workDirsOf(plan), globs, directory, (await targets.open(row)).transport)
  if (files.length === 0) throw new InputError('missing_file', `nothing in the work directory of job ${row.id} matches ${globs.join(', ')}`)
  return { directory, files }
}
