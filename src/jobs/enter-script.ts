import { attemptPaths } from '../driver/protocol.ts'
import { quoteArgv, quoteShell } from '../driver/quote.ts'

/** What the environment of one rank is made of again. */
export interface EnterOptions {
  readonly attemptDir: string
  readonly workDir: string
  readonly rank: number
  /** The job has ended: nobody misses its `env` file. */
  readonly ended: boolean
  /** Compiled lines of the target's prologue. */
  readonly prologue?: string
}

/** The function of node.sh that exports what differs by rank, from its head to the brace alone on a line. */
const EXPORTS = '/^_d_export() {$/,/^}$/p'

/**
 * POSIX sh text that makes the environment of one rank in the shell that reads it, and goes to its work directory: the
 * variables of the `env` file while it is there (the only way by which secrets come along), those of the rank as node.sh
 * exports them, the prologue. Ends with 125 where the work directory is gone.
 */
export function compileEnter({ attemptDir, workDir, rank, ended, prologue }: EnterOptions): string {
  const file = (name: string): string => quoteShell(`${attemptDir}/${name}`)
  const missing = `drover: ${workDir} is not there: the directories of the job were removed, or never made`
  const bare = 'drover: the env file of the job is gone: this shell lacks its variables'
  return `[ -d ${quoteShell(workDir)} ] || { printf '%s\\n' ${quoteShell(missing)} >&2; exit 125; }
if [ -r ${file(attemptPaths.env)} ]; then . ${file(attemptPaths.env)}; ${ended ? '' : `else printf '%s\\n' ${quoteShell(bare)} >&2; `}fi
if [ -r ${file(attemptPaths.node)} ]; then
  eval "$(sed -n ${quoteShell(EXPORTS)} ${file(attemptPaths.node)})"
  _d_export ${rank} run
  unset -f _d_export
else
  export DROVER_WORK_DIR=${quoteShell(workDir)} DROVER_NODE_RANK=${rank}
  cd "$DROVER_WORK_DIR" || exit 125
fi
${prologue ?? ''}`
}

/**
 * The program that enters and then runs a command, or the account's own shell: a prologue that defines functions
 * (`module`) can be used by the command. It is to be read by bash where there is one, as prologues are in a job.
 */
export function compileSession(enter: string, command: readonly string[] | undefined): string {
  return `${enter}${command === undefined ? 'exec "${SHELL:-/bin/sh}"' : quoteArgv(command)}\n`
}

/** Hands `$s`, a program, to bash, or to sh where there is none. With a socket as stdin bash would read `.bashrc` once more. */
const RUN_IT = 'if command -v bash >/dev/null 2>&1; then exec bash --norc -c "$s" bash; else exec sh -c "$s" sh; fi'

/** The argv that runs a session's program on this machine. */
export function localSession(program: string): readonly string[] {
  return ['sh', '-c', `s=$1; ${RUN_IT}`, 'drover', program]
}

/**
 * The one word given to ssh that runs a session's program there. Every login shell (bash, dash, fish, tcsh) must read it
 * alike: single quotes without a quote, newline or `!` inside; all but plain characters are octal escapes of `printf`.
 */
export function remoteSession(program: string): string {
  const plain = /^[A-Za-z0-9 _./:=,@+-]$/
  const encoded = [...Buffer.from(program)].map((byte) => {
    const character = String.fromCharCode(byte)
    return plain.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`
  })
  // The dash that a program could begin with would be an option of printf.
  return `exec /bin/sh -c 's=$(printf " ${encoded.join('')}"); ${RUN_IT}'`
}
