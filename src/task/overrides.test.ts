import { describe, expect, test } from 'vitest'
import type { TaskOverrides } from './overrides.ts'
import { refused, task } from './task-file-harness.ts'

describe('flags', () => {
  test('each sets its key, by the same rules', () => {
    const spec = task('run: x\nname: a\nresources: {any_of: [{cpus: 1, gpus: A}, {memory: 2}]}', {
      name: 'b',
      target: 'hpc',
      numNodes: '3',
      cpus: '4+',
      memory: '8GB',
      gpus: 'H100:2',
      diskSize: '10',
      priority: '5',
      workdir: '/base/code',
      setup: 's',
      timeout: '1h',
      grace: '5',
      collect: ['a'],
      processesPerNode: 2,
      cpusPerProcess: '3',
      retries: '4',
      retryWhen: ['exit:9'],
      backoff: '1m',
      notifyOnStart: 'p',
      notifyOnEnd: 'q',
      after: ['k3f', 'job:z=any'],
      arrayRange: '1-4',
      maxParallel: '2',
    })
    expect(spec).toMatchObject({
      name: 'b',
      target: 'hpc',
      numNodes: 3,
      workdir: { kind: 'directory', path: '/base/code' },
      setup: 's',
      timeoutMs: 3_600_000,
      graceMs: 5000,
      collect: ['a'],
      processesPerNode: 2,
      cpusPerProcess: 3,
      retries: { max: 4, when: [{ exitCode: 9 }], backoffMs: 60_000 },
      notify: { onStart: 'p', onEnd: 'q' },
      after: [
        { task: 'job:k3f', condition: 'ok' },
        { task: 'job:z', condition: 'any' },
      ],
      array: { elements: { kind: 'range', start: 1, stop: 5, step: 1 }, size: 4, maxParallel: 2 },
    })
    for (const candidate of spec.resources.candidates) {
      expect(candidate).toMatchObject({
        cpus: { value: 4, atLeast: true },
        memoryBytes: { value: 8 * 1024 ** 3 },
        accelerators: [{ type: 'H100', count: 2 }],
        priority: 5,
      })
    }
  })

  test('a flag repairs a missing or wrong key of the file', () => {
    expect(task('run: x\nnum_nodes: 0', { numNodes: 2 }).numNodes).toBe(2)
  })

  test('array flags replace the form and keep max_parallel', () => {
    const yaml = 'run: x\narray: {values: [a], max_parallel: 7}'
    expect(task(yaml, { arrayCount: '3' }).array).toEqual({ elements: { kind: 'count', count: 3 }, size: 3, maxParallel: 7 })
    expect(task(yaml, { arrayValues: ['010', 'b'] }).array?.elements).toEqual({ kind: 'values', values: ['010', 'b'] })
    expect(task(yaml, { arrayMatrix: ['A=1,2', 'B=x'] }).array?.size).toBe(2)
    expect(task('run: x\narray: 4', { maxParallel: 2 }).array).toEqual({ elements: { kind: 'count', count: 4 }, size: 4, maxParallel: 2 })
    expect(task('run: x\nretries: 4', { backoff: '2s' }).retries).toMatchObject({ max: 4, backoffMs: 2000 })
  })

  test('envs: file under env-file under --env', () => {
    const spec = task('run: x\nenvs: {A: 0, B: 0, Z: null}', { envFile: 'local.env', envs: ['B=3', 'Z', 'N='] }, { Z: 'zed' })
    expect(spec.envs).toEqual({ A: '1', B: '3', Z: 'zed', C: '$raw', N: '' })
    expect(task('run: x', { envFile: 'local.env' }).envs.B).toBe('two\nlines')
  })

  test.each([
    [{ cpus: '4x' }, '--cpus: "4x" is not allowed'],
    [{ numNodes: '0' }, '--num-nodes: the number 0 is not allowed'],
    [{ numNodes: 'two' }, '--num-nodes: must be a whole number, not "two"'],
    [{ timeout: 'soon' }, '--timeout: "soon" is not allowed'],
    [{ name: 'a b' }, '--name: "a b" is not allowed'],
    [{ retryWhen: ['x'] }, '--retry-when: "x" is not allowed'],
    [{ retryWhen: ['exit'] }, '--retry-when: the key "max" is missing'],
    [{ arrayCount: 'x' }, '--array: must be a whole number, not "x"'],
    [{ arrayCount: 3, arrayRange: '0-1' }, '--array and --array-range exclude each other'],
    [{ arrayMatrix: ['x'] }, '--array-matrix: "x" is not NAME=VALUE,VALUE'],
    [{ envs: ['NOT_SET'] }, '--env NOT_SET: NOT_SET is not set in your environment'],
    [{ envs: ['a-b=1'] }, '--env: the name "a-b" is not one of a variable'],
    [{ envFile: 'none' }, '--env-file: cannot read /here/none'],
    [{ workdir: 'none' }, '--workdir: "/here/none" does not exist'],
    [{ after: ['a=b'] }, '--after: "a=b" is not allowed'],
  ] satisfies [TaskOverrides, string][])('refused: %j', (overrides, message) => {
    const error = refused('run: x', overrides)
    expect(error.message).toContain(message)
    expect(error.details.location).toBeUndefined()
  })
})
