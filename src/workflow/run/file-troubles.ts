import { DroverError, type ErrorCode } from '../../errors.ts'

const TROUBLES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['no_space', 'the disk or quota is full'],
  EDQUOT: ['no_space', 'the disk or quota is full'],
  EROFS: ['store_unusable', 'the file system is read-only'],
  EACCES: ['no_permission', 'no permission'],
  EPERM: ['no_permission', 'no permission'],
  ENOTDIR: ['store_unusable', 'a part of the path is not a directory'],
}

/**
 * What the file system refused, as an error for a person: `cannot make the run "r": the disk or quota is full`.
 * Errors of other kinds are returned as they are.
 *
 * @param what what failed, on what
 * @param hint what to do; of a full disk to make room first
 */
export function explainFileTrouble(error: unknown, what: string, hint: { readonly full: string; readonly other: string }): unknown {
  if (!(error instanceof Error) || error instanceof DroverError || !('code' in error) || !('errno' in error)) return error
  // Node's rmSync gives no code for some, and a message that begins with where it would stand.
  const [code, why] = TROUBLES[String(error.code)] ?? ['store_unusable', error.message.replace(/^, (Unknown error: )?/, '')]
  return new DroverError(code, `${what}: ${why}`, {
    level: 'config',
    hint: code === 'no_space' ? hint.full : hint.other,
    cause: error,
  })
}
