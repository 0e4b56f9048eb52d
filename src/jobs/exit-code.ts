import { DROVER_EXIT_CODE } from '../task/exit-codes.ts'
import type { Cause, State } from '../task/states.ts'

/** What a job exits with that its time limit ended, as timeout(1) of GNU coreutils does. */
const TIMEOUT_EXIT_CODE = 124
/** Ended by TERM: 128 + 15. */
const TERM_EXIT_CODE = 143
/** Ended by KILL: 128 + 9; what the kernel's out-of-memory killer leaves. */
const KILL_EXIT_CODE = 137

/** An exit code and whose it is, because a task may end with 125 as well. */
export interface JobExit {
  readonly code: number
  readonly whose: 'task' | 'drover'
}

/**
 * The exit code of `drover run` and `drover wait` for a settled job; undefined while it is live. For arrays the cause is
 * already that of the first failed element in time.
 *
 * | state, cause | code | whose |
 * |---|---|---|
 * | succeeded | 0 | task |
 * | failed: exit, setup | the script's code; 1 where only a failure is known | task |
 * | failed: signal | 128 + n; 143 where the number is unknown or the script ended with 0 after TERM | task |
 * | failed: out_of_memory | the script's code, else 137 | task |
 * | failed: timeout | 124, whatever the script made of its TERM (its own code stands in the cause) | drover |
 * | failed: node_failure, preempted | the script's code where a record has one, else 125 | task, else drover |
 * | failed: rejected, dependency, image, staging, driver | 125 | drover |
 * | cancelled | the script's code where it is not 0, else 143: ended by TERM | task |
 * | lost | 125 | drover |
 *
 * 130 is not used for a cancelled job: it would say that the client was interrupted, which only detaches.
 */
export function jobExit(state: State, cause: Cause | undefined): JobExit | undefined {
  switch (state) {
    case 'succeeded':
      return { code: 0, whose: 'task' }
    case 'cancelled':
      return { code: nonZero(cause?.code) ?? TERM_EXIT_CODE, whose: 'task' }
    case 'lost':
      return { code: DROVER_EXIT_CODE, whose: 'drover' }
    case 'failed':
      return failedExit(cause)
    default:
      return undefined
  }
}

/** The code of `jobExit` alone; undefined while the job is live. */
export function exitCodeOf(state: State, cause: Cause | undefined): number | undefined {
  return jobExit(state, cause)?.code
}

function failedExit(cause: Cause | undefined): JobExit {
  const own = nonZero(cause?.code)
  switch (cause?.kind) {
    case 'exit':
    case 'setup':
      return { code: own ?? 1, whose: 'task' }
    case 'signal':
      return { code: own ?? (cause.signal ? 128 + cause.signal : TERM_EXIT_CODE), whose: 'task' }
    case 'out_of_memory':
      return { code: own ?? KILL_EXIT_CODE, whose: 'task' }
    case 'timeout':
      return { code: TIMEOUT_EXIT_CODE, whose: 'drover' }
    case 'node_failure':
    case 'preempted':
      return own === undefined ? { code: DROVER_EXIT_CODE, whose: 'drover' } : { code: own, whose: 'task' }
    default:
      return { code: DROVER_EXIT_CODE, whose: 'drover' }
  }
}

/** The number of the signal that a shell's exit code stands for: 129..192; else undefined. */
export function signalOfCode(code: number): number | undefined {
  return code > 128 && code <= 192 ? code - 128 : undefined
}

function nonZero(code: number | undefined): number | undefined {
  return code === undefined || code === 0 || !Number.isInteger(code) ? undefined : code & 255 || 1
}
