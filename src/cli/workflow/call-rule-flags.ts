import { type Command, Option } from 'commander'
import { InputError } from '../../errors.ts'
import { CALL_FAILURES, type CallFailure } from '../../workflow/calls/worker-call.ts'
import type { CallRetries, CallRule } from '../../workflow/run/call-rules.ts'
import { commaSeparated, duration, refuseValue, wholeNumber } from '../flag-values.ts'

/** The flags of `workflow run` that hold for all calls of workers. */
export interface CallRuleFlags {
  /** ms */
  readonly timeout?: number
  readonly retries?: number
  readonly retryWhen?: readonly string[]
  /** ms */
  readonly backoff?: number
  readonly cache?: boolean
}

/** Adds the flags of time limits, retries and the cache. The words are those of a job's flags. */
export function addCallRuleFlags(command: Command): Command {
  return command
    .addOption(new Option('--timeout <duration>', 'of each call of a worker, such as 10m').argParser(duration('--timeout')))
    .option('--retries <n>', 'further tries of a call that failed', wholeNumber('--retries'))
    .option('--retry-when <causes>', `only after these causes (comma-separated): ${CALL_FAILURES.join(', ')}`, commaSeparated)
    .addOption(
      new Option('--backoff <duration>', 'wait before a further try, doubled each time up to an hour').argParser(duration('--backoff')),
    )
    .option('--cache', 'take results of earlier calls with the same inputs')
}

/** The flags as rules; none where no flag is given. Throws InputError for what only `--retries` gives a meaning, without it. */
export function callRulesOf({ timeout, retries, retryWhen, backoff, cache }: CallRuleFlags): readonly CallRule[] {
  if (retries === undefined && (retryWhen !== undefined || backoff !== undefined)) {
    const flag = retryWhen === undefined ? '--backoff' : '--retry-when'
    throw new InputError('invalid_argument', `${flag} says how calls are tried again, but not how often: give --retries N, too`)
  }
  const rule: CallRule = {
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(retries === undefined ? {} : { retries: retriesOf(retries, retryWhen, backoff) }),
    ...(cache === undefined ? {} : { cache }),
  }
  return Object.keys(rule).length === 0 ? [] : [rule]
}

function retriesOf(max: number, when: readonly string[] | undefined, backoffMs: number | undefined): CallRetries {
  return {
    max,
    ...(when === undefined ? {} : { when: when.map(causeOf) }),
    ...(backoffMs === undefined ? {} : { backoffMs }),
  }
}

function causeOf(word: string): CallFailure {
  return CALL_FAILURES.find((cause) => cause === word) ?? refuseValue('--retry-when', word, CALL_FAILURES.join(', '))
}
