import type { ElementRow } from '../store/store.ts'
import type { Cause, FailureKind } from '../task/states.ts'
import type { RetriesSpec } from '../task/task-spec.ts'

/** The longest wait between two attempts, however often it was doubled. */
export const MAX_BACKOFF_MS = 3_600_000

/** What comes after an attempt that did not succeed. */
export interface RetryDecision {
  readonly retry: boolean
  /** Wait before the next attempt, ms; 0 without retry. */
  readonly notBeforeDelayMs: number
  /** One sentence, for the event log. */
  readonly why: string
}

/** Failures that mean the same however often they are tried; retried only when `when` names them. */
const HOPELESS: readonly FailureKind[] = ['rejected', 'dependency']

/**
 * Whether a job gets another attempt by itself. `attemptsMade` counts the one that ended, from 1. Never after a cancel and
 * never from `lost` (cause `unknown`), whatever `when` says: somebody wanted it to end, or it may be running still.
 * The wait is `backoffMs` after the first attempt, doubled after each further one, at most an hour.
 */
export function decideRetry(retries: RetriesSpec, cause: Cause, attemptsMade: number, cancelRequested: boolean): RetryDecision {
  if (cancelRequested || cause.kind === 'cancelled') return no('its cancel was asked for')
  if (cause.kind === 'unknown') return no('its end is not known: it may be running still')
  if (retries.max <= 0) return no('the task has no retries')
  if (attemptsMade > retries.max) return no(`all ${retries.max} retries are used up`)
  if (!matches(retries, cause.kind, cause.code)) return no(`${named(cause.kind, cause.code)} is not among the causes to retry`)
  const doubled = retries.backoffMs * 2 ** Math.max(0, attemptsMade - 1)
  return {
    retry: true,
    notBeforeDelayMs: Math.min(doubled, MAX_BACKOFF_MS),
    why: `retry ${attemptsMade} of ${retries.max} after ${named(cause.kind, cause.code)}`,
  }
}

/**
 * Like `decideRetry`, for an array: it is run again when there is at least one failed element whose own cause is to be
 * retried, whichever failed first; `positions` are those. Elements whose rows are not among `elements` are left alone.
 */
export function decideArrayRetry(
  retries: RetriesSpec,
  cause: Cause,
  elements: readonly ElementRow[],
  attemptsMade: number,
  cancelRequested: boolean,
): RetryDecision & { readonly positions: readonly number[] } {
  const positions = elementsToRetry(retries, elements)
  const again = elements.find((row) => row.position === positions[0])
  const decisive: Cause = again
    ? { kind: kindOf(again), message: '', ...(again.exitCode === undefined ? {} : { code: again.exitCode }) }
    : cause
  const decision = decideRetry(
    retries,
    cause.kind === 'cancelled' || cause.kind === 'unknown' ? cause : decisive,
    attemptsMade,
    cancelRequested,
  )
  if (decision.retry && positions.length === 0) return { ...no('no failed element has a cause to retry'), positions }
  return { ...decision, positions: decision.retry ? positions : [] }
}

/** Positions of failed elements whose own cause is to be retried, in order. Succeeded, cancelled and lost ones never are. */
export function elementsToRetry(retries: RetriesSpec, elements: readonly ElementRow[]): readonly number[] {
  return elements
    .filter((row) => row.state === 'failed' && matches(retries, kindOf(row), row.exitCode))
    .map((row) => row.position)
    .sort((a, b) => a - b)
}

function kindOf(row: ElementRow): Cause['kind'] {
  return row.causeKind ?? 'exit'
}

/** `exit:N` speaks of the script's own end: by exit or by signal (`exit:137`), not of its setup. No conditions: the default. */
function matches(retries: RetriesSpec, kind: Cause['kind'], code: number | undefined): boolean {
  if (kind === 'cancelled' || kind === 'unknown') return false
  if (retries.when.length === 0) return !HOPELESS.includes(kind)
  const byScript = kind === 'exit' || kind === 'signal'
  return retries.when.some((condition) => ('kind' in condition ? condition.kind === kind : byScript && condition.exitCode === code))
}

function named(kind: Cause['kind'], code: number | undefined): string {
  return kind === 'exit' && code !== undefined ? `exit ${code}` : kind.replaceAll('_', ' ')
}

function no(why: string): RetryDecision {
  return { retry: false, notBeforeDelayMs: 0, why }
}
