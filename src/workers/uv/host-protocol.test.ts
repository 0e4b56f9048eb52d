import { expect, test } from 'vitest'
import { parseHostEvent } from './host-protocol.ts'

test.each([
  ['{"ready": 12}', { kind: 'ready' }],
  ['{"refused": "why"}', { kind: 'refused', why: 'why' }],
  ['{"ended": 1, "code": 137, "word": "ran"}', { kind: 'ended', id: 1, end: { code: 137, word: 'ran' } }],
  ['{"ended": 1, "code": 0, "word": "stdout"}', { kind: 'ended', id: 1, end: { code: 0, word: 'stdout' } }],
  ['{"unstarted": 2, "why": "fork: no memory"}', { kind: 'unstarted', id: 2, why: 'fork: no memory' }],
  ['{"ended": 1, "code": 0, "word": "other"}', undefined],
  ['{"ended": 1}', undefined],
  ['{"ended": 1, "code"', undefined],
  ['[]', undefined],
  ['null', undefined],
  ['', undefined],
])('%s', (line, event) => {
  expect(parseHostEvent(line)).toEqual(event)
})
