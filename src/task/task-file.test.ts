import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import type { TaskOverrides } from './overrides.ts'
import { parseTaskFile, taskFromCommand } from './task-file.ts'
import { context, refused, task } from './task-file-harness.ts'

test('the example with every key of Drover', () => {
  const file = parseTaskFile(
    `
name: train
target: local
num_nodes: 2
resources: {cpus: 2, memory: 4GB, accelerators: H100:1}
envs: {EPOCHS: 3}
secrets: {TOKEN: null}
workdir: .
setup: pip install -r requirements.txt
run: python train.py --rank $DROVER_NODE_RANK
array: {values: [1, 2, 3], max_parallel: 2}
retries: {max: 3, when: [node_failure, preempted, 'exit:75'], backoff: 30s}
timeout: 2h
after: ['job:k3f']
collect: [results/*.json]
processes_per_node: 4
notify: {on_end: "./tell.sh"}
`,
    'task.yaml',
    context({}, { TOKEN: 'hunter2' }),
  )
  const { written, ...spec } = file.tasks[0]!
  expect({ ...file, tasks: [spec] }).toEqual({
    source: 'task.yaml',
    execution: 'graph',
    primaryTasks: [],
    terminationDelayMs: {},
    tasks: [
      {
        name: 'train',
        target: 'local',
        numNodes: 2,
        resources: {
          ordered: false,
          candidates: [
            {
              cpus: { value: 2, atLeast: false },
              memoryBytes: { value: 4 * 1024 ** 3, atLeast: false },
              accelerators: [{ type: 'H100', count: 1 }],
              acceleratorsOrdered: false,
              raw: { cpus: 2, memory: '4GB', accelerators: 'H100:1' },
            },
          ],
        },
        envs: { EPOCHS: '3' },
        secrets: { TOKEN: 'hunter2' },
        workdir: { kind: 'directory', path: '/base' },
        fileMounts: [],
        setup: 'pip install -r requirements.txt',
        run: { kind: 'script', text: 'python train.py --rank $DROVER_NODE_RANK' },
        array: { elements: { kind: 'values', values: ['1', '2', '3'] }, size: 3, maxParallel: 2 },
        retries: { max: 3, when: [{ kind: 'node_failure' }, { kind: 'preempted' }, { exitCode: 75 }], backoffMs: 30_000 },
        timeoutMs: 7_200_000,
        graceMs: 10_000,
        after: [{ task: 'job:k3f', condition: 'ok' }],
        collect: ['results/*.json'],
        processesPerNode: 4,
        notify: { onEnd: './tell.sh' },
        baseDirectory: '/base',
        foreign: {},
      },
    ],
  })
  expect(Object.keys(written)).toHaveLength(16)
  expect(written.secrets).toEqual(['TOKEN'])
})

test('defaults', () => {
  expect(task('run: echo hi')).toEqual({
    target: 'local',
    numNodes: 1,
    resources: { ordered: false, candidates: [{ accelerators: [], acceleratorsOrdered: false, raw: {} }] },
    envs: {},
    secrets: {},
    fileMounts: [],
    run: { kind: 'script', text: 'echo hi' },
    retries: { max: 0, when: expect.any(Array), backoffMs: 0 },
    graceMs: 10_000,
    after: [],
    collect: [],
    notify: {},
    baseDirectory: '/base',
    foreign: {},
    written: { run: 'echo hi' },
  })
})

