import { InputError } from '../errors.ts'
import { type Located, refusal } from './located.ts'
import { resolvePath } from './paths.ts'
import type { TaskContext } from './task-context.ts'

/**
 * The absolute path of a file or directory of this machine that a value names: relative to the task file, or for a flag
 * to the directory the command runs in.
 *
 * @throws InputError `missing_file` when it isn't there, with the place
 */
export function existingSource(node: Located, path: string, context: TaskContext): string {
  if (node.kind !== 'scalar') throw refusal(path, node.origin, 'must be a path')
  const base = node.origin.flag === undefined ? context.baseDirectory : (context.currentDirectory ?? context.baseDirectory)
  const absolute = resolvePath(node.text, base, context.files.homedir)
  if (context.files.exists(absolute)) return absolute
  // Where variables were put into the text they may be secret: the text as written is shown.
  const shown = JSON.stringify(node.source === node.text ? absolute : node.source)
  throw new InputError('missing_file', `${node.origin.flag ?? path}: ${shown} does not exist`, {
    hint: 'Paths are on this machine and relative to the task file.',
    ...(node.origin.place === undefined ? {} : { location: node.origin.place }),
  })
}
