import type { ResolvedTask } from '../executors/executor.ts'
import { taskOptions } from '../executors/task-options.ts'
import type { ElementRow, EventRow } from '../store/store.ts'
import type { Cause } from '../task/states.ts'

/** The option `requeue`: a script that ends with this code has written its checkpoint and asks to be run again. */
export interface RequeueSpec {
  /** 1 to 125. */
  readonly exitCode: number
  /** How often, beside `retries`. */
  readonly max: number
}

/** Why an attempt is followed by another at the script's own wish. */
export interface RequeueDecision {
  /** This is the how-manieth, from 1. */
  readonly count: number
  readonly why: string
  /** Of an array: the elements that asked, 0-based and rising; empty: the job. */
  readonly positions: readonly number[]
}

/** Default of `requeue.max`. */
export const DEFAULT_REQUEUES = 10

/** The option as target and task give it; undefined: the task does not ask for it. */
export function requeueOf({ definition, spec }: ResolvedTask): RequeueSpec | undefined {
  const { requeue } = { ...definition?.options, ...taskOptions(spec, definition?.kind ?? '') }
  if (typeof requeue !== 'object' || requeue === null) return undefined
  const { exit_code: exitCode, max = DEFAULT_REQUEUES } = requeue as Readonly<Record<string, unknown>>
  return typeof exitCode === 'number' && typeof max === 'number' ? { exitCode, max } : undefined
}

/** Attempts that were started anew before, by number, at the wish of the script or of the scheduler: they use up no retry. */
export function requeuedAttempts(events: readonly EventRow[], by: 'script' | 'scheduler'): readonly number[] {
  return events.flatMap(({ type, data }) =>
    type === 'requeued' && data['by'] === by && typeof data['next_attempt'] === 'number' ? [data['next_attempt'] - 1] : [],
  )
}

/**
 * Whether an attempt is run again because its script asked for it by its exit code; undefined: no, or it has asked too often.
 * `failed`: elements of an array that have failed. `made`: requeues so far. Never after a cancel.
 */
export function decideRequeue(
  spec: RequeueSpec | undefined,
  cause: Cause,
  failed: readonly Pick<ElementRow, 'position' | 'exitCode' | 'causeKind'>[],
  made: number,
  cancelRequested: boolean,
): RequeueDecision | undefined {
  if (spec === undefined || cancelRequested || made >= spec.max) return undefined
  const asks = (kind: string | undefined, code: number | undefined): boolean => (kind ?? 'exit') === 'exit' && code === spec.exitCode
  const positions = failed.filter((row) => asks(row.causeKind, row.exitCode)).map((row) => row.position)
  if (positions.length === 0 && !(failed.length === 0 && asks(cause.kind, cause.code))) return undefined
  return {
    count: made + 1,
    why: `requeue ${made + 1} of ${spec.max}: the script asked for it by exit ${spec.exitCode}`,
    positions: positions.toSorted((a, b) => a - b),
  }
}
