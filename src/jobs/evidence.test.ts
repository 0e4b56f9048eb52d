import { describe, expect, test } from 'vitest'
import { reduceSlots } from './evidence.ts'

describe('reduceSlots', () => {
  test('a result outweighs a claim in any order, foreign positions are left out, times need the zero of the clock', () => {
    const lines = [
      { kind: 'result', position: 3, code: 1, told: '0', startedAt: 100, endedAt: 250 },
      { kind: 'claim', position: 3, at: 100 },
      { kind: 'claim', position: 5, at: 120 },
      { kind: 'claim', position: 99, at: 120 },
    ] as const
    expect(reduceSlots([3, 4, 5], [lines], 1_000_000).elements).toEqual([
      { position: 3, claimed: true, startedAt: 1_001_000, result: { code: 1, told: '0', endedCs: 250, endedAt: 1_002_500 } },
      { position: 4, claimed: false },
      { position: 5, claimed: true, startedAt: 1_001_200 },
    ])
    expect(reduceSlots([5], [lines]).elements).toEqual([{ position: 5, claimed: true }])
  })

  test('two results that differ are a conflict, two that agree are not', () => {
    const result = (code: number) => ({ kind: 'result', position: 0, code, told: '0', startedAt: 1, endedAt: 2 }) as const
    expect(reduceSlots([0], [[result(0)], [result(1)]]).conflict).toContain('element 0')
    expect(reduceSlots([0], [[result(1)], [result(1)]]).conflict).toBeUndefined()
  })
})
