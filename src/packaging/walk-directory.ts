import { existsSync, readFileSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { DroverError } from '../errors.ts'
import { type IgnoreFile, isIgnored, parseIgnoreFile } from './ignore-rules.ts'

/** One thing that belongs to a bundle. */
export interface CodeEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'link'
  /** Permission bits. */
  readonly mode: number
}

/** Read in every directory; a later one of the list wins over an earlier. */
const IGNORE_FILES = ['.gitignore', '.skyignore', '.droverignore']

/**
 * Lists a directory for packaging, sorted by path: everything but `.git`, what the ignore files leave out, and sockets,
 * pipes and devices. Inside a git work tree the `.gitignore` files above count too, and `.git/info/exclude`. Links are
 * listed, not followed. With `ignore: false` only `.git` is left out.
 *
 * @throws DroverError `staging_failed` or `no_permission`, naming the path
 */
export async function walkDirectory(root: string, options: { readonly ignore: boolean } = { ignore: true }): Promise<readonly CodeEntry[]> {
  const entries: CodeEntry[] = []
  const walk = async (below: string, inherited: readonly IgnoreFile[]): Promise<void> => {
    const here = join(root, below)
    const ignore = options.ignore ? [...inherited, ...ignoreFilesIn(here, below)] : []
    for (const found of await readdir(here, { withFileTypes: true })) {
      const path = below === '' ? found.name : `${below}/${found.name}`
      if (found.name === '.git' || isIgnored(path, found.isDirectory(), ignore)) continue
      const type = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'link' : found.isFile() ? 'file' : undefined
      if (type === undefined) continue
      entries.push({ path, type, mode: (await lstat(join(root, path))).mode & 0o777 })
      if (type === 'directory') await walk(path, ignore)
    }
  }
  try {
    await walk('', options.ignore ? ignoreFilesAbove(root) : [])
  } catch (error) {
    throw unreadable(root, error)
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function ignoreFilesIn(directory: string, below: string): readonly IgnoreFile[] {
  return IGNORE_FILES.flatMap((name) => {
    const text = readIfThere(join(directory, name))
    return text === undefined ? [] : [{ directory: below, rules: parseIgnoreFile(text) }]
  })
}

/** Rules of the git work tree around `root`: tested against paths of `root`, so each pattern sees the path from its own directory. */
function ignoreFilesAbove(root: string): readonly IgnoreFile[] {
  let top = root
  while (!existsSync(join(top, '.git'))) {
    if (dirname(top) === top) return []
    top = dirname(top)
  }
  const found: IgnoreFile[] = []
  const add = (path: string, directory: string): void => {
    const text = readIfThere(path)
    if (text === undefined) return
    const prefix = relative(directory, root).split(sep).join('/')
    const rules = parseIgnoreFile(text).map((rule) => (prefix === '' ? rule : { ...rule, pattern: behindPrefix(rule.pattern, prefix) }))
    found.push({ directory: '', rules })
  }
  add(join(top, '.git', 'info', 'exclude'), top)
  const chain: string[] = []
  for (let at = root; at !== top; at = dirname(at)) chain.unshift(dirname(at))
  for (const directory of chain) add(join(directory, '.gitignore'), directory)
  return found
}

/** A pattern that tests `prefix/path` when asked about `path`. */
function behindPrefix(pattern: RegExp, prefix: string): RegExp {
  return Object.assign(new RegExp(pattern.source, pattern.flags), { test: (path: string) => pattern.test(`${prefix}/${path}`) })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // `.git` is a file in a linked work tree; a directory may be called .gitignore.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined
    throw error
  }
}

/** The error for code that cannot be read. */
export function unreadable(root: string, error: unknown): DroverError {
  if (error instanceof DroverError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const path = error instanceof Error && 'path' in error ? String(error.path) : root
  const hint = path.includes('\uFFFD')
    ? 'Its name is not UTF-8: rename it, or name it in .droverignore.'
    : 'Make it readable, or name it in .droverignore.'
  const denied = code === 'EACCES' || code === 'EPERM'
  return new DroverError(
    denied ? 'no_permission' : 'staging_failed',
    `cannot package ${root}: cannot read ${path}: ${code || String(error)}`,
    { level: 'staging', cause: error, hint },
  )
}
