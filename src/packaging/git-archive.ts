import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DroverError, InputError } from '../errors.ts'
import type { WorkdirPartSpec } from '../task/task-spec.ts'
import { copyTree } from './copy-tree.ts'
import { changedFiles } from './git-changes.ts'
import { matchPatterns } from './match-patterns.ts'
import { runGit } from './run-git.ts'
import { type CodeEntry, walkDirectory } from './walk-directory.ts'

/** What a commit of a local repository is packaged from. */
export type GitArchiveSpec = Extract<WorkdirPartSpec, { kind: 'git_archive' }>

/** One repository (or submodule) on its way into `destination`. */
interface Source {
  /** Top of its work tree, or the directory of a bare repository. */
  readonly top: string
  readonly commit: string
  readonly bare: boolean
  /** Relative to the top; empty: all of it. */
  readonly subpath: string
  readonly destination: string
  /** For messages: `repository /x`, `submodule lib of /x`. */
  readonly label: string
}

/**
 * Puts a commit of a local repository into a new temporary directory and hands that to `use`: what `git archive` gives
 * (attributes and filters included), submodules at the commits it records, each in its place, then changes and files
 * beside it as far as `spec` asks for them. Nothing is written into the repository.
 *
 * @throws InputError for a ref, subpath or pattern that isn't there, and for changes that are refused; DroverError
 *   `staging_failed` with git's words
 */
export async function withGitArchive<Result>(spec: GitArchiveSpec, use: (directory: string) => Promise<Result>): Promise<Result> {
  const bare = (await gitText(['rev-parse', '--is-bare-repository'], spec.path, `${spec.path} is in no git repository`)) === 'true'
  const top = await gitText(['rev-parse', bare ? '--absolute-git-dir' : '--show-toplevel'], spec.path)
  const ref = spec.ref ?? 'HEAD'
  if (ref.startsWith('-')) throw new InputError('invalid_argument', `workdir.ref: ${JSON.stringify(ref)} is no git ref`)
  const commit = await gitText(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], top, `workdir.ref: there is no ${ref} in ${top}`)
  const made = await mkdtemp(join(tmpdir(), 'drover-archive-'))
  try {
    const destination = join(made, 'tree')
    await collect({ top, commit, bare, subpath: spec.subpath ?? '', destination, label: `the repository ${top}` }, spec)
    for (const { patterns, root = top } of spec.include) await copyTree(root, await matchPatterns({ patterns, root }), destination)
    return await use(destination)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function collect(source: Source, spec: GitArchiveSpec): Promise<void> {
  const { top, commit, subpath, destination } = source
  const current = !source.bare && (await gitText(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], top).catch(() => '')) === commit
  if (!current && (spec.uncommitted === 'include' || spec.untracked === 'include')) {
    throw new InputError(
      'invalid_argument',
      `workdir: changes can be included only where ${source.label} is at the commit: HEAD is another`,
      {
        hint: 'Leave ref out, check it out, or say uncommitted: ignore and untracked: ignore.',
      },
    )
  }
  const links = await submoduleLinks(source, current && spec.uncommitted === 'include')
  const inside = links.find(({ path }) => subpath === path || subpath.startsWith(`${path}/`))
  if (current) await refuseChanges(source, spec)
  if (inside !== undefined) {
    await collect(await openSubmodule(source, inside, subpath.slice(inside.path.length + 1), destination), spec)
    return
  }
  if (current && spec.uncommitted === 'include')
    await copyTree(join(top, subpath), await workTreeEntries(source, ['--cached']), destination)
  else await archive(source)
  if (current && spec.untracked === 'include') {
    const untracked = await workTreeEntries(source, ['--others', '--exclude-standard'])
    await copyTree(join(top, subpath), untracked, destination)
  }
  if (!spec.submodules) return
  for (const link of links) {
    const relative = subpath === '' ? link.path : link.path.startsWith(`${subpath}/`) ? link.path.slice(subpath.length + 1) : undefined
    if (relative !== undefined) await collect(await openSubmodule(source, link, '', join(destination, relative)), spec)
  }
}

async function refuseChanges({ top, subpath, label }: Source, spec: GitArchiveSpec): Promise<void> {
  for (const [kind, policy] of [
    ['uncommitted', spec.uncommitted],
    ['untracked', spec.untracked],
  ] as const) {
    if (policy !== 'refuse') continue
    const changed = await changedFiles(top, subpath, kind, spec.submodules)
    if (changed.length === 0) continue
    const shown = changed.slice(0, 3).map((path) => JSON.stringify(path))
    const more = changed.length > 3 ? ` and ${changed.length - 3} more` : ''
    throw new InputError('conflict', `workdir: ${label} has ${kind} changes: ${shown.join(', ')}${more}`, {
      hint: `Commit them, or say in workdir ${kind}: include or ${kind}: ignore.`,
    })
  }
}

/** Submodules as the commit, or the index, has them. */
async function submoduleLinks(source: Source, ofIndex: boolean): Promise<readonly { path: string; commit: string }[]> {
  const listed = await gitOutput(ofIndex ? ['ls-files', '-z', '--stage'] : ['ls-tree', '-r', '-z', source.commit], source.top)
  return listed.split('\0').flatMap((line) => {
    // `160000 commit <hash>\t<path>`; from the index `160000 <hash> 0\t<path>`.
    const match = /^160000 (?:commit )?([0-9a-f]+)(?: \d)?\t(.+)$/s.exec(line)
    return match?.[1] === undefined || match[2] === undefined ? [] : [{ path: match[2], commit: match[1] }]
  })
}

