import { InputError } from '../errors.ts'
import type { TaskOverrides } from './overrides.ts'
import type { TaskContext } from './task-context.ts'
import { parseTaskFile } from './task-file.ts'
import type { TaskSpec } from './task-spec.ts'

const FILES: Readonly<Record<string, string>> = {
  '/base/values.txt': 'a\r\nb c\n\nd\n',
  '/here/local.env': '# comment\nexport A=1\nB="two\\nlines"\nC=\'$raw\' # why\n',
}
const EXISTING = ['/base', '/base/code', '/base/data.bin', '/home/u/x', ...Object.keys(FILES)]

/** A context with a few files under /base, /here and /home/u, for tests. */
export function context(overrides: TaskOverrides = {}, environment: Record<string, string> = {}): TaskContext {
  return {
    baseDirectory: '/base',
    currentDirectory: '/here',
    environment,
    overrides,
    files: {
      homedir: '/home/u',
      exists: (path) => EXISTING.includes(path),
      readText: (path) => {
        const text = FILES[path]
        if (text === undefined) throw new Error('ENOENT')
        return text
      },
    },
  }
}

/** The first task of a file. */
export function task(text: string, overrides?: TaskOverrides, environment?: Record<string, string>): TaskSpec {
  return parseTaskFile(text, 'task.yaml', context(overrides, environment)).tasks[0] as TaskSpec
}

/** The error by which a file is refused; fails when it is taken. */
export function refused(text: string | Uint8Array, overrides?: TaskOverrides, environment?: Record<string, string>): InputError {
  try {
    parseTaskFile(text, 'task.yaml', context(overrides, environment))
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
