import { InputError } from '../errors.ts'
import type { TaskFile, WorkdirSpec } from '../task/task-spec.ts'

/**
 * The code of one task of a file, for an archive, with the texts that the task places in its work directory.
 *
 * @throws InputError where the file has several tasks and none is chosen, or the task has no workdir
 */
export function requireWorkdir(
  { tasks, source }: TaskFile,
  choice: { readonly task?: string; readonly name?: string },
): { readonly code: WorkdirSpec; readonly name: string; readonly files: Readonly<Record<string, string>> } {
  const names = tasks.map(({ name }) => name ?? '?').join(', ')
  const chosen = choice.task === undefined ? tasks : tasks.filter(({ name }) => name === choice.task)
  const [task] = chosen
  if (task === undefined)
    throw new InputError('invalid_argument', `there is no task "${choice.task}" in ${source}`, { hint: `It has: ${names}.` })
  if (chosen.length > 1)
    throw new InputError('invalid_argument', `${source} has several tasks`, { hint: `Choose one with --task: ${names}.` })
  if (task.workdir === undefined)
    throw new InputError('invalid_argument', `task ${task.name ?? ''} of ${source} has no workdir: there is nothing to package`)
  const files = task.fileMounts.flatMap(({ destination, source: from }) =>
    from.kind === 'text' && !/^[/~]/.test(destination) ? [[destination, from.text] as const] : [],
  )
  return { code: task.workdir, name: choice.name ?? task.name ?? 'task', files: Object.fromEntries(files) }
}
