import { expect, test } from 'vitest'
import type { AttemptPlan } from './attempt-plan.ts'
import { wholeTasks } from './cancelled-elements.ts'

const plan = (chunk: number): Pick<AttemptPlan, 'elements' | 'places'> => ({
  elements: [2, 5, 7, 8, 9],
  places: [{ node: '', attemptDir: '/a', ranks: [0], slots: 1, workDirs: [], tasks: { count: Math.ceil(5 / chunk), chunk } }],
})

test.each([
  [1, [5, 9], [5, 9], [1, 4]],
  [2, [5], [5], []],
  [2, [5], [2, 5], [0]],
  [2, [9, 7], [9, 7], [2]],
  [2, [3], [3], []],
] as const)('tasks of %i elements, %j told, %j cancelled in all: %j', (chunk, positions, cancelled, expected) => {
  expect(wholeTasks(plan(chunk), positions, new Set(cancelled))).toEqual(expected)
})

test('a job that is no native array has no tasks', () => {
  expect(wholeTasks({ ...plan(1), places: [] }, [2], new Set([2]))).toEqual([])
})
