import { DroverError } from '../errors.ts'
import { runGit } from './run-git.ts'

/**
 * Paths (relative to the top) whose state differs from HEAD: `uncommitted` are changes to tracked files, staged or not, and
 * submodules at another commit; `untracked` are files that git neither tracks nor ignores. What is changed inside a
 * submodule is the submodule's own matter.
 *
 * @throws DroverError `staging_failed` with git's words
 */
export async function changedFiles(
  top: string,
  subpath: string,
  kind: 'uncommitted' | 'untracked',
  submodules: boolean,
): Promise<readonly string[]> {
  const args = [
    '--literal-pathspecs',
    'status',
    '--porcelain=v1',
    '-z',
    '--no-renames',
    `--untracked-files=${kind === 'untracked' ? 'all' : 'no'}`,
    `--ignore-submodules=${submodules ? 'dirty' : 'all'}`,
    ...(subpath === '' ? [] : ['--', subpath]),
  ]
  const { stdout, stderr, failure } = await runGit(args, top)
  if (failure !== undefined)
    throw new DroverError('staging_failed', `cannot read the changes of ${top}: ${stderr.trim().split('\n').at(-1)}`, { level: 'staging' })
  return stdout.split('\0').flatMap((line) => (line !== '' && line.startsWith('??') === (kind === 'untracked') ? [line.slice(3)] : []))
}
