import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DroverError, InputError } from '../errors.ts'
import type { TaskOverrides } from './overrides.ts'
import type { TaskContext } from './task-context.ts'
import { parseTaskFile, taskFromCommand } from './task-file.ts'
import type { TaskSpec } from './task-spec.ts'

const FILES: Readonly<Record<string, string>> = {
  '/base/values.txt': 'a\r\nb c\n\nd\n',
  '/here/local.env': '# comment\nexport A=1\nB="two\\nlines"\nC=\'$raw\' # why\n',
}
const EXISTING = ['/base', '/base/code', '/base/data.bin', '/home/u/x', ...Object.keys(FILES)]

function context(overrides: TaskOverrides = {}, environment: Record<string, string> = {}): TaskContext {
  return {
    baseDirectory: '/base',
    currentDirectory: '/here',
    environment,
    overrides,
    files: {
      homedir: '/home/u',
      exists: (path) => EXISTING.includes(path),
      readText: (path) => {
        const text = FILES[path]
        if (text === undefined) throw new Error('ENOENT')
        return text
      },
    },
  }
}

function task(text: string, overrides?: TaskOverrides, environment?: Record<string, string>): TaskSpec {
  return parseTaskFile(text, 'task.yaml', context(overrides, environment)).tasks[0]!
}

