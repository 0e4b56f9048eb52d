import type { Job, ListFilter } from '../jobs/drover.ts'
import { parseDuration } from '../task/durations.ts'
import { END_STATES, LIVE_STATES, STATES, type State } from '../task/states.ts'
import { refuseValue, wholeNumber } from './flag-values.ts'
import { compileJobTable } from './job-text.ts'
import { compileJson } from './output/json.ts'
import { compileQuiet } from './output/quiet.ts'
import type { Style } from './output/style.ts'

/** The flags of `drover list` as texts. */
export interface ListOptions {
  readonly state?: readonly string[]
  readonly name?: string
  readonly target?: string
  readonly group?: string
  readonly since?: string
  /** The same as `since`. */
  readonly age?: string
  readonly limit?: string
  readonly all?: boolean
}

function statesOf(words: readonly string[]): readonly State[] {
  return words.flatMap((word): readonly State[] => {
    if (word === 'live') return LIVE_STATES
    if (word === 'ended') return END_STATES
    const state = STATES.find((one) => one === word)
    return state === undefined ? refuseValue('--state', word, `${STATES.join(', ')}, live or ended`) : [state]
  })
}

/** Reads the flags. Throws InputError for a value that a flag does not take. */
export function parseListOptions(options: ListOptions): ListFilter {
  const { state, name, target, group, limit, all, since = options.age } = options
  const maxAgeMs =
    since === undefined ? undefined : (parseDuration(since) ?? refuseValue('--since', since, 'a duration such as 30m, 12h or 7d'))
  return {
    ...(state === undefined ? {} : { states: statesOf(state) }),
    ...(name === undefined ? {} : { name }),
    ...(target === undefined ? {} : { target }),
    ...(group === undefined ? {} : { group }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(all ? { limit: Number.MAX_SAFE_INTEGER } : limit === undefined ? {} : { limit: wholeNumber('--limit', 1)(limit) }),
  }
}

/** The text that `drover list` prints, in each form. */
export function compileList(jobs: readonly Job[], mode: 'table' | 'json' | 'quiet', style: Style, now: number): string {
  if (mode === 'json') return compileJson(jobs)
  if (mode === 'quiet') return compileQuiet(jobs.map((job) => job.id))
  return jobs.length === 0 ? '' : compileJobTable(jobs, style, now)
}
