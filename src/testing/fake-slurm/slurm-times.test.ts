import { expect, test } from 'vitest'
import { parseInstant, parseTimeLimit, printInstant, printLongSpan, printSpan } from './slurm-times.ts'

test.each([
  ['5', 5],
  ['0:05', 1],
  ['1:30', 2],
  ['2:00:00', 120],
  ['1-0', 1440],
  ['1-2:30', 1590],
  ['1-02:30:01', 1591],
  ['UNLIMITED', Number.POSITIVE_INFINITY],
  ['abc', undefined],
  ['', undefined],
])('--time=%s is %s minutes', (text, minutes) => {
  expect(parseTimeLimit(text)).toBe(minutes)
})

test.each([
  [300_000, '5:00', '00:05:00'],
  [3_600_000, '1:00:00', '01:00:00'],
  [90_061_000, '1-01:01:01', '1-01:01:01'],
  [Number.POSITIVE_INFINITY, 'UNLIMITED', 'UNLIMITED'],
])('%s ms', (ms, short, long) => {
  expect([printSpan(ms), printLongSpan(ms)]).toEqual([short, long])
})

test('instants', () => {
  const now = new Date(2026, 10, 21, 19, 32, 49).getTime()
  expect(printInstant(now)).toBe('2026-11-21T19:32:49')
  expect(parseInstant('2026-11-21T19:32:49', now)).toBe(now)
  expect(parseInstant('2026-11-21', now)).toBe(new Date(2026, 10, 21).getTime())
  expect(parseInstant('now+1hour', now)).toBe(now + 3_600_000)
  expect(parseInstant('now-2days', now)).toBe(now - 2 * 86_400_000)
  expect(parseInstant('now+90', now)).toBe(now + 90_000)
  expect(parseInstant('9:05', now)).toBe(new Date(2026, 10, 21, 9, 5).getTime())
  expect(parseInstant('foo', now)).toBeUndefined()
})