function refused(text: string | Uint8Array, overrides?: TaskOverrides, environment?: Record<string, string>): InputError {
  try {
    parseTaskFile(text, 'task.yaml', context(overrides, environment))
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

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

describe('refusals: place, what, and what is allowed', () => {
  test.each([
    ['unknown key', 'run: x\nnum_node: 2', '2:1', 'unknown key "num_node"', 'Did you mean "num_nodes"?'],
    ['in resources', 'run: x\nresources:\n  cpu: 2', '3:3', 'resources: unknown key "cpu"', 'Did you mean "cpus"?'],
    [
      'in a candidate',
      'run: x\nresources:\n  any_of:\n  - {memroy: 2}',
      '4:6',
      'resources.any_of[0]: unknown key',
      'Did you mean "memory"?',
    ],
    ['in storage', 'run: x\nfile_mounts:\n  /a: {nmae: b}', '3:8', 'file_mounts./a: unknown key "nmae"', 'Did you mean "name"?'],
    [
      'in a mount config',
      'run: x\nfile_mounts:\n  /a: {config: {mount: {readonly: true}}}',
      '3:25',
      'file_mounts./a.config.mount: unknown',
      '"read_only"',
    ],
    ['in service', 'run: x\nservice: {replica: 1}', '2:11', 'service: unknown key "replica"', 'Did you mean "replicas"?'],
    [
      'in a probe',
      'run: x\nservice: {readiness_probe: {path: /, header: {}}}',
      '2:38',
      'service.readiness_probe: unknown',
      'Did you mean "headers"?',
    ],
    ['in pool', 'pool: {worker: 1}', '1:8', 'pool: unknown key "worker"', 'Did you mean "workers"?'],
    ['in autostop', 'run: x\nresources: {autostop: {idle: 1}}', '2:24', 'resources.autostop: unknown key', 'Allowed: idle_minutes, down'],
    ['in array', 'run: x\narray: {cuont: 3}', '2:9', 'array: unknown key "cuont"', 'Did you mean "count"?'],
    ['in retries', 'run: x\nretries: {max: 1, backof: 1s}', '2:19', 'retries: unknown key', 'Did you mean "backoff"?'],
    ['in notify', 'run: x\nnotify: {onend: y}', '2:10', 'notify: unknown key', 'Did you mean "on_end"?'],
    [
      'old spot_recovery',
      'run: x\nresources: {spot_recovery: FAILOVER}',
      '2:13',
      'unknown key "spot_recovery"',
      'Did you mean "job_recovery"?',
    ],
    ['resources.hooks', 'run: x\nresources: {hooks: []}', '2:13', 'resources: unknown key "hooks"', 'Allowed:'],
    ['a number as name', 'name: 12\nrun: x', '1:7', 'name: must be a string, not the number 12', 'put it in quotes: "12"'],
    ['yes as name', 'name: yes\nrun: x', '1:7', 'not the boolean yes', 'put it in quotes: "yes"'],
    ['a date as name', 'name: 2024-01-01\nrun: x', '1:7', 'not the date 2024-01-01', 'put it in quotes'],
    ['a bad name', 'name: a b\nrun: x', '1:7', 'name: "a b" is not allowed', 'Allowed: letters and digits'],
    ['zero nodes', 'num_nodes: 0\nrun: x', '1:12', 'num_nodes: the number 0 is not allowed', 'Allowed: whole numbers from 1'],
    ['half a node', 'num_nodes: 1.5\nrun: x', '1:12', 'num_nodes: the number 1.5 is not allowed', 'from 1'],
    ['nodes as text', 'num_nodes: "2"\nrun: x', '1:12', 'num_nodes: must be a whole number, not "2"', 'whole numbers'],
    ['cpus', 'run: x\nresources: {cpus: 4x}', '2:19', 'resources.cpus: "4x" is not allowed', 'Allowed: 4, 4+'],
    ['memory', 'run: x\nresources: {memory: lots}', '2:21', 'resources.memory: "lots" is not allowed', '64GB'],
    ['memory per unknown cpu', 'run: x\nresources: {memory: 3x}', '2:21', 'GB per CPU', 'Add cpus'],
    ['accelerator count', 'run: x\nresources: {accelerators: H100:x}', '2:27', '"H100:x" is not allowed', 'H100:8'],
    ['accelerator dict', 'run: x\nresources: {accelerators: {H100: x}}', '2:34', 'resources.accelerators.H100: must be', undefined],
    ['accelerator twice', 'run: x\nresources: {accelerators: {"H100:2": 2}}', '2:38', 'two counts', undefined],
    ['gpus and accelerators', 'run: x\nresources: {gpus: H100, accelerators: H100}', '2:19', 'they are the same', 'Keep one'],
    ['any_of and ordered', 'run: x\nresources: {any_of: [{cpus: 1}], ordered: [{cpus: 1}]}', '2:43', 'exclude each other', undefined],
    ['infra and cloud', 'run: x\nresources: {infra: aws, cloud: aws}', '2:12', 'infra and cloud', 'Keep infra'],
    ['priority', 'run: x\nresources: {priority: 1001}', '2:23', '1001 is not allowed', '-1000 to 1000'],
    ['port', 'run: x\nresources: {ports: 70000}', '2:20', '70000 is not allowed', '1 to 65535'],
    ['price', 'run: x\nresources: {max_hourly_cost: 0}', '2:30', 'the number 0', 'above 0'],
    ['recovery code', 'run: x\nresources: {job_recovery: {recover_on_exit_codes: [256]}}', '2:52', '256 is not allowed', '0 to 255'],
    ['env name', 'run: x\nenvs: {1A: b}', '2:8', 'envs: the key "1A" is not allowed', 'not starting with a digit'],
    ['env list', 'run: x\nenvs: [A]', '2:7', 'envs: must be a mapping, not a list', undefined],
    ['env mapping', 'run: x\nenvs: {A: {B: c}}', '2:11', 'envs.A: must be a plain value, not a mapping', undefined],
    ['env without value', 'run: x\nenvs: {A: }', '2:8', 'envs.A: has no value', '--env A=VALUE'],
    ['docker login in parts', 'run: x\nenvs: {SKYPILOT_DOCKER_USERNAME: a}', '2:7', 'all three', undefined],
    ['retry kind', 'run: x\nretries: {max: 1, when: [nodefail]}', '2:26', 'retries.when[0]: "nodefail" is not allowed', 'node_failure'],
    ['retry code', 'run: x\nretries: {max: 1, when: exit:0}', '2:25', '"exit:0" is not allowed', 'exit:CODE (1 to 255)'],
    ['retries without max', 'run: x\nretries: {when: exit}', '2:10', 'retries: the key "max" is missing', undefined],
    ['timeout', 'run: x\ntimeout: 2 hours', '2:10', 'timeout: "2 hours" is not allowed', '1h30m'],
    ['no time', 'run: x\ntimeout: 0', '2:10', 'timeout: the number 0 is not allowed', 'above 0'],
    ['timeout in clock form', 'run: x\ntimeout: .nan', '2:10', 'is not allowed', '1h30m'],
    ['two array forms', 'run: x\narray: {count: 3, values: [1]}', '2:8', 'array: has count and values', 'exactly one of'],
    ['no array form', 'run: x\narray: {max_parallel: 3}', '2:8', 'says not which elements', 'exactly one of'],
    ['empty values', 'run: x\narray: {values: []}', '2:17', 'at least 1 entry', undefined],
    ['empty range', 'run: x\narray: {range: [3, 3]}', '2:16', 'gives 0 elements', undefined],
    ['range text', 'run: x\narray: {range: a-b}', '2:16', '"a-b" is not a range', '0-9'],
    ['backward range', 'run: x\narray: {range: 9-0}', '2:16', '"9-0" is not a range', undefined],
    ['range step', 'run: x\narray: {range: [0, 9, 0]}', '2:16', 'step below 1', undefined],
    [
      'huge matrix',
      `run: x\narray: {matrix: {A: [${'1,'.repeat(9999)}1], B: [${'1,'.repeat(9999)}1]}}`,
      '2:17',
      'gives 100000000 elements',
      undefined,
    ],
    ['matrix name', 'run: x\narray: {matrix: {a-b: [1]}}', '2:18', 'the key "a-b" is not allowed', undefined],
    ['condition', 'run: x\nafter: {job:a: done}', '2:16', 'after.job:a: "done" is not allowed', 'ok, any, failed'],
    ['git url', 'run: x\nworkdir: {url: ./here}', '2:16', 'workdir.url: "./here" is not a git URL', 'https://'],
    ['git without url', 'run: x\nworkdir: {ref: main}', '2:10', 'workdir: the key "url" is missing', undefined],
    ['mount slash', 'run: x\nfile_mounts: {/a/: s3://b}', '2:15', 'the destination "/a/" ends with a slash', undefined],
    ['mount source slash', 'run: x\nfile_mounts: {/a: ./code/}', '2:19', 'the source "./code/" ends with a slash', undefined],
    ['mount escape', 'run: x\nfile_mounts: {/a/../b: s3://b}', '2:15', '"/a/../b" is not a destination', undefined],
    ['mount into workdir', 'run: x\nworkdir: .\nfile_mounts: {~/sky_workdir/a: s3://b}', '3:15', 'lies in the work directory', undefined],
    ['storage mode', 'run: x\nfile_mounts: {/a: {mode: LINK}}', '2:26', 'file_mounts./a.mode: "LINK" is not allowed', 'MOUNT, COPY'],
    [
      'hooks',
      'run: x\nconfig: {hooks: [{run: a, events: [start]}]}',
      '2:36',
      'config.hooks[0].events[0]: "start"',
      'stop, preemption, down',
    ],
    ['inputs', 'run: x\ninputs: {a: 1, b: 2}', '2:9', 'inputs: has 2 keys; at most 1 is allowed', undefined],
    ['nothing to run', 'name: a', '1:1', 'the task has nothing to run', 'Add the key run'],
    ['run as mapping', 'run: {a: b}', '1:6', 'run: must be a script', undefined],
    ['a list', '- a', '1:1', 'a task must be a mapping of keys, not a list', 'run: COMMAND'],
    ['a word', 'hello', '1:1', 'a task must be a mapping of keys, not "hello"', undefined],
    ['nothing', '# only a comment\n', '1:1', 'the file is empty', undefined],
  ])('%s', (_name, text, place, message, hint) => {
    const error = refused(text)
    const { location } = error.details
    expect(error.code).toBe('invalid_task')
    expect(error.message).toContain(message)
    expect(`${location?.line}:${location?.column}`).toBe(place)
    expect(location?.file).toBe('task.yaml')
    if (hint !== undefined) expect(error.details.hint).toContain(hint)
  })

  test.each([
    ['workdir', 'run: x\nworkdir: ./nowhere', 'workdir: "/base/nowhere" does not exist'],
    ['mount', 'run: x\nfile_mounts: {/a: ~/nowhere}', 'file_mounts./a: "/home/u/nowhere" does not exist'],
    ['array file', 'run: x\narray: {file: no.txt}', 'array.file: cannot read /base/no.txt'],
  ])('missing file: %s', (_name, text, message) => {
    const error = refused(text)
    expect(error.code).toBe('missing_file')
    expect(error.message).toBe(message)
    expect(error.details.location?.line).toBe(2)
  })

  test('bytes that are no UTF-8', () => {
    expect(refused(new Uint8Array([0x72, 0xff, 0xfe])).message).toContain('not UTF-8')
    expect(parseTaskFile(new TextEncoder().encode('\uFEFFrun: ä'), 'f', context()).tasks[0]?.run).toEqual({ kind: 'script', text: 'ä' })
  })
})

test.each([
  ['null top-level keys are dropped', 'run: x\nsetup:\nenvs: ~\ntimeout: null', {}],
  ['setup alone', 'setup: make', { setup: 'make', run: { kind: 'script', text: '' } }],
  ['run as a list', 'run: [echo, a b]', { run: { kind: 'argv', argv: ['echo', 'a b'] } }],
  ['git', 'run: x\nworkdir: {url: https://h/r.git, ref: v1}', { workdir: { kind: 'git', url: 'https://h/r.git', ref: 'v1' } }],
  ['home', 'run: x\nworkdir: ~/x', { workdir: { kind: 'directory', path: '/home/u/x' } }],
  ['retries as a number', 'run: x\nretries: 2', { retries: { max: 2, when: expect.arrayContaining([{ kind: 'exit' }]), backoffMs: 0 } }],
  ['a glob', 'run: x\ncollect: a/*', { collect: ['a/*'] }],
  ['number durations are seconds', 'run: x\ntimeout: 90\ngrace: 0', { timeoutMs: 90_000, graceMs: 0 }],
  ['clock form is an integer in YAML 1.1', 'run: x\ntimeout: 1:30:00', { timeoutMs: 5_400_000 }],
  ['managed secrets', 'run: x\nsecrets: ["secrets:personal.HF"]', { secrets: {}, foreign: { secrets: ['secrets:personal.HF'] } }],
  [
    'mounts',
    'run: x\nfile_mounts: {/a: s3://b, ~/c: code, /d: {name: e, mode: copy}}',
    {
      fileMounts: [
        { destination: '/a', source: { kind: 'uri', uri: 's3://b' } },
        { destination: '~/c', source: { kind: 'local', path: '/base/code' } },
        { destination: '/d', source: { kind: 'storage', storage: { name: 'e', mode: 'copy' } } },
      ],
    },
  ],
  [
    'keys of other targets',
    'run: x\nservice: {readiness_probe: /, replicas: 2}\nvolumes: {/v: vol}\nconfig: {kubernetes: {a: 1}}\napi_server_access: false\nevent_callback: y',
    {
      foreign: {
        service: { readiness_probe: '/', replicas: 2 },
        volumes: { '/v': 'vol' },
        config: { kubernetes: { a: 1 } },
        api_server_access: false,
        event_callback: 'y',
      },
    },
  ],
] as const)('%s', (_name, text, expected) => {
  expect(task(text)).toMatchObject(expected)
})

test('envs pass through Python str()', () => {
  const text = 'run: x\nenvs: {A: yes, B: NO, C: 010, D: 12:30:45, E: 1_000, F: 1.0, G: 1e-4, H: "yes", I: 1.50, J: 2024-01-01, ON: z}'
  expect(task(text).envs).toEqual({
    A: 'True',
    B: 'False',
    C: '8',
    D: '45045',
    E: '1000',
    F: '1.0',
    G: '1e-4',
    H: 'yes',
    I: '1.5',
    J: '2024-01-01',
    True: 'z',
  })
})

describe('resources', () => {
  const candidates = (yaml: string) => task(`run: x\nresources: ${yaml}`).resources
  test.each([
    ['H100', false, [{ type: 'H100', count: 1 }]],
    ['V100:0.5', false, [{ type: 'V100', count: 0.5 }]],
    ['{A100: 2}', false, [{ type: 'A100', count: 2 }]],
    [
      '{V100:1, A100:1}',
      false,
      [
        { type: 'V100', count: 1 },
        { type: 'A100', count: 1 },
      ],
    ],
    [
      '[A100:8, V100:4]',
      true,
      [
        { type: 'A100', count: 8 },
        { type: 'V100', count: 4 },
      ],
    ],
    ['80GB+', false, [{ type: '*', count: 1, minMemoryBytes: 80 * 1024 ** 3 }]],
  ])('accelerators %s', (yaml, acceleratorsOrdered, accelerators) => {
    expect(candidates(`{accelerators: ${yaml}}`).candidates[0]).toMatchObject({ accelerators, acceleratorsOrdered })
    expect(candidates(`{gpus: ${yaml}}`).candidates[0]).toMatchObject({ accelerators, acceleratorsOrdered })
  })

  test('outer keys are defaults, labels are merged and do not leak between candidates', () => {
    const { ordered, candidates: all } = candidates('{cpus: 2, labels: {a: "1"}, ordered: [{cpus: 4, labels: {b: "2"}}, {memory: 1}]}')
    expect(ordered).toBe(true)
    expect(all.map((one) => one.raw)).toEqual([
      { cpus: 4, labels: { a: '1', b: '2' } },
      { cpus: 2, labels: { a: '1' }, memory: 1 },
    ])
  })

  test.each([
    ['true', { enabled: true, idleMs: 300_000, down: false, waitFor: 'jobs_and_ssh' }],
    ['false', { enabled: false, down: false, waitFor: 'jobs_and_ssh' }],
    ['-1', { enabled: false, down: false, waitFor: 'jobs_and_ssh' }],
    ['10', { enabled: true, idleMs: 600_000, down: false, waitFor: 'jobs_and_ssh' }],
    ['10h', { enabled: true, idleMs: 36_000_000, down: false, waitFor: 'jobs_and_ssh' }],
    ['{idle_minutes: 3, down: true, wait_for: NONE}', { enabled: true, idleMs: 180_000, down: true, waitFor: 'none' }],
  ])('autostop %s', (yaml, autostop) => {
    expect(candidates(`{autostop: ${yaml}}`).candidates[0]?.autostop).toEqual(autostop)
  })

  test.each([
    ['infra: k8s/a:b/c/d', 'infra: "*/us-east-1"', 'infra: ssh/lab', 'infra: aws/us-east-1/us-east-1a'],
    ['ports: [8080, "9000-9010"]', 'ports: 80', 'disk_size: 256', 'disk_size: 1TB', 'image_id: {us: a}', 'image_id: null'],
    ['job_recovery: FAILOVER', 'job_recovery: {strategy: null, recover_on_exit_codes: 33, plugin_key: 1}', 'use_spot: yes'],
  ])('taken: %s', (...keys) => {
    for (const key of keys) expect(candidates(`{${key}}`).candidates[0]?.raw).toHaveProperty(key.split(':')[0]!)
  })

  test('amounts', () => {
    expect(candidates('{cpus: 4+, memory: 16+, disk_size: 10, priority: -3}').candidates[0]).toMatchObject({
      cpus: { value: 4, atLeast: true },
      memoryBytes: { value: 16 * 1024 ** 3, atLeast: true },
      diskSizeBytes: 10 * 1024 ** 3,
      priority: -3,
    })
    expect(candidates('{cpus: 4, memory: 3x}').candidates[0]?.memoryBytes).toEqual({ value: 12 * 1024 ** 3, atLeast: false })
  })
})

test.each([
  ['5', { elements: { kind: 'count', count: 5 }, size: 5 }],
  ['{count: 5}', { elements: { kind: 'count', count: 5 }, size: 5 }],
  ['{range: 10}', { elements: { kind: 'range', start: 0, stop: 10, step: 1 }, size: 10 }],
  ['{range: [2, 10, 3]}', { elements: { kind: 'range', start: 2, stop: 10, step: 3 }, size: 3 }],
  ['{range: 2-10:3}', { elements: { kind: 'range', start: 2, stop: 11, step: 3 }, size: 3 }],
  ['{range: {start: -1, stop: 1}}', { elements: { kind: 'range', start: -1, stop: 1, step: 1 }, size: 2 }],
  ['{values: [a, 1, 0.10, yes]}', { elements: { kind: 'values', values: ['a', '1', '0.10', 'yes'] }, size: 4 }],
  ['{file: values.txt, max_parallel: 2}', { elements: { kind: 'values', values: ['a', 'b c', '', 'd'] }, size: 4, maxParallel: 2 }],
  [
    '{matrix: {LR: [0.1, 0.2], SEED: [1, 2, 3]}}',
    {
      elements: {
        kind: 'matrix',
        parameters: [
          { name: 'LR', values: ['0.1', '0.2'] },
          { name: 'SEED', values: ['1', '2', '3'] },
        ],
      },
      size: 6,
    },
  ],
])('array %s', (yaml, array) => {
  expect(task(`run: x\narray: ${yaml}`).array).toEqual(array)
})

describe('interpolation', () => {
  const mount = (source: string) => task(`run: x\nenvs: {X: v}\nfile_mounts: {/a: 's3://${source}'}`).fileMounts[0]?.source
  // SkyPilot replaces by a regular expression that knows neither defaults nor escapes.
  test.each([
    ['$X', 'v'],
    ['${X}', 'v'],
    ['${X:-d}', 'v:-d}'],
    ['$X}', 'v'],
    ['\\$X', '\\v'],
    ['$$X', '$v'],
    ['$Y-${Y}', '$Y-${Y}'],
    ['$XY', '$XY'],
    ['$X-$X', 'v-v'],
  ])('%s becomes %s', (source, uri) => {
    expect(mount(source)).toEqual({ kind: 'uri', uri: `s3://${uri}` })
  })

  test('in keys, workdir, volumes and service; not in setup and run; quotes do no harm', () => {
    const spec = task(
      `run: echo $X\nsetup: echo $X\nenvs: {X: 'a"b', D: code}\nsecrets: {S: 's"t'}\nworkdir: $D\nfile_mounts: {/$D: 's3://$X/$S'}\nvolumes: {/v: $X}\nservice: {readiness_probe: {path: /$S}}`,
    )
    expect(spec).toMatchObject({
      run: { text: 'echo $X' },
      setup: 'echo $X',
      workdir: { path: '/base/code' },
      fileMounts: [{ destination: '/code', source: { uri: 's3://a"b/s"t' } }],
      foreign: { volumes: { '/v': 'a"b' }, service: { readiness_probe: { path: '/s"t' } } },
    })
    expect(spec.written).toMatchObject({ file_mounts: { '/code': 's3://a"b/$S' }, service: { readiness_probe: { path: '/$S' } } })
    expect(JSON.stringify(spec.written)).not.toContain('s\\"t')
  })
})

describe('secrets', () => {
  test('from the file, the environment and flags', () => {
    const spec = task('run: x\nsecrets: {A: 1, B: null, C: x}', { secrets: ['C=y=z', 'D'] }, { B: 'b', D: 'd', A: 'no' })
    expect(spec.secrets).toEqual({ A: '1', B: 'b', C: 'y=z', D: 'd' })
    expect(spec.written.secrets).toEqual(['A', 'B', 'C', 'D'])
  })

  test('a name in envs and secrets is secret', () => {
    expect(task('run: x\nenvs: {A: 1}\nsecrets: {A: 2}')).toMatchObject({ envs: {}, secrets: { A: '2' } })
  })

  test('missing', () => {
    const error = refused('run: x\nsecrets:\n  TOKEN: null')
    expect(error.code).toBe('missing_secret')
    expect(error.display).toBe(
      'task.yaml:3:3: the secret TOKEN has no value\n  Give it with --secret TOKEN=VALUE, or set TOKEN in your environment.',
    )
    expect(refused('run: x', { secrets: ['TOKEN'] }).code).toBe('missing_secret')
  })

  test.each([
    ['scalar', 'run: x\nsecrets: hunter2hunter2'],
    ['list', 'run: x\nsecrets: [hunter2hunter2]'],
    ['mapping', 'run: x\nsecrets: {A: {B: hunter2hunter2}}'],
    ['nul', 'run: x\nsecrets: {A: "hunter2hunter2\\0"}'],
    ['missing path', 'run: x\nsecrets: {A: hunter2hunter2}\nworkdir: ./$A'],
    ['bad destination', 'run: x\nsecrets: {A: hunter2hunter2}\nfile_mounts: {/$A/: s3://x}'],
    ['bad url', 'run: x\nsecrets: {A: hunter2hunter2}\nworkdir: {url: x$A}'],
    ['bad storage', 'run: x\nsecrets: {A: hunter2hunter2}\nfile_mounts: {/$A: {mode: $A}}'],
    ['missing mount', 'run: x\nsecrets: {A: hunter2hunter2}\nfile_mounts: {/a: ./$A}'],
    ['syntax', 'run: x\nsecrets: {A: hunter2hunter2\nb'],
    ['header', 'run: x\nservice: {readiness_probe: {path: /, headers: {Authorization: [hunter2hunter2]}}}'],
  ])('never stand in an error: %s', (_name, text) => {
    expect(refused(text).display).not.toContain('hunter2')
  })

  test('nor when a flag is wrong', () => {
    expect(refused('run: x', { secrets: ['hunter2-x=a'] }).display).not.toContain('hunter2')
  })
})

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

describe('whatever the text, only errors of Drover', () => {
  const words = [
    'run',
    'name',
    'resources',
    'envs',
    'secrets',
    'array',
    'after',
    'any_of',
    'file_mounts',
    'retries',
    '<<',
    '&a',
    '*a',
    '!!int',
    '!!set',
    'H100:1',
  ]
  const pieces = fc.oneof(
    fc.constantFrom(
      ...words,
      ': ',
      '\n',
      '\n  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      '|\n',
      '>',
      '---\n',
      '%YAML 1.2\n',
      '\t',
      '? ',
      '#',
      '~',
      '$X',
      '4GB',
      '1e400',
      '-1',
    ),
    fc.string(),
    fc.string({ unit: 'binary' }),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
  )

  test('text', () => {
    fc.assert(fc.property(text, onlyDroverErrors), { numRuns: 3000 })
  })

  test('bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), onlyDroverErrors))
  })

  test('well-formed data with wrong meaning', () => {
    const keys = fc.constantFrom(
      ...words.slice(0, 10),
      'count',
      'range',
      'matrix',
      'when',
      'max',
      'accelerators',
      'cpus',
      'autostop',
      '__proto__',
      'constructor',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('tree'), { maxLength: 3 }),
      map: fc.dictionary(keys, tie('tree'), { maxKeys: 5 }),
    }))
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 6 }), (value) => onlyDroverErrors(JSON.stringify({ run: 'x', ...value }))),
      { numRuns: 2000 },
    )
  })

  function onlyDroverErrors(input: string | Uint8Array): void {
    try {
      parseTaskFile(input, 'task.yaml', context())
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      expect(error.level).toBe('input')
    }
  }
})
