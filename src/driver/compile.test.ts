import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { compileElements } from './array-elements.ts'
import { type DriverOptions, validateDriverOptions } from './driver-options.ts'
import { compileDriver } from './driver-script.ts'
import { jobEnvironment, phaseEnvironment, rankEnvironment } from './job-environment.ts'
import { compileRunScript, compileSetupScript, elementCommand, runCommand } from './run-script.ts'

const script = (text: string) => ({ kind: 'script', text }) as const
const argv = (...words: string[]) => ({ kind: 'argv', argv: words }) as const

describe('run script', () => {
  test('a script stays as it is; one command is quoted', () => {
    expect(compileRunScript(script('#!/usr/bin/env python3\nprint(1)'))).toBe('#!/usr/bin/env python3\nprint(1)\n')
    expect(compileRunScript(argv('echo', "it's", '$HOME'))).toBe("#!/bin/sh\nexec echo 'it'\\''s' '$HOME'\n")
    expect(compileSetupScript('pip install x\n')).toBe('pip install x\n')
  })

  test.each([argv(), argv(''), argv('-x'), argv('a', '\0'), script('a\0')])('%j is refused', (run) => {
    expect(() => compileRunScript(run)).toThrow(InputError)
  })

  test.each([
    [script('echo hi'), 'bash "$_d_dir/run.sh"'],
    [script('#!/bin/dash\necho hi'), '"$_d_dir/run.sh"'],
    [argv('echo', 'hi'), 'sh "$_d_dir/run.sh"'],
  ])('%j is started by %s', (run, words) => {
    expect(runCommand(run, 'bash')).toBe(words)
  })

  test.each([
    [script('/bin/true\n'), '/bin/true'],
    [script('/usr/bin/env A=1  prog -x'), "/usr/bin/env 'A=1' prog -x"],
    [argv('/bin/echo', 'a b'), "/bin/echo 'a b'"],
    [script('true'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a; /bin/b'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a $X'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a *'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a ~/x'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a\n/bin/b'), 'bash "$_d_dir/run.sh"'],
    [script('/bin/a # c'), 'bash "$_d_dir/run.sh"'],
  ])('as an element, %j is started by %s', (run, words) => {
    expect(elementCommand(run, 'bash')).toBe(words)
  })
})

describe('elements', () => {
  test('whole counts and ranges are computed', () => {
    expect(compileElements({ elements: { kind: 'count', count: 5 }, size: 5 })).toEqual({
      source: { kind: 'range', start: 0, step: 1, count: 5 },
    })
    const range = { kind: 'range', start: 10, stop: 0, step: -5 } as const
    expect(compileElements({ elements: range, size: 2 })).toEqual({ source: { kind: 'range', start: 10, step: -5, count: 2 } })
  })

  test('values, chosen positions, fractions and matrix are lines', () => {
    expect(compileElements({ elements: { kind: 'values', values: ['a', 'b\nc'] }, size: 2 }).file).toBe(
      `0 DROVER_ARRAY_VALUE=a\n1 DROVER_ARRAY_VALUE='b'"$_d_nl"'c'\n`,
    )
    expect(compileElements({ elements: { kind: 'count', count: 9 }, size: 9 }, [8, 2]).file).toBe(
      '8 DROVER_ARRAY_VALUE=8\n2 DROVER_ARRAY_VALUE=2\n',
    )
    expect(compileElements({ elements: { kind: 'range', start: 0, stop: 1, step: 0.5 }, size: 2 }).file).toContain(
      '1 DROVER_ARRAY_VALUE=0.5\n',
    )
    const parameters = [
      { name: 'lr', values: ['1', '2'] },
      { name: 'seed', values: ['x', 'y', 'z'] },
    ]
    expect(compileElements({ elements: { kind: 'matrix', parameters }, size: 6 })).toEqual({
      source: { kind: 'file', names: ['lr', 'seed'], count: 6 },
      file: '0 lr=1 seed=x\n1 lr=1 seed=y\n2 lr=1 seed=z\n3 lr=2 seed=x\n4 lr=2 seed=y\n5 lr=2 seed=z\n',
    })
  })

  test('a position outside, and a parameter that is no variable, are refused', () => {
    expect(() => compileElements({ elements: { kind: 'count', count: 2 }, size: 2 }, [2])).toThrow(/element 2 does not exist/)
    const parameters = [{ name: 'a-b', values: ['1'] }]
    expect(() => compileElements({ elements: { kind: 'matrix', parameters }, size: 1 })).toThrow(InputError)
  })
})

describe('variables', () => {
  const nodes = [
    { node: 'a', ip: '10.0.0.1' },
    { node: 'b', ip: '10.0.0.2' },
  ]
  const options = {
    jobId: 'j7',
    jobName: 'train',
    attempt: 2,
    target: 'lab',
    kind: 'ssh',
    nodes,
    cpus: 9,
    gpus: 4,
    processesPerNode: 4,
    attemptDir: '/d',
    user: 'me',
  }

  test('of the job', () => {
    expect(jobEnvironment({ ...options, upstreams: { 'prep-data': '/up' } })).toMatchObject({
      PYTHONUNBUFFERED: '1',
      DROVER_JOB_ID: 'j7',
      DROVER_ATTEMPT: '2',
      DROVER_NUM_NODES: '2',
      DROVER_NODE_IPS: '10.0.0.1\n10.0.0.2',
      DROVER_NODELIST: 'a,b',
      DROVER_HEAD_IP: '10.0.0.1',
      DROVER_CPUS_PER_PROCESS: '2',
      DROVER_UPSTREAM_PREP_DATA: '/up',
      SKYPILOT_NUM_NODES: '2',
      SKYPILOT_CLUSTER_INFO: '{"cluster_name":"lab","cloud":"ssh","region":null,"zone":null}',
    })
  })

  test("SKYPILOT_TASK_ID is the same in every attempt, and no other job's", () => {
    const id = (change: object) => jobEnvironment({ ...options, ...change }).SKYPILOT_TASK_ID
    expect(id({ attempt: 3 })).toBe(id({}))
    expect(id({ jobId: 'j8' })).not.toBe(id({}))
  })

  test('two upstreams of one variable are refused', () => {
    expect(() => jobEnvironment({ ...options, upstreams: { 'a-b': '/1', 'a.b': '/2' } })).toThrow(/DROVER_UPSTREAM_A_B/)
  })

  test('of phase and rank', () => {
    expect(phaseEnvironment(nodes, 4, 'setup')).toEqual({
      SKYPILOT_SETUP_NODE_IPS: '10.0.0.1\n10.0.0.2',
      SKYPILOT_SETUP_NUM_GPUS_PER_NODE: '4',
    })
    expect(phaseEnvironment(nodes, 4, 'run')).toEqual({ SKYPILOT_NODE_IPS: '10.0.0.1\n10.0.0.2', SKYPILOT_NUM_GPUS_PER_NODE: '4' })
    expect(rankEnvironment({ rank: 1, workDir: '/w' }, 'run')).toEqual({
      DROVER_NODE_RANK: '1',
      DROVER_WORK_DIR: '/w',
      SKYPILOT_NODE_RANK: '1',
    })
  })
})

describe('driver options', () => {
  const good: DriverOptions = {
    jobId: 'j1',
    attempt: 1,
    attemptDir: '/a',
    bellPath: '/bell',
    ranks: [{ rank: 0, node: 'n', ip: '::1', workDir: '/w' }],
    hasSetup: false,
    run: script('true'),
    shell: 'bash',
    graceSeconds: 10,
    processGroups: 'setsid',
  }

  test.each<[string, Partial<DriverOptions>]>([
    ['a job id with a space', { jobId: 'a b' }],
    ['no rank', { ranks: [] }],
    ['ranks that do not rise', { ranks: [1, 0].map((rank) => ({ rank, node: 'n', ip: '', workDir: '/w' })) }],
    ['a relative path', { attemptDir: 'a' }],
    ['no time limit', { timeoutSeconds: 0 }],
    ['a negative grace', { graceSeconds: -1 }],
    ['no slots', { slots: { width: 0, elements: { kind: 'range', start: 0, step: 1, count: 1 } } }],
    ['NUL in a path', { attemptDir: '/a\0' }],
  ])('%s is refused', (_, change) => {
    expect(() => validateDriverOptions(good)).not.toThrow()
    expect(() => compileDriver({ ...good, ...change })).toThrow(InputError)
  })

  const allocation = { nodes: 2, workDir: '/w', nodeList: 'echo', launch: ['srun'], rankVariable: 'SLURM_PROCID' } as const
  const slots = { width: 1, elements: { kind: 'range', start: 0, step: 1, count: 10 } } as const
  const task = { variable: 'SLURM_ARRAY_TASK_ID', offset: 0, count: 5, chunk: 2 } as const

  test.each<[string, Partial<DriverOptions>]>([
    ['no nodes', { allocation: { ...allocation, nodes: 0 } }],
    ['a relative work directory', { allocation: { ...allocation, workDir: 'w' } }],
    ['several nodes without a launch', { allocation: { ...allocation, launch: [] } }],
    ['an array on several nodes', { allocation, slots }],
    ['tasks without an array', { allocation: { ...allocation, nodes: 1, task } }],
    ['too few tasks', { allocation: { ...allocation, nodes: 1, task: { ...task, count: 4 } }, slots }],
    ['a variable that is none', { allocation: { ...allocation, rankVariable: 'A B' } }],
    ['one signal for two things', { allocation: { ...allocation, limitSignal: 'USR1', warning: { received: 'USR1', sent: 'USR1' } } }],
    ['a signal that is none', { allocation: { ...allocation, warning: { received: 'USR1', sent: 'TERM; x' } } }],
    ['a gate of the supervisor', { allocation, gate: true }],
  ])('in an allocation, %s is refused', (_, change) => {
    expect(() => compileDriver({ ...good, ranks: [], allocation })).not.toThrow()
    expect(() => compileDriver({ ...good, ranks: [], slots, allocation: { ...allocation, nodes: 1, task } })).not.toThrow()
    expect(() => compileDriver({ ...good, ...change })).toThrow(InputError)
  })

  test('the same options give the same text', () => {
    expect(compileDriver(good)).toBe(compileDriver({ ...good }))
  })
})
