import { readdirSync, readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, relative } from 'node:path'

/** A file of a checkpoint directory; files of one `link` are one inode. */
export interface TreeFile {
  readonly text?: string
  readonly base64?: string
  readonly link?: number
}

/** What lies below a checkpoint directory: files by path, and the directories that are empty. */
export interface CheckpointTree {
  readonly files: Readonly<Record<string, TreeFile>>
  readonly directories: readonly string[]
}

/** As `test/engines/tierkreis-checkpoints.py` reads one: run, root, times and account are replaced by W, ROOT, TIME and USER. */
export function readCheckpointTree(root: string, id: string): CheckpointTree {
  const directory = join(root, id)
  const files: Record<string, TreeFile> = {}
  const directories: string[] = []
  const links = new Map<number, number>()
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const path of paths) {
    const name = relative(directory, path)
    const { ino, nlink, ...stat } = statSync(path)
    if (stat.mode & 0o040000) {
      if (readdirSync(path).length === 0) directories.push(name)
      continue
    }
    if (nlink > 1 && !links.has(ino)) links.set(ino, links.size + 1)
    const link = nlink > 1 ? { link: links.get(ino) ?? 0 } : {}
    files[name] = { text: plain(readFileSync(path, 'utf8'), root, id), ...link }
  }
  return { files, directories }
}

function plain(text: string, root: string, id: string): string {
  return text
    .replaceAll(id, 'W')
    .replaceAll(root, 'ROOT')
    .replace(new RegExp(`"user_id":\\s*"${userInfo().username}"`, 'g'), '"user_id":"USER"')
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[+-]\d\d:?\d\d|Z)?/g, 'TIME')
}

/** Groups of files that are one inode, each as its sorted paths; without those that `isLeftOut` names. */
export function linkGroups(tree: CheckpointTree, isLeftOut: (name: string) => boolean): readonly string[] {
  const groups = new Map<number, string[]>()
  for (const [name, { link }] of Object.entries(tree.files)) {
    if (link !== undefined && !isLeftOut(name)) groups.set(link, [...(groups.get(link) ?? []), name])
  }
  return [...groups.values()]
    .filter((names) => names.length > 1)
    .map((names) => names.sort().join(' '))
    .sort()
}
