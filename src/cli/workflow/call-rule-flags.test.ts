import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addCallRuleFlags, callRulesOf } from './call-rule-flags.ts'

function rules(...argv: readonly string[]) {
  const command = addCallRuleFlags(new Command()).exitOverride()
  return callRulesOf(command.parse(argv, { from: 'user' }).opts())
}

describe('flags become one rule for all calls', () => {
  test.each<[line: string, expected: unknown]>([
    ['', []],
    ['--cache', [{ cache: true }]],
    ['--timeout 10m', [{ timeoutMs: 600_000 }]],
    ['--retries 2', [{ retries: { max: 2 } }]],
    ['--retries 2 --backoff 10s', [{ retries: { max: 2, backoffMs: 10_000 } }]],
    ['--retries 2 --retry-when exit,lost --retry-when job', [{ retries: { max: 2, when: ['exit', 'lost', 'job'] } }]],
    [
      '--retries 1 --retry-when timeout --backoff 1.5 --timeout 1h --cache',
      [{ timeoutMs: 3_600_000, retries: { max: 1, when: ['timeout'], backoffMs: 1500 }, cache: true }],
    ],
  ])('%s', (line, expected) => expect(rules(...line.split(' ').filter(Boolean))).toEqual(expected))

  test.each([
    ['--retries -1', '--retries "-1": it takes a whole number of at least 0'],
    [
      '--retries 1 --retry-when worker_failed',
      '--retry-when "worker_failed": it takes exit, signal, timeout, missing_output, start, lost, job, task',
    ],
    ['--retries 1 --backoff soon', '--backoff "soon": it takes seconds as a number'],
    ['--backoff 1s', '--backoff says how calls are tried again, but not how often: give --retries N, too'],
    ['--retry-when exit', '--retry-when says how calls are tried again'],
  ])('%s is refused', (line, message) => expect(() => rules(...line.split(' '))).toThrow(message))
})
