import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import { formatLoc, isLoc, type LocStep, parentLoc, parseLoc } from './loc.ts'

// The cases of upstream's own tests (`tests/controller/test_locs.py`) first.
const PARENTS: readonly (readonly [string, string | undefined])[] = [
  ['-.N1.L0.N3.L2.N0.M7.N10', '-.N1.L0.N3.L2.N0.M7'],
  ['-.N0.L0.N3.N8.N0', '-.N0.L0.N3.N8'],
  ['-.N0', '-'],
  ['-', ''],
  ['-.N1.L3', '-.N1.L2'],
  ['-.N1.L2', '-.N1.L1'],
  ['-.N1.L1', '-.N1.L0'],
  ['-.N1.L0', '-.N1'],
  ['-.N-1', '-'],
  ['.N-1', ''],
  ['-.N2.M7', '-.N2'],
  ['-.N2.Mvalue-7', '-.N2'],
  ['', undefined],
]

test.each(PARENTS)('the parent of "%s" is "%s"', (loc, parent) => {
  expect(parentLoc(loc)).toBe(parent)
})

test('the steps of a location', () => {
  expect(parseLoc('-.N1.L0.M7.N-1')).toEqual([
    { kind: '-' },
    { kind: 'N', index: 1 },
    { kind: 'L', index: 0 },
    { kind: 'M', label: '7' },
    { kind: 'N', index: -1 },
  ])
  expect(parseLoc('.N-1')).toEqual([{ kind: 'N', index: -1 }])
})

describe('what is no location', () => {
  const bad = ['-.', '-.N', '-.N-2', '-.N01', '-.L-1', '-.M', '-.X1', 'N1', '-N1', '-.N1.', '-.N1..N2', '-.M../x', '-.N1/N2', '- .N1', '-.n1', '--', '-.N1 ', '-.Ma/b'] // biome-ignore format: one line
  test.each(bad)('%s', (loc) => {
    expect(isLoc(loc)).toBe(false)
    expect(() => parseLoc(loc)).toThrow(InputError)
    expect(() => parentLoc(loc)).toThrow(/is not the location of a node/)
  })
})

const step: fc.Arbitrary<LocStep> = fc.oneof(
  fc.record({ kind: fc.constant('N' as const), index: fc.integer({ min: -1, max: 1_000_000 }) }),
  fc.record({ kind: fc.constant('L' as const), index: fc.nat() }),
  fc.record({ kind: fc.constant('M' as const), label: fc.stringMatching(/^[\w*-]+$/) }),
)

test('any steps come back from their text', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const all: readonly LocStep[] = [{ kind: '-' }, ...steps]
      expect(parseLoc(formatLoc(all))).toEqual(all)
    }),
  )
})
