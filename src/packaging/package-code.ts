import { randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { quoteShell } from '../driver/quote.ts'
import { DroverError, InputError } from '../errors.ts'
import type { WorkdirSpec } from '../task/task-spec.ts'
import type { Transport } from '../transports/transport.ts'
import { hashEntries } from './content-hash.ts'
import { withGitCheckout } from './git-source.ts'
import { walkDirectory } from './walk-directory.ts'

/** Where a task's code is once it was packaged; `hash` names `<root>/bundles/<hash>`. */
export type PackagedCode = { readonly kind: 'link'; readonly path: string } | { readonly kind: 'bundle'; readonly hash: string }

/** Times a directory that changes under the reader is read before giving up. */
const TRIES = 4

/**
 * Makes the code available on the target as `<root>/bundles/<sha256>/`. Unchanged code is hashed and not copied again; a
 * bundle appears complete, under its name, or not at all. A directory leaves out what its ignore files name; git takes
 * exactly the commit; `link` is handed through.
 *
 * @throws InputError `missing_file` for a directory that is not there; DroverError `staging_failed`, `no_space`, `no_permission`
 */
export async function packageCode(workdir: WorkdirSpec, root: string, transport: Transport): Promise<PackagedCode> {
  if (workdir.kind === 'git')
    return withGitCheckout(workdir, async (directory) => ({ kind: 'bundle', hash: await putBundle(directory, false, root, transport) }))
  await requireKind(workdir.path, 'workdir', (found) => found.isDirectory(), 'a directory')
  if (workdir.kind === 'link') return { kind: 'link', path: workdir.path }
  return { kind: 'bundle', hash: await putBundle(workdir.path, true, root, transport) }
}

/**
 * Makes one local file or directory of `file_mounts` available on the target; resolves to its absolute path there, for
 * the plan's `mounts`. Ignore files do not count: what was named is meant.
 *
 * @throws as packageCode
 */
export async function packageMount(source: string, root: string, transport: Transport): Promise<string> {
  const found = await requireKind(source, 'file_mounts', (entry) => entry.isFile() || entry.isDirectory(), 'a file or a directory')
  if (found.isDirectory()) return `${root}/bundles/${await putBundle(source, false, root, transport)}`
  const directory = await mkdtemp(join(tmpdir(), 'drover-mount-'))
  try {
    await copyFile(source, join(directory, basename(source)))
    await chmod(join(directory, basename(source)), found.mode & 0o777)
    return `${root}/bundles/${await putBundle(directory, false, root, transport)}/${basename(source)}`
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function requireKind(
  path: string,
  key: string,
  fits: (found: Awaited<ReturnType<typeof stat>>) => boolean,
  kind: string,
): Promise<{ isDirectory(): boolean; readonly mode: number }> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !fits(found)) {
    throw new InputError('missing_file', `${key}: ${path} is not ${found === undefined ? 'there, or not readable' : kind}`, {
      hint: 'Paths are relative to the task file.',
    })
  }
  return found
}

async function putBundle(source: string, ignore: boolean, root: string, transport: Transport): Promise<string> {
  const read = async (): Promise<{ entries: Awaited<ReturnType<typeof walkDirectory>>; hash: string }> => {
    const entries = await walkDirectory(source, { ignore })
    return { entries, hash: await hashEntries(source, entries) }
  }
  let before = await read()
  for (let tries = 0; tries < TRIES; tries++) {
    const bundle = `${root}/bundles/${before.hash}`
    if ((await transport.run(`[ -d ${quoteShell(bundle)} ]`)).code === 0) return before.hash
    const arriving = `${root}/bundles/.${before.hash}-${randomUUID()}`
    await transport.putTree(
      source,
      before.entries.map((entry) => entry.path),
      arriving,
    )
    // What was copied is what was hashed only if nothing changed meanwhile.
    const after = await read()
    if (after.hash === before.hash) {
      // A directory that another client put there in the meantime holds the same; the own one is dropped.
      const placed = await transport.run(
        `mv -T -- ${quoteShell(arriving)} ${quoteShell(bundle)} 2>/dev/null || { [ -d ${quoteShell(bundle)} ] || mv ${quoteShell(arriving)} ${quoteShell(bundle)}; }`,
      )
      await transport.remove([arriving])
      if (placed.code === 0) return before.hash
      throw new DroverError('staging_failed', `cannot place the bundle ${bundle}: ${placed.stderr.trim()}`, {
        level: 'staging',
        outputTail: placed.stderr,
      })
    }
    await transport.remove([arriving])
    before = after
  }
  throw new DroverError('staging_failed', `cannot package ${source}: it changes while it is read`, {
    level: 'staging',
    transient: true,
    hint: 'Name what is written there (logs, outputs) in .droverignore.',
  })
}
