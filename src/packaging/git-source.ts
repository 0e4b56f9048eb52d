import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DroverError, InputError } from '../errors.ts'
import { runGit } from './run-git.ts'

/**
 * Gets one commit of a repository into a temporary directory by the system's git, hands it to `use`, and removes it.
 * Never asks for a password. `ref`: branch, tag or commit; default the repository's own branch.
 *
 * @throws InputError for a url or ref that git would take for an option; DroverError `staging_failed` with git's words
 */
export async function withGitCheckout<Result>(
  source: { readonly url: string; readonly ref?: string },
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const { url, ref = 'HEAD' } = source
  for (const value of [url, ref]) {
    if (value === '' || value.startsWith('-') || value.includes('\0'))
      throw new InputError('invalid_argument', `workdir: ${JSON.stringify(value)} is no git ${value === url ? 'url' : 'ref'}`)
  }
  const directory = await mkdtemp(join(tmpdir(), 'drover-git-'))
  try {
    await git(['init', '--quiet', '.'], directory, source)
    try {
      await git(['fetch', '--quiet', '--depth', '1', '--no-tags', '--', url, ref], directory, source)
      await git(['checkout', '--quiet', '--detach', 'FETCH_HEAD'], directory, source)
    } catch (error) {
      // A server gives full hashes only where it allows that, and short ones never: look in all branches and tags.
      if (!/^[0-9a-f]{4,40}$/.test(ref)) throw error
      await git(['fetch', '--quiet', '--', url, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], directory, source)
      await git(['checkout', '--quiet', '--detach', ref], directory, source)
    }
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function git(args: readonly string[], cwd: string, source: { readonly url: string; readonly ref?: string }): Promise<void> {
  const { failure, stderr, exitCode } = await runGit(args, cwd)
  if (failure === undefined) return
  const url = withoutPassword(source.url)
  const what = `cannot get the code from git ${url}${source.ref === undefined ? '' : ` at ${source.ref}`}`
  const said = withoutPassword(stderr.trim())
  throw new DroverError('staging_failed', `${what}: ${said.split('\n').at(-1) || 'git failed without a word'}`, {
    level: 'staging',
    transient: /resolve host|timed out|connection|early EOF|unable to access/i.test(said),
    command: `git ${args[0]}`,
    ...(exitCode === undefined ? {} : { exitCode }),
    outputTail: said.slice(-2000),
    hint: 'Check url and ref; git must be able to read it without asking for a password (an ssh agent, or a credential helper).',
  })
}

/** Urls may carry a token: `https://token@host/x` becomes `https://***@host/x`. */
function withoutPassword(text: string): string {
  return text.replace(/(\w+:\/\/)[^\s/@]+@/g, '$1***@')
}
