import { MAX_BACKOFF_MS } from '../../jobs/retry-policy.ts'
import type { CallFailure } from '../calls/worker-call.ts'

/** How a failed call is tried again. */
export interface CallRetries {
  /** Tries after the first. Default 0. */
  readonly max: number
  /** Causes that are retried; default all but a `start` that would fail again. */
  readonly when?: readonly CallFailure[]
  /** Wait before the second try, ms; doubled each time, up to an hour. Default 0. */
  readonly backoffMs?: number
}

/** What holds for calls of workers. Builtins are never retried: they would fail the same way. */
export interface CallRule {
  /** `worker.task` with `*`, or a location with `*`; undefined: all calls. */
  readonly match?: string
  readonly timeoutMs?: number
  readonly retries?: CallRetries
  /** Results of an earlier call of the same task with the same inputs are taken instead of a call. */
  readonly cache?: boolean
}

export interface ResolvedRule {
  readonly timeoutMs: number | undefined
  readonly retries: CallRetries
  readonly cache: boolean
}

/** What holds for one call: of each property the first rule that matches and has it. */
export function resolveRule(rules: readonly CallRule[], name: string, loc: string): ResolvedRule {
  const matching = rules.filter(({ match }) => match === undefined || matchesGlob(match, match.startsWith('-') ? loc : name))
  return {
    timeoutMs: matching.find(({ timeoutMs }) => timeoutMs !== undefined)?.timeoutMs,
    retries: matching.find(({ retries }) => retries !== undefined)?.retries ?? { max: 0 },
    cache: matching.find(({ cache }) => cache !== undefined)?.cache ?? false,
  }
}

/** Whether this failure of this attempt is followed by another; then after how many ms. */
export function retryDelay(retries: CallRetries, cause: CallFailure, attempt: number, transient: boolean): number | undefined {
  if (attempt > retries.max) return undefined
  if (retries.when === undefined ? cause === 'start' && !transient : !retries.when.includes(cause)) return undefined
  const first = retries.backoffMs ?? 0
  return Math.min(first * 2 ** (attempt - 1), Math.max(first, MAX_BACKOFF_MS))
}

function matchesGlob(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  let at = 0
  for (const [k, part] of parts.entries()) {
    if (k === parts.length - 1 && k > 0) return text.length - at >= part.length && text.endsWith(part)
    const found = k === 0 ? (text.startsWith(part) ? 0 : -1) : text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at === text.length
}
