import { quoteArgv, quoteShell, shellAssignments } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'

/** What `compileCallScript` needs; all paths absolute. */
export interface CallScriptOptions {
  /** The run's journal of processes, see `call-journal.ts`. */
  readonly journalPath: string
  /** The call's key in it: no spaces. */
  readonly key: string
  readonly argv: readonly string[]
  readonly cwd: string
  /** Exported over the environment that the program inherits. */
  readonly env: Readonly<Record<string, string>>
  /** Undefined: /dev/null. */
  readonly stdin?: string | undefined
  /** Appended to; undefined: /dev/null. */
  readonly stdout?: string | undefined
  /** Appended to. */
  readonly stderr: string
  /** A log that gets the beginning of `stdout` (1 MiB at most) when the command has ended; undefined: none. */
  readonly stdoutCopy?: string | undefined
}

/**
 * The program that runs one call and proves its end: POSIX sh (dash, bash, busybox ash), leader of its session. It appends its
 * identity to the journal, runs the command as its child with files as stdin, stdout and stderr, sends TERM to what the command
 * left behind, and appends the end last. When its own file is gone once its identity is written, the call was revoked by a
 * controller that found no trace of it: nothing is run.
 *
 * TERM to the group ends the command; this shell waits on and records how it ended.
 * Throws InputError `invalid_argument` as the quoting does (NUL, names that are no variables), and on an empty command.
 */
export function compileCallScript(options: CallScriptOptions): string {
  const { argv, stdin = '/dev/null', stdout = '/dev/null', stderr } = options
  const [program = ''] = argv
  if (program === '' || program.startsWith('-')) {
    throw new InputError('invalid_argument', `cannot run ${JSON.stringify(program)}: it is no command`, {
      hint: 'Name a program, then its arguments.',
    })
  }
  return `_d_journal=${quoteShell(options.journalPath)} _d_key=${quoteShell(options.key)}
_d_in=${quoteShell(stdin)} _d_out=${quoteShell(stdout)} _d_err=${quoteShell(stderr)}
${BEGIN}cd ${quoteShell(options.cwd)} || _d_end 0 cwd
_d_try_files
(
  unset _d_known_boot _d_known_reset
${shellAssignments(options.env)}  exec ${quoteArgv(argv)}
) <"$_d_in" >>"$_d_out" 2>>"$_d_err"
_d_code=$?
${copyOf(options)}# What the command left behind; this shell has a trap.
kill -TERM "-$$"
_d_end "$_d_code" ran
`
}

/** Most of a call's output that its run's log gets, bytes. */
const MOST_COPIED = 1 << 20

function copyOf({ stdout, stdoutCopy }: CallScriptOptions): string {
  if (stdout === undefined || stdoutCopy === undefined) return ''
  return `[ -s "$_d_out" ] && head -c ${MOST_COPIED} <"$_d_out" >>${quoteShell(stdoutCopy)}\n`
}

const BEGIN = `trap '' HUP
trap : TERM INT
exec 2>/dev/null
set -f
unset CDPATH

# A full disk is tried again; the line break ends what was written of the line before.
_d_end() {
  _d_tries=0
  until printf 'e %s %s %s .\\n' "$_d_key" "$1" "$2" >>"$_d_journal"; do
    _d_tries=$((_d_tries + 1))
    [ "$_d_tries" -lt 60 ] && [ -d "\${_d_journal%/*}" ] || exit 1
    sleep 1
    printf '\\n' >>"$_d_journal"
  done
  exit 0
}

# One file after the other: a redirection that fails does not say which it was.
_d_try_files() {
  [ -r "$_d_in" ] || _d_end 0 stdin
  printf '' >>"$_d_out" || _d_end 0 stdout
  printf '' >>"$_d_err" || _d_end 0 stderr
}

if read -r _d_stat <"/proc/$$/stat" && read -r _d_boot </proc/sys/kernel/random/boot_id; then
  set -- \${_d_stat##*") "}
  shift 19
  _d_start=$1
else
  _d_start=
  for _d_part in $(ps -o lstart= -p $$); do _d_start=$_d_start$_d_part; done
  _d_boot=$(sysctl -n kern.boottime | sed 's/ usec.*//' | tr -cd 0-9)
fi
printf 'b %s %s %s %s .\\n' "$_d_key" $$ "\${_d_start:--}" "\${_d_boot:--}" >>"$_d_journal" || exit 1
[ -e "$0" ] || _d_end 0 revoked
`
