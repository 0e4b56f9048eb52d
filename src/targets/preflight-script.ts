import { quoteShell } from '../driver/quote.ts'
import { probeScript } from './probe-script.ts'
import { parseProbe, type SiteFacts } from './site-facts.ts'

/** What one host said of itself. */
export interface HostReport {
  readonly site: SiteFacts
  /** Login shell of the account. */
  readonly shell: string
  /** Free below the root. */
  readonly freeBytes: number
  /** Undefined: a file could be written below the root; else why not, in the host's words. */
  readonly unwritable?: string
}

/** As `probeScript`, and then: login shell, room on the disk, and a marker file below the root (made where it is missing). */
export function preflightScript(root: string, marker: string): string {
  return `${probeScript(root)}
echo 'drover-preflight begin'
printf 'shell %s\\n' "\${SHELL:-unknown}"
r=${rootWord(root)}
umask 077
if e=$(mkdir -p "$r" 2>&1 && { echo marker >"$r"/${quoteShell(marker)}; } 2>&1); then
  echo 'writable yes'
else
  printf 'writable no %s\\n' "$(printf %s "$e" | tail -n 1)"
fi
d=$r
while [ ! -d "$d" ] && [ "$d" != / ] && [ "$d" != . ]; do d=$(dirname "$d"); done
df -Pk "$d" 2>/dev/null | tail -n 1 | while read -r f t u a x; do echo "free $a"; done
echo 'drover-preflight end'
`
}

/** Prints the names of the markers that are seen below the root, a line each. */
export function lookScript(root: string, markers: readonly string[]): string {
  return `r=${rootWord(root)}\nfor m in ${markers.map(quoteShell).join(' ')}; do [ -e "$r/$m" ] && printf 'sees %s\\n' "$m"; done; true\n`
}

/** Removes a host's marker. */
export function cleanScript(root: string, marker: string): string {
  return `rm -f ${rootWord(root)}/${quoteShell(marker)}\n`
}

function rootWord(root: string): string {
  return root === '~' || root.startsWith('~/') ? `"$HOME"${root.length > 1 ? quoteShell(root.slice(1)) : ''}` : quoteShell(root)
}

/** Reads the output of `preflightScript`. Throws DroverError `transport_failed` when it was cut off. */
export function parseHostReport(text: string, readAt: number): HostReport {
  const site = parseProbe(text, readAt)
  const begin = text.lastIndexOf('drover-preflight begin\n')
  const words = new Map(
    (begin < 0 ? '' : text.slice(begin)).split('\n').flatMap((line) => {
      const [, word, value] = /^(shell|writable|free) (.*)$/.exec(line) ?? []
      return word === undefined || value === undefined ? [] : [[word, value] as const]
    }),
  )
  const writable = words.get('writable')
  return {
    site,
    shell: words.get('shell') ?? 'unknown',
    freeBytes: Number(words.get('free') ?? Number.NaN) * 1024,
    ...(writable === 'yes' ? {} : { unwritable: writable?.replace(/^no /, '') ?? 'no answer' }),
  }
}
