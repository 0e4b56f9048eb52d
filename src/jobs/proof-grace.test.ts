import { expect, test } from 'vitest'
import { proofGraceMs } from './proof-grace.ts'

test.each([
  { strongFiles: true, text: undefined, ms: 3_000 },
  { strongFiles: false, text: undefined, ms: 90_000 },
  { strongFiles: false, text: '', ms: 90_000 },
  { strongFiles: false, text: '2.5', ms: 2_500 },
  { strongFiles: true, text: '30', ms: 30_000 },
])('strongFiles $strongFiles, DROVER_PROOF_GRACE $text: $ms ms', ({ strongFiles, text, ms }) => {
  expect(proofGraceMs({ strongFiles }, { DROVER_PROOF_GRACE: text })).toBe(ms)
})

test.each(['0', '-1', 'soon', '1m', 'Infinity', '90000'])('%s is refused', (text) => {
  expect(() => proofGraceMs({ strongFiles: true }, { DROVER_PROOF_GRACE: text })).toThrow(/DROVER_PROOF_GRACE is/)
})
