import { expect, test } from 'vitest'
import type { TaskObservation } from '../executors/executor.ts'
import { type NativeTasks, withNativeWords } from './native-array.ts'

const failed: TaskObservation = { kind: 'state', word: 'FAILED', state: 'failed', cause: 'exit', exitCode: 143 }

function tasksSaying(said: TaskObservation, askedToEnd: boolean): NativeTasks {
  return {
    chunk: 2,
    observation: { kind: 'state', word: 'FAILED', state: 'failed', tasks: new Map([[0, said]]) },
    setupRecord: () => ({ kind: 'none' }),
    askedToEnd: () => askedToEnd,
  }
}

test.each<{ readonly name: string; readonly said: TaskObservation; readonly asked: boolean; readonly cause: string }>([
  { name: 'a driver that failed by itself fails the elements without a journal', said: failed, asked: false, cause: 'exit' },
  { name: 'a driver that was asked to end cancels those that had no turn', said: failed, asked: true, cause: 'cancelled' },
  {
    name: 'a node failure stays one, asked or not',
    said: { ...failed, word: 'NODE_FAIL', cause: 'node_failure' },
    asked: true,
    cause: 'node_failure',
  },
])('$name', ({ said, asked, cause }) => {
  const elements = [0, 1].map((position) => ({ position, claimed: false }))
  expect(withNativeWords(elements, tasksSaying(said, asked)).map(({ result }) => result?.word?.cause)).toEqual([cause, cause])
})
