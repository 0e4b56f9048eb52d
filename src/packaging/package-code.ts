import { chmod, copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { quoteShell } from '../driver/quote.ts'
import { InputError } from '../errors.ts'
import type { FileMountSpec, WorkdirSpec } from '../task/task-spec.ts'
import type { Transport } from '../transports/transport.ts'
import { withCodeTree } from './code-tree.ts'
import { type BundlePlace, bundleFamily, placeBundle } from './place-bundle.ts'
import { walkDirectory } from './walk-directory.ts'

/** Where a task's code is once it was packaged; `hash` names `<root>/bundles/<hash>`. */
export type PackagedCode = { readonly kind: 'link'; readonly path: string } | { readonly kind: 'bundle'; readonly hash: string }

/**
 * Makes the code available on the target as `<root>/bundles/<sha256>/`. Unchanged code is hashed and not sent again, of
 * changed code only what changed; a bundle appears complete, under its name, or not at all. A directory leaves out what
 * its ignore files name; git takes exactly the commit; `link` must be a directory there.
 *
 * @throws InputError `missing_file` for what is not there; DroverError `staging_failed`, `no_space`, `no_permission`
 */
export async function packageCode(workdir: WorkdirSpec, root: string, transport: Transport): Promise<PackagedCode> {
  return packageCodeAt(workdir, [{ root, transport }])
}

/** As `packageCode`, for nodes without a shared file system: read once, sent to all at the same time, the same everywhere. */
export async function packageCodeAt(workdir: WorkdirSpec, places: readonly BundlePlace[]): Promise<PackagedCode> {
  if (workdir.kind === 'link') {
    const paths = await Promise.all(places.map(({ transport }) => findLinked(workdir.path, transport)))
    return { kind: 'link', path: paths[0] ?? workdir.path }
  }
  const hash = await withCodeTree(workdir, (tree) => placeBundle(tree, bundleFamily(familyOf(workdir)), places))
  return { kind: 'bundle', hash }
}

/** One mount as a plan has it: destination as the task names it, source an absolute path on the target. */
export interface PackagedMount {
  readonly destination: string
  readonly source: string
}

/**
 * Makes the local files, directories and texts of `file_mounts` available on the target, for the plan's `mounts`. What
 * comes from elsewhere is the nodes' business: `compileMountScript`.
 *
 * @throws as packageCode
 */
export async function packageMounts(
  mounts: readonly FileMountSpec[],
  root: string,
  transport: Transport,
): Promise<readonly PackagedMount[]> {
  const packaged = mounts.map(async ({ destination, source }): Promise<readonly PackagedMount[]> => {
    if (source.kind === 'local') return [{ destination, source: await packageMount(source.path, root, transport) }]
    if (source.kind === 'text') return [{ destination, source: await packageText(source.text, destination, root, transport) }]
    return []
  })
  return (await Promise.all(packaged)).flat()
}

/**
 * Makes one local file or directory available on the target; resolves to its absolute path there. Ignore files do not
 * count: what was named is meant.
 *
 * @throws as packageCode
 */
export async function packageMount(source: string, root: string, transport: Transport): Promise<string> {
  const found = await requireSource(source)
  if (found.isDirectory()) return `${root}/bundles/${await placeWhole(source, source, root, transport)}`
  return withOneFile(basename(source), root, transport, source, async (path) => {
    await copyFile(source, path)
    await chmod(path, found.mode & 0o777)
  })
}

/** As `packageMount`, for the content of a file. */
async function packageText(text: string, destination: string, root: string, transport: Transport): Promise<string> {
  return withOneFile(basename(destination), root, transport, `text ${destination}`, (path) => writeFile(path, text, { mode: 0o644 }))
}

async function withOneFile(
  name: string,
  root: string,
  transport: Transport,
  family: string,
  fill: (path: string) => Promise<void>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drover-mount-'))
  try {
    await fill(join(directory, name))
    return `${root}/bundles/${await placeWhole(directory, family, root, transport)}/${name}`
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function placeWhole(source: string, family: string, root: string, transport: Transport): Promise<string> {
  const tree = { root: source, list: () => walkDirectory(source, { ignoreFiles: false }), still: false }
  return placeBundle(tree, bundleFamily(`mount ${family}`), [{ root, transport }])
}

/** Of two bundles of one family the second is made from the first: the same place, whatever its state or ref. */
function familyOf(workdir: Exclude<WorkdirSpec, { kind: 'link' }>): string {
  switch (workdir.kind) {
    case 'git':
      return `git ${workdir.url}`
    case 'patterns':
      return `patterns ${workdir.root}`
    case 'parts':
      return `parts ${workdir.parts.map(({ folder, source }) => `${folder} ${familyOf(source)}`).join(' ')}`
    case 'git_archive':
      return `archive ${workdir.path} ${workdir.subpath ?? ''}`
    case 'directory':
      return `directory ${workdir.path}`
  }
}

async function findLinked(path: string, transport: Transport): Promise<string> {
  // On this machine without a shell: a bare command is such a link, and there may be thousands.
  if (transport.name === 'local' && path.startsWith('/') && (await stat(path).catch(() => undefined))?.isDirectory()) return path
  const shown = path === '~' || path.startsWith('~/') ? `"$HOME"${quoteShell(path.slice(1) || '/')}` : quoteShell(path)
  const { code, stdout } = await transport.run(`cd -- ${shown} 2>/dev/null && printf %s/ "$PWD"`)
  if (code === 0 && stdout.endsWith('/')) return path.startsWith('~') ? stdout.slice(0, -1) : path
  throw new InputError('missing_file', `workdir: ${path} is not a directory on ${transport.name}, or not readable there`, {
    hint: 'A link leads to a directory that is already on the target.',
  })
}

async function requireSource(path: string): Promise<{ isDirectory(): boolean; readonly mode: number }> {
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && (found.isFile() || found.isDirectory())) return found
  throw new InputError(
    'missing_file',
    `file_mounts: ${path} is not ${found === undefined ? 'there, or not readable' : 'a file or a directory'}`,
    { hint: 'Paths are relative to the task file.' },
  )
}