describe('several tasks', () => {
  const file = (text: string, overrides?: TaskOverrides) => parseTaskFile(text, 'task.yaml', context(overrides))
  const edges = (text: string, overrides?: TaskOverrides) =>
    file(text, overrides).tasks.map((one) => [one.name, ...one.after.map(({ task: up, condition }) => `${up}:${condition}`)])

  test('a graph by after, in every form', () => {
    const text = [
      'name: a\nrun: x',
      'name: b\nrun: x\nafter: a',
      'name: c\nrun: x\nafter: [a, {task: b, condition: any}]',
      'name: d\nrun: x\nafter: {a: failed, c: ok}',
      'name: e\nrun: x\nafter: [{d: any}, "job:k3f"]',
    ].join('\n---\n')
    expect(file(text).execution).toBe('graph')
    expect(edges(text)).toEqual([['a'], ['b', 'a:ok'], ['c', 'a:ok', 'b:any'], ['d', 'a:failed', 'c:ok'], ['e', 'd:any', 'job:k3f:ok']])
    expect(edges(text, { after: ['zz'] })[0]).toEqual(['a', 'job:zz:ok'])
  })

  test.each([
    ['name-only header', 'name: g\n---\nname: a\nrun: x\n---\nrun: y\n', 'g', [['a'], ['g-1', 'a:ok']]],
    ['execution: serial', 'name: g\nexecution: serial\n---\nname: a\nrun: x\n---\nname: b\nrun: y\n', 'g', [['a'], ['b', 'a:ok']]],
    ['no header', 'name: a\nrun: x\n---\nname: b\nrun: y\n---\n', undefined, [['a'], ['b', 'a:ok']]],
  ])('pipeline: %s', (_name, text, group, expected) => {
    expect(file(text)).toMatchObject({ execution: 'serial', ...(group === undefined ? {} : { groupName: group }) })
    expect(edges(text)).toEqual(expected)
  })

  test('a named graph', () => {
    expect(file('name: g\n---\nname: a\nrun: x\n---\nname: b\nrun: y\nafter: a')).toMatchObject({ groupName: 'g', execution: 'graph' })
    expect(edges('execution: graph\n---\nname: a\nrun: x\n---\nname: b\nrun: y')).toEqual([['a'], ['b']])
  })

  test('a parallel group', () => {
    const group = file(
      'name: g\nexecution: parallel\nprimary_tasks: [a]\ntermination_delay: {default: 30s, b: 5}\n---\nname: a\nrun: x\n---\nname: b\nrun: y',
    )
    expect(group).toMatchObject({
      groupName: 'g',
      execution: 'parallel',
      primaryTasks: ['a'],
      terminationDelayMs: { '*': 30_000, b: 5000 },
    })
    expect(group.tasks.map((one) => one.after)).toEqual([[], []])
  })

  test('--name names the group, other flags hold for every task', () => {
    const group = file('name: a\nrun: x\n---\nname: b\nrun: y', { name: 'n', target: 't' })
    expect(group.groupName).toBe('n')
    expect(group.tasks.map((one) => [one.name, one.target])).toEqual([
      ['a', 't'],
      ['b', 't'],
    ])
  })

  test.each([
    ['unknown upstream', 'name: prepare\nrun: x\n---\nname: b\nrun: x\nafter: prepar', '6:8', 'no task of this file is called "prepar"'],
    ['itself', 'name: a\nrun: x\nafter: a', '3:8', 'the task "a" waits for itself'],
    [
      'a circle',
      'name: a\nrun: x\nafter: c\n---\nname: b\nrun: x\nafter: a\n---\nname: c\nrun: x\nafter: b',
      '7:8',
      'the tasks wait for each other: a after c after b after a',
    ],
    ['twice upstream', 'name: a\nrun: x\n---\nname: b\nrun: x\nafter: [a, a]', '6:12', '"a" is named twice'],
    ['same name', 'name: a\nrun: x\n---\nname: a\nrun: x', '4:7', 'two tasks of the file are called "a"'],
    ['no name in a graph', 'name: a\nrun: x\n---\nrun: x\nafter: a', '4:1', 'the task has no name'],
    ['after in a pipeline', 'execution: serial\n---\nname: a\nrun: x\n---\nname: b\nrun: x\nafter: a', '8:8', 'cannot be used beside'],
    ['unknown primary', 'execution: parallel\nprimary_tasks: [b]\n---\nname: a\nrun: x', '2:17', 'no task of this file is called "b"'],
    ['primary in a pipeline', 'execution: serial\nprimary_tasks: [a]\n---\nname: a\nrun: x', '2:1', 'is known only beside'],
    ['header key', 'execution: parallel\nnme: g\n---\nname: a\nrun: x', '2:1', 'unknown key "nme"'],
    ['execution', 'execution: both\n---\nname: a\nrun: x', '1:12', 'execution: "both" is not allowed'],
    ['header alone', 'execution: parallel\n', '1:1', 'the file has a header but no task after it'],
  ])('refused: %s', (_name, text, place, message) => {
    const error = refused(text)
    expect(error.message).toContain(message)
    expect(`${error.details.location?.line}:${error.details.location?.column}`).toBe(place)
  })

  test('a chain of two thousand tasks is no problem', () => {
    const text = Array.from({ length: 2000 }, (_, index) => `name: t${index}\nrun: x\n${index === 0 ? '' : `after: t${index - 1}\n`}`).join(
      '---\n',
    )
    expect(file(text).tasks).toHaveLength(2000)
  })
})

describe('a bare command', () => {
  test('runs where it is called, and is never split', () => {
    const { source, tasks } = taskFromCommand(['./my tool', 'a b', '$X', '--flag'], context({ cpus: 2, envs: ['A=1'] }))
    expect(source).toBe('<command>')
    expect(tasks[0]).toMatchObject({
      name: 'my-tool',
      workdir: { kind: 'link', path: '/here' },
      run: { kind: 'argv', argv: ['./my tool', 'a b', '$X', '--flag'] },
      envs: { A: '1' },
      resources: { candidates: [{ cpus: { value: 2 } }] },
    })
  })

  test('--workdir copies, --name names', () => {
    expect(taskFromCommand(['x'], context({ workdir: '/base', name: 'n' })).tasks[0]).toMatchObject({
      name: 'n',
      workdir: { kind: 'directory', path: '/base' },
    })
  })

  test.each([[[]], [['']], [['a\0']]])('refused: %j', (argv) => {
    expect(() => taskFromCommand(argv, context())).toThrow(InputError)
  })
})
