import { describe, expect, test } from 'vitest'
import { refused, task } from './task-file-harness.ts'

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
