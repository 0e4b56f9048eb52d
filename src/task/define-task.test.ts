import { expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { defineTask, defineTasks } from './define-task.ts'
import type { TaskContext } from './task-context.ts'
import { parseTaskFile } from './task-file.ts'
import type { TaskInput } from './task-input.ts'

const context: TaskContext = {
  baseDirectory: '/base',
  environment: { TOKEN: 'hunter2' },
  overrides: {},
  files: { homedir: '/home/u', exists: () => true, readText: () => 'a\nb\n' },
}

test('gives what the same task in YAML gives', () => {
  const fromYaml = parseTaskFile(
    'name: a\nrun: x\nenvs: {A: 1}\nsecrets: {TOKEN: null}\nresources: {cpus: 4+, memory: 4GB}\ntimeout: 1h30m\narray: {range: [0, 4]}\nretries: {max: 2, when: [exit:75]}',
    '<typescript>',
    context,
  )
  const fromTypeScript = defineTask(
    {
      name: 'a',
      run: 'x',
      envs: { A: 1 },
      secrets: { TOKEN: null },
      resources: { cpus: '4+', memory: '4GB' },
      timeout: '1h30m',
      array: { range: [0, 4] },
      retries: { max: 2, when: ['exit:75'] },
    },
    context,
  )
  expect(fromTypeScript).toEqual(fromYaml)
})

test('several tasks', () => {
  const graph = defineTasks(
    [
      { name: 'a', run: ['echo', 'hi'] },
      { name: 'b', run: 'x', after: { a: 'any' } },
    ],
    { name: 'g' },
    context,
  )
  expect(graph).toMatchObject({ groupName: 'g', execution: 'graph', source: '<typescript>' })
  expect(graph.tasks[1]?.after).toEqual([{ task: 'a', condition: 'any' }])
  const serial = defineTasks(
    [
      { name: 'a', run: 'x' },
      { name: 'b', run: 'x' },
    ],
    {},
    context,
  )
  expect(serial.execution).toBe('serial')
  const parallel = defineTasks(
    [
      { name: 'a', run: 'x' },
      { name: 'b', run: 'x' },
    ],
    { execution: 'parallel', primary_tasks: ['a'], termination_delay: '5s' },
    context,
  )
  expect(parallel).toMatchObject({ execution: 'parallel', primaryTasks: ['a'], terminationDelayMs: { '*': 5000 } })
})

test('numbers become JavaScript text, undefined is not given', () => {
  const { tasks } = defineTask({ run: 'x', envs: { A: 0.5, B: 1e21, C: 1 }, ...{ setup: undefined } } as unknown as TaskInput, context)
  expect(tasks[0]?.envs).toEqual({ A: '0.5', B: '1e+21', C: '1' })
  expect(tasks[0]).not.toHaveProperty('setup')
})

const circle: Record<string, unknown> = { run: 'x' }
circle.config = circle

test.each([
  ['a function', { run: () => 'x' }, 'run: a function is not task data'],
  ['a class', { run: 'x', envs: new Map() }, 'envs: a class instance is not task data'],
  ['a circle', circle, 'nested too deeply, or contains itself'],
  ['NaN', { run: 'x', timeout: Number.NaN }, 'timeout: the number NaN is not allowed'],
  ['not an object', 'run', 'a task must be a mapping'],
])('refused: %s', (_name, input, message) => {
  expect(() => defineTask(input as unknown as TaskInput, context)).toThrow(message)
})

test('messages name the task', () => {
  const bad = { name: 'b', run: 'x', num_nodes: 0 }
  expect(() => defineTasks([{ name: 'a', run: 'x' }, bad], {}, context)).toThrow('task "b": num_nodes: the number 0 is not allowed')
  expect(() => defineTasks([], {}, context)).toThrow(InputError)
})

/** Each call is refused by the type and by the check alike. */
test('types refuse what the schema refuses', () => {
  const unnamed = { run: 'x', after: 'b' }
  const refused: (() => unknown)[] = [
    // @ts-expect-error unknown key
    () => defineTask({ run: 'x', nme: 'a' }, context),
    // @ts-expect-error unknown key in resources
    () => defineTask({ run: 'x', resources: { cpu: 2 } }, context),
    // @ts-expect-error a number is no name
    () => defineTask({ run: 'x', name: 3 }, context),
    // @ts-expect-error nothing to run
    () => defineTask({ name: 'a' }, context),
    // @ts-expect-error not a duration
    () => defineTask({ run: 'x', timeout: '2 hours' }, context),
    // @ts-expect-error not a size
    () => defineTask({ run: 'x', resources: { memory: 'lots' } }, context),
    // @ts-expect-error not a number of CPUs
    () => defineTask({ run: 'x', resources: { cpus: '4x' } }, context),
    // @ts-expect-error two array forms
    () => defineTask({ run: 'x', array: { count: 3, values: [1] } }, context),
    // @ts-expect-error no array form
    () => defineTask({ run: 'x', array: { max_parallel: 3 } }, context),
    // @ts-expect-error not a range
    () => defineTask({ run: 'x', array: { range: 'a-b' } }, context),
    // @ts-expect-error not a failure kind
    () => defineTask({ run: 'x', retries: { max: 1, when: ['nodefail'] } }, context),
    // @ts-expect-error not an exit code
    () => defineTask({ run: 'x', retries: { max: 1, when: 'exit:abc' } }, context),
    // @ts-expect-error max is missing
    () => defineTask({ run: 'x', retries: { backoff: '1s' } }, context),
    // @ts-expect-error not a condition
    () => defineTask({ run: 'x', after: [{ task: 'job:a', condition: 'done' }] }, context),
    // @ts-expect-error any_of and ordered
    () => defineTask({ run: 'x', resources: { any_of: [{ cpus: 1 }], ordered: [{ cpus: 1 }] } }, context),
    // @ts-expect-error gpus and accelerators
    () => defineTask({ run: 'x', resources: { gpus: 'A', accelerators: 'A' } }, context),
    // @ts-expect-error infra and cloud
    () => defineTask({ run: 'x', resources: { infra: 'aws', cloud: 'aws' } }, context),
    // @ts-expect-error an env is text or a number
    () => defineTask({ run: 'x', envs: { A: ['b'] } }, context),
    // @ts-expect-error git needs a url
    () => defineTask({ run: 'x', workdir: { ref: 'main' } }, context),
    // @ts-expect-error storage mode
    () => defineTask({ run: 'x', file_mounts: { '/a': { mode: 'LINK' } } }, context),
    // @ts-expect-error an empty command
    () => defineTask({ run: [] }, context),
    // @ts-expect-error tasks of a group have names
    () => defineTasks([unnamed, { name: 'b', run: 'x' }], {}, context),
    // @ts-expect-error only parallel groups have primary tasks
    () => defineTasks([{ name: 'b', run: 'x' }], { execution: 'serial', primary_tasks: ['b'] }, context),
  ]
  for (const call of refused) expect(call, String(call)).toThrow(InputError)
})
