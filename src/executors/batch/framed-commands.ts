import type { CommandOutcome } from './scheduler.ts'

const BEGIN = 'drover-command'
/** Letters of one byte, one by one: what a range holds is the locale's affair. */
const PLAIN = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\\;_-'

/**
 * POSIX sh that runs a command and prints its answer so that several can follow each other: name, exit code, lengths, both
 * texts. Programs are started where a builtin does not do, as for one line of letters and digits such as an id: submitting two
 * hundred jobs takes as long as they do. Sets `code`, `said`, `more` and `erred`; the texts stay in `$out/stdout` and
 * `$out/stderr`, where `out` is a directory that the caller made.
 */
export function framed(name: string, command: string): string {
  return `{ ${command}
} >"$out/stdout" 2>"$out/stderr"; code=$?
said='' more=''
if [ ! -s "$out/stderr" ] && { IFS= read -r said && ! { IFS= read -r more || [ "$more" ]; }; } <"$out/stdout" &&
  case $said in '' | *[!${PLAIN}]*) false ;; esac; then
  printf '${BEGIN} %s %s %s 0\\n%s\\n\\n' ${name} "$code" $((\${#said} + 1)) "$said"
else
  said=0 erred=0
  [ -s "$out/stdout" ] && said=$(wc -c <"$out/stdout")
  [ -s "$out/stderr" ] && erred=$(wc -c <"$out/stderr")
  printf '${BEGIN} %s %s %s %s\\n' ${name} "$code" $((said)) $((erred)); cat "$out/stdout" "$out/stderr"; echo
fi`
}

/** Makes `$out`, a directory of this shell alone, which its end removes. */
export const OUTPUT_DIRECTORY = `out=$(mktemp -d "\${TMPDIR:-/tmp}/drover.XXXXXX") || exit 72
trap 'rm -rf "$out"' EXIT
trap 'exit 143' TERM INT HUP`

/** Reads what `framed` printed. A command whose answer was cut off is left out: nothing is known of it. */
export function commandOutcomes(text: string): ReadonlyMap<string, CommandOutcome> {
  const outcomes = new Map<string, CommandOutcome>()
  // Lengths are of bytes.
  let rest = Buffer.from(text, 'utf8')
  for (;;) {
    const at = rest.indexOf(`${BEGIN} `)
    const end = rest.indexOf('\n', at)
    if (at < 0 || end < 0) return outcomes
    const match = new RegExp(`^${BEGIN} (\\S+) (\\d+) (\\d+) (\\d+)$`).exec(rest.subarray(at, end).toString('utf8'))
    if (!match) {
      rest = rest.subarray(end + 1)
      continue
    }
    const [, name = '', code, out, err] = match
    const [first, second] = [Number(out), Number(err)]
    const body = rest.subarray(end + 1, end + 1 + first + second)
    if (body.length < first + second || rest.length <= end + 1 + first + second) return outcomes
    outcomes.set(name, {
      code: Number(code),
      stdout: body.subarray(0, first).toString('utf8'),
      stderr: body.subarray(first).toString('utf8'),
    })
    rest = rest.subarray(end + 1 + first + second)
  }
}
