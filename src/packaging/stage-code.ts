import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import type { Transport } from '../transports/transport.ts'
import { bundlesNamedIn, noteUse } from './collect-bundles.ts'

/** What `stageCode` puts where; all paths are on the target. */
export interface CodeToStage {
  readonly transport: Transport
  readonly root: string
  /** Hash of the bundle; absent: only mounts. */
  readonly bundle?: string
  /** Destination: absolute, below the home (`~/…`), or relative to each work directory. Source: absolute path on the target. */
  readonly mounts: readonly { readonly destination: string; readonly source: string }[]
  readonly workDirs: readonly string[]
}

/**
 * Fills the work directories of a job from its bundle (a copy each; blocks are shared where the file system can) and
 * places its mounts. One round trip; repeating it gives the same.
 *
 * @throws DroverError `staging_failed` or `no_space` with the words of the target
 */
export async function stageCode(code: CodeToStage): Promise<void> {
  const lines = [PRELUDE]
  const workDirs = [...new Set(code.workDirs)]
  const used = bundlesUsed(code)
  if (used.length > 0) lines.push(`(cd ${quoteShell(`${code.root}/bundles`)} 2>/dev/null && ${noteUse(used)}) || :`)
  if (code.bundle !== undefined) {
    const bundle = quoteShell(`${code.root}/bundles/${code.bundle}`)
    // One that was taken away to be collected is put back at once, when its use was noted in time.
    lines.push(`[ -d ${bundle} ] || { set -- ${quoteShell(`${code.root}/bundles/.away-${code.bundle}-`)}*; [ ! -e "$1" ] || sleep 1; }`)
    lines.push(`[ -d ${bundle} ] || { echo "the bundle is gone:" ${bundle} >&2; exit 1; }`)
    for (const directory of workDirs) lines.push(`tree ${bundle} ${quoteShell(directory)}`)
  }
  for (const { destination, source } of code.mounts) {
    for (const place of placesOf(destination, workDirs)) lines.push(`mount ${quoteShell(source)} ${place}`)
  }
  const { code: exitCode, stderr } = await code.transport.run(lines.join('\n'))
  if (exitCode === 0) return
  const full = /no space left|quota exceeded/i.test(stderr)
  throw new DroverError(
    full ? 'no_space' : 'staging_failed',
    `cannot stage the code on ${code.transport.name}: ${stderr.trim().split('\n').at(-1) || `cp failed (exit ${exitCode})`}`,
    {
      level: 'staging',
      transient: full,
      ...(exitCode === undefined ? {} : { exitCode }),
      outputTail: stderr.slice(-2000),
      ...(full ? { hint: 'Free space there: drover prune removes ended jobs.' } : {}),
    },
  )
}

// GNU cp knows --reflink; others are asked without. A link in the place of a mount is removed, never written through.
const PRELUDE = `set -e
umask 077
copy() { cp -RPp --reflink=auto "$1" "$2" 2>/dev/null || cp -RPp "$1" "$2"; }
tree() { mkdir -p "$2"; copy "$1/." "$2/"; }
mount() {
  if [ -d "$1" ]; then tree "$1" "$2"
  else
    mkdir -p "\${2%/*}"
    rm -f "$2"
    copy "$1" "$2"
  fi
}`

/** Hashes of all bundles that something is taken from. */
function bundlesUsed({ root, bundle, mounts }: CodeToStage): readonly string[] {
  const prefix = `${root}/bundles/`
  const mounted = mounts.flatMap(({ source }) => (source.startsWith(prefix) ? bundlesNamedIn(source.slice(prefix.length)).slice(0, 1) : []))
  return [...new Set([...(bundle === undefined ? [] : [bundle]), ...mounted])]
}

function placesOf(destination: string, workDirs: readonly string[]): readonly string[] {
  if (destination === '~' || destination.startsWith('~/')) return [`"$HOME"${quoteShell(destination.slice(1))}`]
  if (destination.startsWith('/')) return [quoteShell(destination)]
  return workDirs.map((directory) => quoteShell(`${directory}/${destination}`))
}
