import { expect, test } from 'vitest'
import { retryDelay } from './call-rules.ts'

test.each([
  ['the first wait', 10_000, 1, 10_000],
  ['doubled', 10_000, 3, 40_000],
  ['up to an hour', 10_000, 30, 3_600_000],
  ['a longer one stays', 7_200_000, 2, 7_200_000],
  ['none', 0, 30, 0],
])('the wait before another try: %s', (_name, backoffMs, attempt, delay) => {
  expect(retryDelay({ max: 100, backoffMs }, 'exit', attempt, false)).toBe(delay)
})
