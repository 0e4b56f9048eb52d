import { expect, test } from 'vitest'
import { parseProcStat, readOwnIdentity, readStartTime } from './process-identity.ts'

const rest = `1 7 7 0 -1 4194560 ${'0 '.repeat(12)}98765 0 0`

test.each([
  ['plain', `7 (node) S ${rest}`, '98765'],
  ['parenthesis, space and newline in the name', `7 (a) S 1\n b) R ${rest}`, '98765'],
  ['zombie', `7 (node) Z ${rest}`, undefined],
  ['dead', `7 (node) X ${rest}`, undefined],
  ['cut off', '7 (node) S 1 7', undefined],
  ['empty', '', undefined],
])('start time from /proc stat: %s', (_, text, expected) => {
  expect(parseProcStat(text)).toBe(expected)
})

test('this process is the same each time, and no process has no start time', async () => {
  const me = await readOwnIdentity()
  expect(await readOwnIdentity()).toEqual(me)
  expect(await readStartTime(me.pid)).toBe(me.startTime)
  // Above the largest process id a kernel gives.
  expect(await readStartTime(2 ** 22 + 1)).toBeUndefined()
})
