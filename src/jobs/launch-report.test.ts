import { expect, test } from 'vitest'
import { messageOf } from './launch-report.ts'

test.each([
  [
    'its own failure, in one line',
    '{"kind": "own", "rank": 3, "message": "Traceback\\n  ValueError: the data is bad\\n"}',
    'process 3: Traceback | ValueError: the data is bad',
  ],
  ['without a rank', '{"kind": "own", "message": "bad"}', 'bad'],
  ['a peer', '{"kind": "peer", "message": "connection lost"}', undefined],
  ['no words', '{"kind": "own", "message": " "}', undefined],
  ['cut off', '{"kind": "own", "mess', undefined],
  ['something else', '[]', undefined],
  ['nothing', '', undefined],
])('%s', (_, text, expected) => {
  expect(messageOf(text)).toBe(expected)
})

test('of a long message the end', () => {
  expect(messageOf(JSON.stringify({ kind: 'own', message: `${'x'.repeat(2000)} the end` }))).toMatch(/^….* the end$/)
})
