import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Delays } from './delays.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a wait longer than a timer can hold is waited to its end, and no longer', () => {
  const said: string[] = []
  const delays = new Delays(() => said.push('wake'))
  const month = 30 * 86_400_000
  delays.after(month, () => said.push(`act, ${delays.waiting} more`))
  vi.advanceTimersByTime(month - 1)
  expect([said, delays.waiting]).toEqual([[], 1])
  vi.advanceTimersByTime(1)
  expect([said, delays.waiting]).toEqual([['act, 0 more', 'wake'], 0])
})

test('cleared, nothing is acted', () => {
  const act = vi.fn()
  const delays = new Delays(act)
  delays.after(10, act)
  delays.after(2 ** 32, act)
  delays.clear()
  vi.advanceTimersByTime(2 ** 33)
  expect(act).not.toHaveBeenCalled()
})
