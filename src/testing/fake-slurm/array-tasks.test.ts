import { expect, test } from 'vitest'
import { parseArraySpec, printArrayTasks } from './array-tasks.ts'

/** Texts as squeue 22.05.8 printed them. */
test.each([
  ['0-9999%10', '0-9999%10'],
  ['5-8%2', '5-8%2'],
  ['1-999:2%3', '1-999:2%3'],
  ['0-10:5%2', '0,5,10%2'],
  ['5,7,9-11', '5,7,9-11'],
  ['3', '3'],
  ['1-2,4,6-8,10-49,51-99,101,103,105,107,109,111,113-119,121-400%1', '1-2,4,6-8,10-49,51-99,101,103,105,107,109,111,113-119,121-400%1'],
  [
    '1-2,4,6-8,10-49,51-99,101,103,105,107,109,111,113-119,121-129,131-400%1',
    '1-2,4,6-8,10-49,51-99,101,103,105,107,109,111,113-119,121-12...%1',
  ],
  [
    '10-49,51-99,101,103,105,107,109,111,113-119,121-129,131-139,141-149,151-400%1',
    '10-49,51-99,101,103,105,107,109,111,113-119,121-129,131-139,...%1',
  ],
])('%s is printed as %s', (given, printed) => {
  const spec = parseArraySpec(given, 100_000)!
  expect(printArrayTasks(spec.tasks, spec.throttle)).toBe(printed)
})

test('SLURM_BITSTR_LEN=0: nothing is cut off', () => {
  const tasks = Array.from({ length: 200 }, (_, index) => index * 3 + (index % 2))
  expect(printArrayTasks(tasks, 0, 0)).toBe(tasks.join(','))
})

test.each(['a-b', '', '5-3', '1-1001', '1-10:0', '-1', '1,,2', '1%x'])('%j is refused', (text) => {
  expect(parseArraySpec(text, 1001)).toBeUndefined()
})
