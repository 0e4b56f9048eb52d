import { expect, test } from 'vitest'
import { compressHostlist, expandHostlist } from './hostlist.ts'

test.each([
  [['node1', 'node2', 'node4'], 'node[1-2,4]'],
  [['a', 'b', 'c1', 'c2'], 'a,b,c[1-2]'],
  [['node7'], 'node7'],
  [['foo01', 'foo02', 'foo10'], 'foo[01-02,10]'],
  [['n09', 'n10', 'n11'], 'n[09-11]'],
  [['n9', 'n09'], 'n[9,09]'],
  [['n099', 'n100'], 'n[099-100]'],
  [['n1', 'n3', 'n2'], 'n[1,3,2]'],
  [['a1', 'b1', 'a2'], 'a1,b1,a2'],
  [['n9', 'n10', 'n11'], 'n[9-11]'],
  [[], ''],
] as const)('%j is %s', (names, text) => {
  expect(compressHostlist(names)).toBe(text)
  expect(expandHostlist(text)).toEqual(names)
})

test('brackets that do not close are no list', () => {
  expect(expandHostlist('node[1-2')).toBeUndefined()
})
