import { DroverError } from '../errors.ts'

const SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const PERMISSION = new Set(['EACCES', 'EPERM', 'EROFS'])
const TRANSIENT = new Set(['EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY'])

/** The `code` of a system error (`ENOENT`); undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The error for a file operation the host refused: `cannot write /scratch/x: no space left`. Full disks and quotas become
 * `no_space`, missing rights `no_permission`, everything else `staging_failed`. A DroverError passes unchanged.
 */
export function fileError(verb: string, path: string, error: unknown): DroverError {
  if (error instanceof DroverError) return error
  const code = systemCode(error) ?? ''
  if (SPACE.has(code)) {
    return new DroverError('no_space', `cannot ${verb} ${path}: ${code === 'EDQUOT' ? 'disk quota exceeded' : 'no space left'}`, {
      level: 'staging',
      transient: true,
      cause: error,
      hint: 'Free space there (drover prune removes ended jobs), or set another root for the target.',
    })
  }
  if (PERMISSION.has(code)) {
    return new DroverError(
      'no_permission',
      `cannot ${verb} ${path}: ${code === 'EROFS' ? 'the file system is read-only' : 'permission denied'}`,
      {
        level: 'staging',
        cause: error,
        hint: 'Check who owns the path and its directory, or set another root for the target.',
      },
    )
  }
  return new DroverError('staging_failed', `cannot ${verb} ${path}: ${code === '' ? String(error) : describe(code)}`, {
    level: 'staging',
    transient: TRANSIENT.has(code),
    cause: error,
  })
}

function describe(code: string): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    ENOTDIR: 'a part of the path is not a directory',
    EISDIR: 'it is a directory',
    ELOOP: 'too many symbolic links',
    ENAMETOOLONG: 'the name is too long',
    EEXIST: 'it exists already',
    ENOTEMPTY: 'the directory is not empty',
  }
  return words[code] ?? code
}
