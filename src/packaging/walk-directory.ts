import { lstatSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import { findIgnoreFiles, type IgnoreSources, NO_IGNORE_FILES } from './find-ignore-files.ts'
import { decideIgnored } from './ignore-rules.ts'

/** One thing that belongs to a bundle. */
export interface CodeEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'link'
  /** Permission bits. */
  readonly mode: number
}

export interface WalkOptions {
  /** Default true: what .gitignore (or .skyignore in its place) and .droverignore name is left out. */
  readonly ignoreFiles?: boolean
  /** Default false: `.git` is left out. */
  readonly keepGit?: boolean
  /** Directories that are worth entering; default all. */
  readonly enter?: (path: string) => boolean
}

/**
 * Lists a directory for packaging, sorted by path: everything but `.git`, what the ignore files leave out, and sockets,
 * pipes and devices. As for git itself, ignore rules say nothing of files that git tracks; .droverignore has the last
 * word on all. Links are listed, not followed.
 *
 * @throws DroverError `staging_failed` or `no_permission`, naming the path
 */
export async function walkDirectory(root: string, options: WalkOptions = {}): Promise<readonly CodeEntry[]> {
  const entries: CodeEntry[] = []
  const { enter = () => true } = options
  const walk = async (below: string, ignore: IgnoreSources, onlyTracked: boolean): Promise<void> => {
    const here = ignore.within(below)
    const found = await readdir(join(root, below), { withFileTypes: true })
    const kept: { readonly entry: CodeEntry; readonly onlyTracked: boolean }[] = []
    for (const one of found) {
      const path = below === '' ? one.name : `${below}/${one.name}`
      const isDirectory = one.isDirectory()
      const isGit = /(?:^|\/)\.git(?:\/|$)/.test(path)
      if (isGit && options.keepGit !== true) continue
      const verdict = isGit ? 'keep' : judge(path, isDirectory, here, onlyTracked)
      if (verdict === 'leave') continue
      if (one.name.includes('\uFFFD')) await refuseUnnamable(root, below, one.name)
      const type = isDirectory ? 'directory' : one.isSymbolicLink() ? 'link' : one.isFile() ? 'file' : undefined
      if (type === undefined) continue
      // A call of its own through the thread pool takes ten times as long.
      const mode = lstatSync(join(root, path)).mode & 0o777
      kept.push({ entry: { path, type, mode }, onlyTracked: verdict === 'tracked' })
    }
    for (const { entry, onlyTracked: below } of kept) {
      entries.push(entry)
      if (entry.type === 'directory' && enter(entry.path)) await walk(entry.path, here, below)
    }
  }
  try {
    await walk('', options.ignoreFiles === false ? NO_IGNORE_FILES : await findIgnoreFiles(root), false)
  } catch (error) {
    throw unreadable(root, error)
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Throws for a name that is not UTF-8, with its bytes as `$'…'` of bash has them; one that really has U+FFFD is fine. */
async function refuseUnnamable(root: string, below: string, name: string): Promise<void> {
  const names = await readdir(join(root, below), { encoding: 'buffer' })
  const wrong = names.find((bytes) => bytes.toString() === name && !Buffer.from(name).equals(bytes))
  if (wrong === undefined) return
  const shown = `$'${wrong.toString('latin1').replace(/[^ -~]|['\\]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`
  const where = below === '' ? root : `${root}/${below}`
  throw new DroverError('staging_failed', `cannot package ${root}: the name ${shown} in ${where} is not UTF-8`, {
    level: 'staging',
    hint: `Rename it: cd ${quoteShell(where)}; mv -- ${shown} NEW (in bash); or name it in .droverignore, with * for such bytes.`,
  })
}

/** `tracked`: kept because git tracks it, or something below it. */
function judge(path: string, isDirectory: boolean, ignore: IgnoreSources, onlyTracked: boolean): 'keep' | 'leave' | 'tracked' {
  const own = decideIgnored(path, isDirectory, ignore.own)
  if (own !== undefined) return own ? 'leave' : 'keep'
  const left = onlyTracked || decideIgnored(path, isDirectory, ignore.git) === true
  if (!left) return 'keep'
  return ignore.tracked.has(path) ? 'tracked' : 'leave'
}

/** The error for code that cannot be read. */
export function unreadable(root: string, error: unknown): DroverError {
  if (error instanceof DroverError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const path = error instanceof Error && 'path' in error ? String(error.path) : root
  const hint = 'Make it readable, or name it in .droverignore.'
  const denied = code === 'EACCES' || code === 'EPERM'
  return new DroverError(
    denied ? 'no_permission' : 'staging_failed',
    `cannot package ${root}: cannot read ${path}: ${code || String(error)}`,
    { level: 'staging', cause: error, hint },
  )
}
