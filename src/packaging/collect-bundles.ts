import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import { LEAST_UNUSED_BUNDLES_MS } from '../targets/parse-config.ts'
import type { BundlePlace } from './place-bundle.ts'

/** How long a bundle that no job refers to is kept where nothing else is said, ms: 7 days. */
export const UNUSED_BUNDLES_MS = 7 * 86_400_000
/** What an interrupted client left beside the bundles is removed after this at the earliest: a transfer may take long. */
const LEFT_MINUTES = 24 * 60

/** Hashes in the stored text of a task: those of its bundles (and of what else looks alike, which protects too much only). */
export function bundlesNamedIn(text: string): readonly string[] {
  return text.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? []
}

/**
 * Lines of sh that note a bundle as used, before it is looked for: who collects looks at the note once more after taking the
 * bundle away, so that one of the two sees the other. Current directory: `bundles`. They never fail.
 *
 * @param words the hashes, for the shell: 64 hex digits or `"$hash"`
 */
export function noteUse(words: readonly string[]): string {
  return `{ { [ -d .used ] || mkdir .used; }; touch -- ${words.map((word) => `.used/${word}`).join(' ')}; } 2>/dev/null || :`
}

/**
 * Removes bundles of a place that nobody refers to and nobody, no other client either, has used for a time; and what
 * interrupted clients left. One whose use was never noted is noted now. Resolves to the hashes of those removed. One round
 * trip, and another where there is something to remove.
 *
 * @param referred which of these hashes somebody refers to; asked only where some are old enough
 * @param unusedMs at least LEAST_UNUSED_BUNDLES_MS
 * @throws DroverError as the transport; `transport_failed` with the words of a host that cannot do it
 */
export async function collectBundles(
  { root, transport }: BundlePlace,
  referred: (hashes: ReadonlySet<string>) => Promise<ReadonlySet<string>>,
  unusedMs: number,
): Promise<readonly string[]> {
  const minutes = Math.ceil(Math.max(unusedMs, LEAST_UNUSED_BUNDLES_MS) / 60_000)
  const ask = async (script: string, hashes: readonly string[]): Promise<readonly string[]> => {
    const { code, stdout, stderr } = await transport.run(
      `cd ${quoteShell(`${root}/bundles`)} 2>/dev/null || exit 0
export LC_ALL=C
minutes=${minutes} left=${Math.max(minutes, LEFT_MINUTES)}
${TOOLS}
${script}`,
      { stdin: hashes.map((hash) => `${hash}\n`).join('') },
    )
    if (code === 0) return bundlesNamedIn(stdout)
    throw new DroverError('transport_failed', `cannot collect bundles in ${root}/bundles: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
      level: 'transport',
      ...(code === undefined ? {} : { exitCode: code }),
      outputTail: stderr.slice(-2000),
    })
  }
  const old = await ask(LIST, [])
  if (old.length === 0) return []
  const kept = await referred(new Set(old))
  const unused = old.filter((hash) => !kept.has(hash))
  return unused.length === 0 ? [] : ask(TAKE, unused)
}

const TOOLS = `is_hash() { [ \${#1} -eq 64 ] && case $1 in *[!0-9a-f]*) false ;; esac; }
old() { find "$@" -type f -mmin +$minutes; }
wipe() {
  find "$1" -type d ! -perm -700 -exec chmod u+rwx {} ';' 2>/dev/null
  rm -rf -- "$1"
}`

const LIST = `mkdir -p .used || exit 1
for h in *; do
  is_hash "$h" && [ -d "$h" ] && [ ! -e ".used/$h" ] && touch ".used/$h"
done
find . ! -name . -prune -name '.*' ! -name .used ! -name .manifests ! -name .families ! -name .latest -mmin +$left | while IFS= read -r f; do
  wipe "$f"
done
old .used`

// One that was used between the first look and the taking away is put back; who looked for it meanwhile sends it again.
const TAKE = `while IFS= read -r h; do
  away=.away-$h-$$
  if [ -d "$h" ]; then
    mv "$h" "$away" 2>/dev/null || continue
    if [ -z "$(old ".used/$h")" ]; then
      mv -T -- "$away" "$h" 2>/dev/null || [ -e "$h" ] || mv "$away" "$h"
      [ ! -e "$away" ] || wipe "$away"
      continue
    fi
    echo "$h"
  else
    [ -n "$(old ".used/$h")" ] || continue
  fi
  rm -f ".manifests/$h" ".families/$h" ".used/$h"
  for l in .latest/*; do
    [ -f "$l" ] && read -r x < "$l" && [ "$x" = "$h" ] && rm -f "$l"
  done
  [ ! -e "$away" ] || wipe "$away"
done
exit 0`
