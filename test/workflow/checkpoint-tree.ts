import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join, relative } from 'node:path'

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

/** Makes a recorded directory again, as the run `id` below `root`. */
export function writeCheckpointTree(tree: CheckpointTree, root: string, id: string): void {
  const links = new Map<number, string>()
  for (const [name, { text, base64 = '', link }] of Object.entries(tree.files)) {
    const path = join(root, id, name)
    mkdirSync(dirname(path), { recursive: true })
    const first = link === undefined ? undefined : links.get(link)
    if (first !== undefined) linkSync(first, path)
    else writeFileSync(path, text === undefined ? Buffer.from(base64, 'base64') : again(text, root, id))
    if (link !== undefined && first === undefined) links.set(link, path)
    // Readers take the times of `nodedef` and `_done` for those of the node.
    utimesSync(path, WRITTEN, WRITTEN)
  }
  for (const name of tree.directories) mkdirSync(join(root, id, name), { recursive: true })
}

const WRITTEN = new Date('2026-01-02T03:04:05.000Z')

function again(text: string, root: string, id: string): string {
  return text
    .replaceAll(/\bW(?=\/|")/g, id)
    .replaceAll('ROOT', root)
    .replaceAll('TIME', '2026-01-02T03:04:05.000006')
}
