import { InputError } from '../errors.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { quoteArgv, quoteShell } from './quote.ts'

/** What to run, with what comes before it in the same shell: compiled lines of a target's prologue. */
export type PreparedRun = RunSpec & { readonly before?: string }

/** A script of one command with a path and words that no shell would read otherwise. */
const SIMPLE_COMMAND = /^\/[A-Za-z0-9_./+-]+(?: +[A-Za-z0-9_./+:=,@%-]+)*$/

/**
 * The text of run.sh. A script stays as the user wrote it, to the byte and line; one command becomes
 * `exec 'prog' 'a b'`, run by `sh`. How it is started is `runCommand`'s.
 * Throws InputError `invalid_argument` on NUL, an empty command, and a command name that begins with a dash.
 */
export function compileRunScript(run: RunSpec): string {
  if (run.kind === 'script') return checkedScript(run.text, 'run')
  const [program] = run.argv
  if (program === undefined || program === '' || program.startsWith('-')) {
    throw new InputError('invalid_argument', `cannot run ${JSON.stringify(program ?? '')}: it is no command`, {
      hint: 'Name a program, then its arguments.',
    })
  }
  return `#!/bin/sh\nexec ${quoteArgv(run.argv)}\n`
}

/** The text of setup.sh: the user's own. Throws InputError `invalid_argument` on NUL. */
export function compileSetupScript(text: string): string {
  return checkedScript(text, 'setup')
}

function checkedScript(text: string, key: string): string {
  if (text.includes('\0')) throw new InputError('invalid_argument', `${key} holds a NUL character`)
  return text.endsWith('\n') ? text : `${text}\n`
}

/**
 * Shell words that start a script of the attempt, `"$_d_dir"/run.sh` being its path: a script with a `#!` line is executed
 * itself, another is read by `shell`, one command by `sh`. In the script `$0` is the path of run.sh, `$$` the leader of its
 * process group, stdin /dev/null. After a prologue the script is read by the prologue's own shell (`. run.sh`, `$0` and `$$`
 * as before), and one with a `#!` line is executed by it.
 */
export function runCommand(run: PreparedRun, shell: string): string {
  if (run.before !== undefined) {
    const last = run.kind === 'script' && run.text.startsWith('#!') ? 'exec "$0"' : '. "$0"'
    return `${quoteShell(shell)} -c ${quoteShell(run.before + last)} "$_d_dir/run.sh"`
  }
  if (run.kind === 'argv') return 'sh "$_d_dir/run.sh"'
  return scriptCommand(run.text, shell, 'run.sh')
}

/** As `runCommand`, for setup.sh. */
export function scriptCommand(text: string | undefined, shell: string, file: string): string {
  return text?.startsWith('#!') ? `"$_d_dir/${file}"` : `${quoteShell(shell)} "$_d_dir/${file}"`
}

/**
 * Shell words of an array element. One command, or a script that is one simple command with a path, is executed without a
 * shell of its own; there `$0` and `$$` are the program's. Any other: as `runCommand`, `$$` is then the element's process,
 * its group the slot's. After a prologue always as `runCommand`: each element runs the prologue.
 */
export function elementCommand(run: PreparedRun, shell: string): string {
  if (!isDirectElement(run)) return runCommand(run, shell)
  return quoteArgv(run.kind === 'argv' ? run.argv : run.text.trim().split(/ +/))
}

/** True when an array element is executed without a shell of its own. */
export function isDirectElement(run: PreparedRun): boolean {
  return run.before === undefined && (run.kind === 'argv' || SIMPLE_COMMAND.test(run.text.trim()))
}
