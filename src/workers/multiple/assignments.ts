/** One line of assignments: a worker, a pattern for `worker.task`, or a node's location, and the executor's name. */
export interface Assignment {
  readonly key: string
  readonly executor: string
}

/** What is asked of assignments. */
export interface AssignedCall {
  readonly worker: string
  readonly task: string
  readonly loc: string | undefined
}

/** How well a line fits: the first number decides, then the next. Undefined: it does not. */
type Fit = readonly [kind: number, length: number]

/**
 * The line that fits a call best: a location before a task before a worker, as
 *
 *   1. location `-.N4`: that node and all below it; the longest wins. `-.N4.M*.N2`: in every element
 *   2. the whole name `qsim.run`
 *   3. a pattern for the whole name, `qsim.*` (`*`, `?`, `[abc]`, `[!abc]` as fnmatch has them); the one with the most characters that stand for themselves
 *   4. the worker `qsim`
 *
 * Of two that fit alike the first written. A line that names a location fits nothing where the location isn't known yet.
 */
export function bestAssignment(assignments: readonly Assignment[], call: AssignedCall): Assignment | undefined {
  let best: { readonly assignment: Assignment; readonly fit: Fit } | undefined
  for (const assignment of assignments) {
    const fit = fitOf(assignment.key, call)
    if (fit === undefined) continue
    if (best === undefined || fit[0] > best.fit[0] || (fit[0] === best.fit[0] && fit[1] > best.fit[1])) best = { assignment, fit }
  }
  return best?.assignment
}

/** Whether the key is a location: `-`, `-.N4`, `-.N1.L*.N2`. */
export function isLocation(key: string): boolean {
  return /^-(\.[NLM][^.]+)*$/.test(key)
}

function fitOf(key: string, { worker, task, loc }: AssignedCall): Fit | undefined {
  if (isLocation(key)) return loc === undefined ? undefined : fitOfLocation(key, loc)
  const name = `${worker}.${task}`
  if (key === name) return [3, 0]
  if (key === worker) return [1, 0]
  const pattern = compileGlob(key)
  if (pattern === undefined) return undefined
  return pattern.test(name) ? [2, key.replaceAll(/\[[^\]]*\]|[*?]/g, '').length] : undefined
}

function fitOfLocation(key: string, loc: string): Fit | undefined {
  const wanted = key.split('.')
  const steps = loc.split('.')
  if (wanted.length > steps.length) return undefined
  const fits = wanted.every((step, index) => step === steps[index] || compileGlob(step)?.test(steps[index] ?? ''))
  // Of two of one length, the one with fewer wildcards.
  return fits ? [4, wanted.length * 1000 - (key.match(/[*?[]/g)?.length ?? 0)] : undefined
}

const COMPILED = new Map<string, RegExp | undefined>()

/** A pattern of Python's fnmatch; undefined for text without any of its characters. */
function compileGlob(pattern: string): RegExp | undefined {
  if (COMPILED.has(pattern)) return COMPILED.get(pattern)
  const parts = /[*?[]/.test(pattern) ? (pattern.match(/\*|\?|\[!?\]?[^\]]*\]|[^*?[]+|\[/g) ?? []) : undefined
  const source = parts?.map((part) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    if (part.length > 2 && part.startsWith('['))
      return `[${part
        .slice(1, -1)
        .replace(/^!/, '^')
        .replaceAll(/[\\\]&]/g, '\\$&')}]`
    return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  })
  let compiled: RegExp | undefined
  try {
    compiled = source === undefined ? undefined : new RegExp(`^${source.join('')}$`, 's')
  } catch {
    // A range that is none, like [z-a], matches nothing, as in Python.
    compiled = undefined
  }
  COMPILED.set(pattern, compiled)
  return compiled
}
