import { constants, type Dirent } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { DroverError } from '../errors.ts'
import { compileGlob } from './glob.ts'
import { makeDirectory } from './local-files.ts'
import { fileError, systemCode } from './transport-errors.ts'

/** Files copied at one time. */
const COPIES = 8

/**
 * Copies entries (relative paths; parents are made) of `source` to a new directory, through a temporary name and a rename.
 * Modes and links stay; blocks are shared where the file system can. An existing empty directory is replaced.
 *
 * @throws DroverError `conflict` when something is there; else as `fileError`
 */
export async function putLocalTree(source: string, entries: readonly string[], destination: string): Promise<void> {
  let made: string | undefined
  try {
    makeDirectory(dirname(destination))
    made = await mkdtemp(`${destination}.part-`)
    await copyEntries(source, entries, made)
    await rename(made, destination)
  } catch (error) {
    if (made !== undefined) await removeTree(made)
    const code = systemCode(error)
    if (made !== undefined && (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR')) {
      throw new DroverError('conflict', `cannot put a directory at ${destination}: it exists already`, { level: 'staging', cause: error })
    }
    throw fileError('copy to', destination, error)
  }
}

/** Copies entries from directory to directory. Directory modes come last, so that a read-only one can be filled. */
async function copyEntries(source: string, entries: readonly string[], to: string): Promise<void> {
  const directoryModes: { readonly path: string; readonly mode: number }[] = []
  const queue = [...entries].sort()
  const madeParents = new Set<string>(['.'])
  const makeParents = async (entry: string): Promise<void> => {
    const parent = dirname(entry)
    if (madeParents.has(parent)) return
    await mkdir(join(to, parent), { recursive: true, mode: 0o700 })
    madeParents.add(parent)
  }
  const copyOne = async (entry: string): Promise<void> => {
    if (isAbsolute(entry) || entry.split(sep).includes('..'))
      throw new DroverError('internal', `the entry ${entry} leaves ${source}`, { level: 'internal' })
    const from = join(source, entry)
    const target = join(to, entry)
    const found = await lstat(from)
    await makeParents(entry)
    if (found.isDirectory()) {
      await mkdir(target, { recursive: true, mode: 0o700 })
      madeParents.add(entry)
      directoryModes.push({ path: target, mode: found.mode & 0o7777 })
    } else if (found.isSymbolicLink()) await symlink(await readlink(from), target)
    else if (found.isFile()) await copyPlainFile(from, target, found.mode & 0o7777)
    else
      throw new DroverError('staging_failed', `cannot copy ${from}: it is neither a file, a directory nor a link`, {
        level: 'staging',
        hint: 'Name it in .droverignore.',
      })
  }
  let next = 0
  const worker = async (): Promise<void> => {
    for (let entry = queue[next++]; entry !== undefined; entry = queue[next++]) await copyOne(entry)
  }
  // All settle before the first failure is thrown: a copy still under way would fill what is being removed.
  const settled = await Promise.allSettled(Array.from({ length: COPIES }, worker))
  for (const one of settled) if (one.status === 'rejected') throw one.reason
  for (const { path, mode } of directoryModes.reverse()) await chmod(path, mode)
}

/** Copies content and permission bits; shares blocks where the file system can. */
async function copyPlainFile(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
  await chmod(to, mode)
}

/**
 * Brings what matches the globs to `destination`; a directory that matches comes whole. Links are brought as links when
 * they lead to something inside the directory, and are left out otherwise; directories behind links are not entered.
 * Resolves to the relative paths of files and links, sorted. A missing directory matches nothing.
 *
 * @throws InputError for an unusable glob; DroverError as `fileError`
 */
export async function getLocalTree(directory: string, globs: readonly string[], destination: string): Promise<readonly string[]> {
  const patterns = globs.map(compileGlob)
  const matches = (path: string): boolean => {
    if (patterns.some((pattern) => pattern.test(path))) return true
    const parent = dirname(path)
    return parent !== '.' && matches(parent)
  }
  const found: string[] = []
  const walk = async (below: string): Promise<void> => {
    let entries: Dirent[]
    try {
      entries = await readdir(join(directory, below), { withFileTypes: true })
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return
      throw fileError('read', join(directory, below), error)
    }
    for (const entry of entries) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) await walk(path)
      else if ((entry.isFile() || entry.isSymbolicLink()) && matches(path) && (await bring(path, entry.isSymbolicLink()))) found.push(path)
    }
  }
  const bring = async (path: string, isLink: boolean): Promise<boolean> => {
    const from = join(directory, path)
    const to = join(destination, path)
    try {
      const text = isLink ? await readlink(from) : undefined
      if (text !== undefined && !leadsInside(directory, from, text)) return false
      await mkdir(dirname(to), { recursive: true })
      await unlink(to).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error
      })
      if (text === undefined) await copyPlainFile(from, to, (await lstat(from)).mode & 0o777)
      else await symlink(isAbsolute(text) ? relative(dirname(from), text) : text, to)
      return true
    } catch (error) {
      throw fileError('bring', `${from} to ${to}`, error)
    }
  }
  await walk('')
  return found.sort()
}

function leadsInside(directory: string, link: string, text: string): boolean {
  const target = resolve(dirname(link), text)
  return target === directory || target.startsWith(directory.endsWith(sep) ? directory : directory + sep)
}

/** Removes a tree, also one whose directories are read-only; a missing one is no error. @throws DroverError as `fileError` */
export async function removeTree(path: string): Promise<void> {
  if (!isAbsolute(path) || resolve(path) === '/')
    throw new DroverError('internal', `refusing to remove ${JSON.stringify(path)}`, { level: 'internal' })
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  } catch (error) {
    if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EPERM') throw fileError('remove', path, error)
    try {
      await openDirectories(path)
      await rm(path, { recursive: true, force: true })
    } catch (again) {
      throw fileError('remove', path, again)
    }
  }
}

async function openDirectories(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return
  await chmod(path, 0o700)
  for (const entry of await readdir(path, { withFileTypes: true })) if (entry.isDirectory()) await openDirectories(join(path, entry.name))
}
