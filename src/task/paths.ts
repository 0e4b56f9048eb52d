import { posix } from 'node:path'

/** An absolute path: `~` and `~/x` from the home directory, others against `base`; `..` and doubled slashes removed. */
export function resolvePath(path: string, base: string, home: string): string {
  const expanded = path === '~' ? home : path.startsWith('~/') ? posix.join(home, path.slice(2)) : path
  return posix.resolve(base, expanded)
}
