import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { each, file, float, int, list, nullable, optional, string, struct, worker } from './index.ts'

const text = (value: string): Uint8Array => Buffer.from(value)
const signal = new AbortController().signal

describe('tasks in memory', () => {
  const { tasks } = worker('m')
    .task('scale', { inputs: { x: int, by: optional(int, 2) }, outputs: { value: int, half: float } }, ({ x, by }) => ({
      value: x * by,
      half: x / 2,
    }))
    .task('copy', { inputs: { source: file }, outputs: file }, ({ source }, { newFile }) => {
      const path = newFile()
      writeFileSync(path, `${readFileSync(source, 'utf8')}!`)
      return path
    })
    .task('explode', { inputs: { n: int }, outputs: each(int) }, ({ n }) => Array.from({ length: n }, (_, k) => k))
    .task('fail', { inputs: {}, outputs: int }, () => Promise.reject(new Error('no luck')))
    .inMemory()
  const run = async (task: string, inputs: Record<string, string>, outputs?: readonly string[]) =>
    await tasks.get(task)!.run({
      inputs: new Map(Object.entries(inputs).map(([port, value]) => [port, text(value)])),
      signal,
      log: () => {},
      ...(outputs ? { outputs } : {}),
    })

  test('values by port, with defaults', async () => {
    expect(await run('scale', { x: '3' })).toEqual(
      new Map<string, unknown>([
        ['value', 6n],
        ['half', 1.5],
      ]),
    )
    expect(await run('scale', { x: '3', by: '5' }, ['value'])).toEqual(new Map([['value', 15n]]))
    expect(await run('explode', { n: '2' })).toEqual(
      new Map([
        ['0', 0n],
        ['1', 1n],
      ]),
    )
  })

  test('files go through a directory that is gone afterwards', async () => {
    expect(Buffer.from((await run('copy', { source: 'raw' })).get('value') as Uint8Array).toString()).toBe('raw!')
  })

  test('errors are those of the task', async () => {
    await expect(run('fail', {})).rejects.toThrow('no luck')
    await expect(run('scale', {})).rejects.toThrow('input "x" of task "scale" was not given')
    await expect(run('scale', { x: '1', z: '2' })).rejects.toThrow('task "scale" has no input port "z"; it has: x, by')
  })
})

describe('a worker is refused', () => {
  test.each([
    ['without a usable name', () => worker('a b'), /no name for a worker/],
    [
      'with a task that is no identifier',
      () => worker('w').task('a-b', { inputs: {}, outputs: int }, () => 1),
      /"a-b" is no name for a task/,
    ],
    [
      'with two tasks of one name',
      () =>
        worker('w')
          .task('a', { inputs: {}, outputs: int }, () => 1)
          .task('a', { inputs: {}, outputs: int }, () => 1),
      /two tasks "a"/,
    ],
    ['with a file inside a list', () => list(file), /list cannot hold a file/],
    ['with a file as a field', () => struct('S', { f: nullable(string), g: file }), /struct S cannot hold a file/],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})

test('the compiler refuses what does not fit the ports', () => {
  const w = worker('typed')
  // @ts-expect-error x is a number
  w.task('a', { inputs: { x: int }, outputs: int }, ({ x }) => x.length)
  // @ts-expect-error there is no input y
  w.task('b', { inputs: { x: int }, outputs: int }, ({ y }) => Number(y))
  // @ts-expect-error a string is no int
  w.task('c', { inputs: {}, outputs: int }, () => 'one')
  // @ts-expect-error output b is missing
  w.task('d', { inputs: {}, outputs: { a: int, b: string } }, () => ({ a: 1 }))
  // @ts-expect-error elements are numbers
  w.task('e', { inputs: {}, outputs: each(int) }, () => ['a'])
  // @ts-expect-error an optional input may be undefined
  w.task('f', { inputs: { x: optional(int) }, outputs: int }, ({ x }) => x + 1)
  w.task('g', { inputs: { x: optional(int, 0) }, outputs: { a: int, b: optional(string) } }, ({ x }) => ({ a: x }))
  expect([...w.tasks.keys()]).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})
