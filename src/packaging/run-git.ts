import { execFile } from 'node:child_process'
import { DroverError } from '../errors.ts'

const MOST_MS = 10 * 60_000
const MOST_BYTES = 256 * 1024 ** 2

/** How a git command ended. `failure` is undefined where it ended with 0. */
export interface GitOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode?: number
  readonly failure?: Error
}

/**
 * Runs the system's git in a directory. It never asks for a password, takes no locks (so that looking at a repository
 * writes nothing there), and does not see GIT_DIR and its like, which a hook's environment points at another repository.
 *
 * @throws DroverError `staging_failed` where git is not installed
 */
export async function runGit(args: readonly string[], cwd: string): Promise<GitOutcome> {
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !POINTERS.has(name))),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_SSH_COMMAND: `${process.env['GIT_SSH_COMMAND'] ?? 'ssh'} -oBatchMode=yes`,
    LC_ALL: 'C',
  }
  const outcome = await new Promise<GitOutcome>((resolve) => {
    execFile('git', args, { cwd, env, timeout: MOST_MS, maxBuffer: MOST_BYTES }, (failure, stdout, stderr) =>
      resolve({
        stdout,
        stderr,
        ...(failure === null ? {} : { failure }),
        ...(typeof failure?.code === 'number' ? { exitCode: failure.code } : {}),
      }),
    )
  })
  if (outcome.failure !== undefined && 'code' in outcome.failure && outcome.failure.code === 'ENOENT')
    throw new DroverError('staging_failed', 'cannot package the code: git is not installed', {
      level: 'staging',
      hint: 'Install git, or give a directory as workdir.',
    })
  return outcome
}

const POINTERS = new Set([
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_NAMESPACE',
  'GIT_PREFIX',
  'GIT_CONFIG_PARAMETERS',
])
