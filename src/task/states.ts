/** States a job, an attempt or an array element passes through before its end, in the usual order. */
export const LIVE_STATES = ['created', 'staging', 'submitting', 'queued', 'starting', 'running', 'finishing', 'suspended'] as const
/** States that are left only by an explicit retry. Each has its proof in the event log. */
export const END_STATES = ['succeeded', 'failed', 'cancelled'] as const
/** All states, on every target. `lost`: all that could know was asked, answered, and knows nothing; still open. */
export const STATES = [...LIVE_STATES, ...END_STATES, 'lost'] as const

export type EndState = (typeof END_STATES)[number]
export type State = (typeof STATES)[number]

/** Why a job failed. */
export const FAILURE_KINDS = [
  'exit',
  'signal',
  'setup',
  'timeout',
  'out_of_memory',
  'node_failure',
  'preempted',
  'rejected',
  'dependency',
  'image',
  'staging',
  'driver',
] as const
export type FailureKind = (typeof FAILURE_KINDS)[number]

/** The true cause of an end, or of a `lost`. */
export interface Cause {
  /** A failure kind; `cancelled` beside state `cancelled`; `unknown` beside `lost`. */
  readonly kind: FailureKind | 'cancelled' | 'unknown'
  /** The first failing rank, where a rank failed. */
  readonly rank?: number
  /** The first failing array element (0-based position), where an element failed. */
  readonly element?: number
  /** The script's exit code (128 + n for a signal n). */
  readonly code?: number
  /** Signal number, where the script died of one. */
  readonly signal?: number
  /** Who cancelled: `user`, `fail_fast`, `dependency`; else undefined. */
  readonly by?: string
  /** One sentence for a person. */
  readonly message: string
}

/** True for `succeeded`, `failed`, `cancelled`. */
export function isEndState(state: State): state is EndState {
  return (END_STATES as readonly string[]).includes(state)
}

/** True when nobody needs to wait any more: an end state, or `lost`. */
export function isSettled(state: State): boolean {
  return state === 'lost' || isEndState(state)
}
