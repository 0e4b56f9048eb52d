import { expect, test } from 'vitest'
import { compressHostlist, expandHostlist } from './hostlist.ts'

test.each([
  [['node1', 'node2', 'node4'], 'node[1-2,4]'],
  [['a', 'b', 'c1', 'c2'], 'a,b,c[1-2]'],
  [['node7'], 'node7'],
  [['foo01', 'foo02', 'foo10'], 'foo[01-02],foo10'],
  [['n9', 'n10', 'n11'], 'n[9-11]'],
  [[], ''],
] as const)('%j is %s', (names, text) => {
  expect(compressHostlist(names)).toBe(text)
  expect(expandHostlist(text)).toEqual(names)
})

test('brackets that do not close are no list', () => {
  expect(expandHostlist('node[1-2')).toBeUndefined()
})