async function openSubmodule(
  source: Source,
  link: { readonly path: string; readonly commit: string },
  subpath: string,
  destination: string,
): Promise<Source> {
  const top = join(source.top, link.path)
  const label = `the submodule ${link.path} of ${source.top}`
  // Without a .git of its own the directory would be taken for a part of the repository around it.
  if (source.bare || !existsSync(join(top, '.git'))) {
    throw new InputError('missing_file', `workdir: ${label} is not checked out`, {
      hint: 'Run: git submodule update --init --recursive. Or say submodules: false.',
    })
  }
  const has = await runGit(['cat-file', '-e', `${link.commit}^{commit}`], top)
  if (has.failure !== undefined) {
    throw new InputError('missing_file', `workdir: ${label} lacks the commit ${link.commit.slice(0, 12)} that the repository names`, {
      hint: 'Run: git submodule update --init --recursive.',
    })
  }
  return { top, commit: link.commit, bare: false, subpath, destination, label }
}

/** Puts what `git archive` gives into the destination. */
async function archive({ top, commit, subpath, destination, label }: Source): Promise<void> {
  const made = await mkdtemp(join(tmpdir(), 'drover-archive-'))
  try {
    const file = join(made, 'code.tar')
    const args = ['-c', 'tar.umask=022', 'archive', '--format=tar', `--output=${file}`, commit]
    const { failure, stderr } = await runGit(subpath === '' ? args : ['--literal-pathspecs', ...args, '--', subpath], top)
    const absent = failure !== undefined && /did not match any files/.test(stderr)
    if (failure !== undefined && !absent) throw gitFailure(`cannot archive ${label}`, stderr)
    const tree = join(made, 'tree')
    if (!absent) await extract(file, made, tree)
    const from = join(tree, subpath)
    if (subpath !== '' && (await lstat(from).catch(() => undefined))?.isDirectory() !== true) {
      throw new InputError('missing_file', `workdir.subpath: ${label} has no directory ${subpath} at ${commit.slice(0, 12)}`)
    }
    // The archive of a repository around it leaves an empty directory in a submodule's place.
    if (existsSync(destination) && (await readdir(destination)).length > 0)
      await copyTree(from, await walkDirectory(from, { ignoreFiles: false }), destination)
    else await rename(from, destination)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function extract(file: string, parent: string, tree: string): Promise<void> {
  await mkdir(tree, { recursive: true, mode: 0o700 })
  await new Promise<void>((resolve, reject) => {
    execFile('tar', ['-xpf', file, '-C', tree], { cwd: parent, maxBuffer: 1024 ** 2 }, (failure, _out, stderr) => {
      if (failure === null) resolve()
      else {
        const missing = 'code' in failure && failure.code === 'ENOENT'
        const why = missing ? 'tar is not installed' : (stderr.trim().split('\n').at(-1) ?? '')
        reject(
          new DroverError('staging_failed', `cannot unpack what git archived: ${why}`, {
            level: 'staging',
            outputTail: stderr.slice(-2000),
          }),
        )
      }
    })
  })
}

/** Files of the work tree that `ls-files` names, relative to the subpath; those deleted there and submodules are left out. */
async function workTreeEntries({ top, subpath }: Source, which: readonly string[]): Promise<readonly CodeEntry[]> {
  const args = ['--literal-pathspecs', 'ls-files', '-z', ...which, ...(subpath === '' ? [] : ['--', subpath])]
  const paths = [...new Set((await gitOutput(args, top)).split('\0').filter(Boolean))].sort()
  const entries: CodeEntry[] = []
  for (const full of paths) {
    const path = subpath === '' ? full : full.slice(subpath.length + 1)
    const found = await lstat(join(top, full)).catch(() => undefined)
    // An untracked repository inside is named by its directory, with a slash.
    if (found === undefined || found.isDirectory() || path === '') continue
    entries.push({ path, type: found.isSymbolicLink() ? 'link' : 'file', mode: found.mode & 0o777 })
  }
  return entries
}

async function gitOutput(args: readonly string[], cwd: string): Promise<string> {
  const { stdout, stderr, failure } = await runGit(args, cwd)
  if (failure !== undefined) throw gitFailure(`cannot read the repository ${cwd}`, stderr)
  return stdout
}

async function gitText(args: readonly string[], cwd: string, problem?: string): Promise<string> {
  const { stdout, stderr, failure } = await runGit(args, cwd)
  if (failure === undefined) return stdout.replace(/\n$/, '')
  const said = stderr.trim().split('\n').at(-1) ?? ''
  throw new InputError('missing_file', `${problem ?? `cannot read the repository ${cwd}`}${said === '' ? '' : ` (${said})`}`, {
    hint: 'workdir.git is a directory of a git repository on this machine; for one elsewhere use url.',
  })
}

function gitFailure(what: string, stderr: string): DroverError {
  return new DroverError('staging_failed', `${what}: ${stderr.trim().split('\n').at(-1) || 'git failed without a word'}`, {
    level: 'staging',
    outputTail: stderr.slice(-2000),
  })
}
