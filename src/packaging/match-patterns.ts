import { dirname } from 'node:path'
import { InputError } from '../errors.ts'
import type { PatternsSpec } from '../task/task-spec.ts'
import { compileGlob } from '../transports/glob.ts'
import { type CodeEntry, walkDirectory } from './walk-directory.ts'

/**
 * Lists what the patterns match below their root: `*.py` in it, `conf/**` with all below, `data` as a whole directory.
 * Ignore files say nothing here: what was named is meant. `.git` is never matched.
 *
 * @throws InputError for a pattern that is none, and for one that matches nothing
 */
export async function matchPatterns({ patterns, root }: PatternsSpec): Promise<readonly CodeEntry[]> {
  const globs = patterns.map((pattern) => ({ pattern, regexp: compileGlob(pattern), found: false }))
  const taken = new Set<string>()
  const depths = patterns.map((pattern) => (pattern.includes('**') ? Number.POSITIVE_INFINITY : pattern.split('/').length))
  const deepest = Math.max(...depths)
  const matches = (path: string): boolean => {
    if (taken.has(path)) return true
    const own = globs.filter(({ regexp }) => regexp.test(path))
    for (const glob of own) glob.found = true
    if (own.length > 0 || (dirname(path) !== '.' && matches(dirname(path)))) taken.add(path)
    return taken.has(path)
  }
  const enter = (path: string): boolean => matches(path) || path.split('/').length < deepest
  const all = await walkDirectory(root, { ignoreFiles: false, enter })
  const chosen = new Set<string>()
  for (const { path } of all) {
    if (!matches(path)) continue
    // The directories above keep their modes.
    for (let at = path; at !== '.' && !chosen.has(at); at = dirname(at)) chosen.add(at)
  }
  const without = globs.find(({ found }) => !found)
  if (without !== undefined) {
    throw new InputError('missing_file', `workdir: the pattern ${JSON.stringify(without.pattern)} matches nothing in ${root}`, {
      hint: 'Patterns are relative to root: *.py, conf/**, data.',
    })
  }
  return all.filter(({ path }) => chosen.has(path))
}
