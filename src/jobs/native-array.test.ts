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
    graceOver: false,
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

const stopped = { position: 0, claimed: true, result: { code: 143, told: 'term' as const, endedCs: 7 } }
const cancelled: TaskObservation = { kind: 'state', word: 'CANCELLED', state: 'cancelled', cause: 'cancelled' }
const running: TaskObservation = { kind: 'state', word: 'RUNNING', state: 'running' }

test.each<{ readonly name: string; readonly tasks: NativeTasks; readonly expected: string | undefined }>([
  { name: "somebody's scancel", tasks: tasksSaying(cancelled, false), expected: 'cancelled' },
  { name: 'a node failure', tasks: tasksSaying({ ...failed, cause: 'node_failure' }, false), expected: 'node_failure' },
  { name: 'no word that tells more than its record', tasks: tasksSaying(failed, false), expected: 'record alone' },
  { name: 'a scheduler that does not know the task any more', tasks: tasksSaying({ kind: 'missing' }, false), expected: undefined },
  {
    name: 'a scheduler that did not know it for the whole grace',
    tasks: { ...tasksSaying({ kind: 'missing' }, false), graceOver: true },
    expected: 'record alone',
  },
  { name: 'our own cancel', tasks: tasksSaying(running, true), expected: 'record alone' },
  { name: 'a scheduler that still says it runs', tasks: tasksSaying(running, false), expected: undefined },
  {
    name: 'a scheduler that cannot be asked',
    tasks: { ...tasksSaying(running, false), observation: { kind: 'could_not_ask', reason: 'down' } },
    expected: undefined,
  },
])('an element that was told to stop, and $name', ({ tasks, expected }) => {
  const [element] = withNativeWords([stopped], tasks)
  expect(element?.result && (element.result.word?.cause ?? 'record alone')).toBe(expected)
})

test.each([
  { code: 137, said: cancelled, chunk: 1, cause: 'cancelled' },
  { code: 137, said: cancelled, chunk: 2, cause: undefined },
  { code: 3, said: cancelled, chunk: 1, cause: undefined },
  { code: 137, said: failed, chunk: 1, cause: undefined },
])('an element that was told nothing and ended with $code, $chunk in its task: $cause', ({ code, said, chunk, cause }) => {
  const result = { code, told: '0' as const, endedCs: 7 }
  const [element] = withNativeWords([{ position: 0, claimed: true, result }], { ...tasksSaying(said, false), chunk })
  expect(element?.result).toMatchObject({ code })
  expect(element?.result?.word?.cause).toBe(cause)
})

test.each([
  { asked: true, claimed: false, cause: 'cancelled' },
  { asked: true, claimed: true, cause: undefined },
  { asked: false, claimed: false, cause: undefined },
])('an element whose task is not known any more: asked to end $asked, begun $claimed: $cause', ({ asked, claimed, cause }) => {
  const [element] = withNativeWords([{ position: 0, claimed }], tasksSaying({ kind: 'missing' }, asked))
  expect(element?.result?.word?.cause).toBe(cause)
})
