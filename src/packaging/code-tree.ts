import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DroverError, InputError } from '../errors.ts'
import type { WorkdirPartSpec, WorkdirSpec } from '../task/task-spec.ts'
import { readManifest } from './content-hash.ts'
import { copyTree } from './copy-tree.ts'
import { withGitArchive } from './git-archive.ts'
import { withGitCheckout } from './git-source.ts'
import { matchPatterns } from './match-patterns.ts'
import { type CodeEntry, walkDirectory } from './walk-directory.ts'

/** Code that is ready to be packaged: a directory of this machine and what of it counts. */
export interface CodeTree {
  /** Absolute. */
  readonly root: string
  /** Lists it anew; sorted by path. */
  list(): Promise<readonly CodeEntry[]>
  /** True when nobody else writes there: what was read once is read. */
  readonly still: boolean
}

/** Times a source that changes while it is copied is copied. */
const TRIES = 4

/**
 * Brings code to where it can be read, hands it to `use`, and removes what was made for it.
 *
 * @throws InputError for what is not there or contradicts itself; DroverError `staging_failed`, `no_permission`
 */
export async function withCodeTree<Result>(
  workdir: Exclude<WorkdirSpec, { kind: 'link' }>,
  use: (tree: CodeTree) => Promise<Result>,
): Promise<Result> {
  const whole = (root: string): CodeTree => ({ root, list: () => walkDirectory(root, { ignoreFiles: false }), still: true })
  switch (workdir.kind) {
    case 'git':
      return withGitCheckout(workdir, (root) => use(whole(root)))
    case 'git_archive':
      return withGitArchive(workdir, (root) => use(whole(root)))
    case 'parts':
      return withParts(workdir.parts, workdir.atRoot, (root) => use(whole(root)))
    case 'patterns':
      await requireDirectory(workdir.root)
      return use({ root: workdir.root, list: () => matchPatterns(workdir), still: false })
    case 'directory': {
      const { path, ignoreFiles = true, keepGit = false } = workdir
      await requireDirectory(path)
      return use({ root: path, list: () => walkDirectory(path, { ignoreFiles, keepGit }), still: false })
    }
  }
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() === true) return
  throw new InputError('missing_file', `workdir: ${path} is not ${found === undefined ? 'there, or not readable' : 'a directory'}`, {
    hint: 'Paths are relative to the task file.',
  })
}

async function withParts<Result>(
  parts: readonly { readonly folder: string; readonly source: WorkdirPartSpec }[],
  atRoot: boolean,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const made = await mkdtemp(join(tmpdir(), 'drover-parts-'))
  try {
    const owners = new Map<string, { readonly folder: string; readonly type: CodeEntry['type'] }>()
    for (const { folder, source } of parts) {
      await withCodeTree(source, async (tree) => {
        const entries = await copyWhole(tree, (list) => {
          for (const { path, type } of list) {
            const place = atRoot || folder === '.' ? path : `${folder}/${path}`
            const owner = owners.get(place)
            if (owner === undefined || owner.folder === folder || (owner.type === 'directory' && type === 'directory')) continue
            throw new InputError('conflict', `workdir.parts: ${owner.folder} and ${folder} both have ${place}`, {
              hint: atRoot ? 'Leave at_root out, and each part has its own folder.' : 'Choose folders that do not overlap.',
            })
          }
          return atRoot ? made : join(made, folder)
        })
        for (const { path, type } of entries) owners.set(atRoot || folder === '.' ? path : `${folder}/${path}`, { folder, type })
      })
    }
    return await use(made)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

/** Copies a tree as it was at one time. `place` sees what would be copied and says where. */
async function copyWhole(tree: CodeTree, place: (entries: readonly CodeEntry[]) => string): Promise<readonly CodeEntry[]> {
  for (let tries = 0; tries < TRIES; tries++) {
    const entries = await tree.list()
    const before = tree.still ? undefined : await readManifest(tree.root, entries)
    const destination = place(entries)
    await copyTree(tree.root, entries, destination)
    if (before === undefined) return entries
    const after = await readManifest(tree.root, await tree.list())
    if (after.hash === before.hash && (await readManifest(destination, entries)).hash === before.hash) return entries
    for (const { path, type } of entries) if (type !== 'directory') await rm(join(destination, path), { force: true })
  }
  throw changing(tree.root)
}

/** The error for code that does not hold still. */
export function changing(root: string): DroverError {
  return new DroverError('staging_failed', `cannot package ${root}: it changes while it is read`, {
    level: 'staging',
    transient: true,
    hint: 'Name what is written there (logs, outputs) in .droverignore.',
  })
}
