import { quoteShell } from './quote.ts'

/** What runs in the job's shell before the user's script. */
export interface Prologue {
  /** As the configuration has it. */
  readonly text: string
  /** Name of the target, for the message when it fails. */
  readonly target: string
  /** Variables of the task: their values stand over the prologue's. */
  readonly kept: readonly string[]
}

/**
 * Lines of POSIX sh that run a prologue in this very shell, so that its variables, functions and PATH act on what follows:
 * `module load cuda` becomes `eval 'module load cuda' >&2` between lines that name its failure (also `exit` in it and text
 * that is no shell), bring back the task's own variables and its directory, and put off `set -e` and the like. What it prints
 * goes to stderr: stdout is the task's. Throws InputError `invalid_argument` on NUL.
 */
export function compilePrologue({ text, target, kept }: Prologue): string {
  return `# The prologue of target ${quoteShell(target)}.
_d_kept='${[...new Set([...kept, 'CUDA_VISIBLE_DEVICES'])].join(' ')}'
for _d_name in $_d_kept; do eval "[ -z \\"\\\${$_d_name+x}\\" ] || _d_kept_$_d_name=\\$$_d_name"; done
trap '_d_code=$?
echo "drover: the prologue of target ${target} failed (exit $_d_code)" >&2
[ "$_d_code" != 0 ] || _d_code=1
exit "$_d_code"' EXIT
eval ${quoteShell(text)} >&2
_d_code=$?
[ "$_d_code" = 0 ] || exit "$_d_code"
trap - EXIT
{ set +eux; } 2>/dev/null
unset IFS
for _d_name in $_d_kept; do
  eval "[ -z \\"\\\${_d_kept_$_d_name+x}\\" ] || { $_d_name=\\$_d_kept_$_d_name; export $_d_name; unset _d_kept_$_d_name; }"
done
unset _d_kept _d_name _d_code
cd "$DROVER_WORK_DIR" || exit
`
}

/**
 * The text of setup.sh with compiled prologue lines before it. A setup with a `#!` line is handed to that program from a
 * here-document, as its file: it gets the prologue's variables, not its functions.
 */
export function prependPrologue(lines: string, setup: string): string {
  const interpreter = /^#!\s*(\S+)[ \t]*(.*)/.exec(setup)
  if (interpreter === null) return `${lines}${setup}`
  const [, program = '', argument = ''] = interpreter
  let end = 'DROVER_SETUP'
  while (setup.includes(end)) end += '_'
  // The kernel gives all that follows the program as one word.
  const words = [program, ...(argument.trim() === '' ? [] : [argument.trim()])].map(quoteShell).join(' ')
  return `${lines}exec ${words} /dev/fd/9 9<<'${end}'\n${setup}${setup.endsWith('\n') ? '' : '\n'}${end}\n`
}
