import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, readlink, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type CodeEntry, unreadable } from './walk-directory.ts'

/** Files copied at one time. */
const COPIES = 8

/**
 * Copies entries (sorted, so that a directory stands before what it holds) into a directory, which may hold others
 * already. Modes and links stay; blocks are shared where the file system can; a file in the way is replaced.
 *
 * @throws DroverError `staging_failed` or `no_permission`
 */
export async function copyTree(root: string, entries: readonly CodeEntry[], destination: string): Promise<void> {
  try {
    await mkdir(destination, { recursive: true, mode: 0o700 })
    const directories = entries.filter(({ type }) => type === 'directory')
    for (const { path } of directories) await mkdir(join(destination, path), { recursive: true, mode: 0o700 })
    const parents = new Set(directories.map(({ path }) => path))
    const rest = entries.filter(({ type }) => type !== 'directory')
    for (const parent of new Set(rest.map(({ path }) => dirname(path))))
      if (!parents.has(parent)) await mkdir(join(destination, parent), { recursive: true, mode: 0o700 })
    let next = 0
    const worker = async (): Promise<void> => {
      for (let entry = rest[next++]; entry !== undefined; entry = rest[next++]) await copyOne(root, entry, destination)
    }
    await Promise.all(Array.from({ length: COPIES }, worker))
    // Last, so that a read-only directory can be filled.
    for (const { path, mode } of directories.toReversed()) await chmod(join(destination, path), mode)
  } catch (error) {
    throw unreadable(root, error)
  }
}

async function copyOne(root: string, { path, type, mode }: CodeEntry, destination: string): Promise<void> {
  const to = join(destination, path)
  if (type === 'link') {
    await symlink(await readlink(join(root, path), 'buffer'), to)
    return
  }
  await copyFile(join(root, path), to, constants.COPYFILE_FICLONE)
  await chmod(to, mode)
}
