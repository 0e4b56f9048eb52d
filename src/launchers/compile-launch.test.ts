import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compileLaunch } from './compile-launch.ts'
import type { LaunchContext } from './launch-context.ts'
import { masterPortOf } from './master-port.ts'

const context: LaunchContext = { numNodes: 2, sharedHome: false, envs: {}, secretNames: [] }
const argv = (...words: string[]): RunSpec => ({ kind: 'argv', argv: words })
const script = (text: string): RunSpec => ({ kind: 'script', text })
const launcher = (kind: LauncherSpec['kind'], options: LauncherSpec['options'] = {}): LauncherSpec => ({ kind, options })

/** The whole script of one case each, in test/golden/launchers/. */
const cases: readonly [string, LauncherSpec, RunSpec, Partial<LaunchContext>?][] = [
  ['torchrun-script', launcher('torchrun'), argv('train.py', '--lr', '0.1', "it's")],
  [
    'torchrun-every-option',
    launcher('torchrun', {
      max_restarts: 2,
      python: '/opt/env/bin/python',
      port: 29511,
      rdzv_conf: { timeout: 900, read_timeout: 60 },
      monitor_interval: 0.5,
      log_dir: 'logs',
      redirects: 2,
      tee: '0:1,1:3',
      debug: true,
    }),
    argv('python', '-m', 'pkg.train', '--', '-x'),
  ],
  ['torchrun-shell-script', launcher('torchrun'), script('cd src\npython train.py --name "$DROVER_JOB_NAME"\n')],
  ['torchrun-one-line', launcher('torchrun'), script('train.py --name "$DROVER_JOB_NAME"\n')],
  ['distributed', launcher('distributed'), argv('python', 'train.py')],
  ['distributed-spawn', launcher('distributed', { spawn: true, debug: true }), script('#!/usr/bin/env python3\nprint(1)')],
  ['mpirun', launcher('mpirun', { args: ['--bind-to', 'core'] }), argv('./solve', 'a b'), { envs: { LR: '1' }, secretNames: ['TOKEN'] }],
  ['optuna-file', launcher('optuna', { direction: 'maximize', dashboard: 8088 }), argv('python', 'tune.py'), { sharedHome: true }],
  ['optuna-postgres', launcher('optuna', { study: "the team's" }), argv('python', 'tune.py')],
  ['optuna-database', launcher('optuna', { database: 'lab', directions: ['minimize', 'maximize'] }), script('python tune.py')],
  ['single-macros', launcher('single'), argv('serve', '--ip=$$${head_node_ip_var}'), { envs: { PEER: 'tcp://$$${head_node_ip_var}:80' } }],
]

const textOf = (run: RunSpec): string => {
  if (run.kind !== 'script') throw new Error('no script')
  return run.text
}

describe('scripts of launchers', () => {
  test.each(cases)('%s', async (name, spec, run, more = {}) => {
    await expect(textOf(compileLaunch(spec, run, { ...context, ...more }))).toMatchFileSnapshot(`../../test/golden/launchers/${name}.sh`)
  })

  test.each(cases)('%s is text that a shell can read', (_, spec, run, more = {}) => {
    const text = textOf(compileLaunch(spec, run, { ...context, ...more }))
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })
    expect(status, stderr).toBe(0)
  })

  test('without a launcher the command is what it was', () => {
    const run = argv('echo', '$HOME', '$$', '${HOME}')
    expect(compileLaunch(undefined, run, { ...context, envs: { X: 'a$$b' } })).toBe(run)
    expect(compileLaunch(launcher('single'), script('echo "$$"'), context)).toEqual(script('echo "$$"'))
  })

  test.each([
    [argv('train.py', '-m'), ' -- "$@"', 'set -- train.py -m\n'],
    [argv('-m', 'a.b', '1'), ' -m -- "$@"', 'set -- a.b 1\n'],
    [argv('python3.11', 'train.py'), ' -- "$@"', '_d_python=python3.11\n'],
    [argv('/e/bin/python', '-m', 'a'), ' -m -- "$@"', '_d_python=/e/bin/python\n'],
    [argv('python', '-u', 'train.py'), ' --no_python -- "$@"', 'set -- python -u train.py\n'],
    [argv('./train'), ' --no_python -- "$@"', 'set -- ./train\n'],
    [script('-m a.b --x "$Y"'), ' -m -- "$@"', 'set -- a.b --x "$Y"\n'],
    [script('train.py; rm x'), ' --no_python -- "$@"', 'train.py; rm x\n'],
    [script('python train.py'), ' --no_python -- "$@"', 'set -- bash "$_d_launch/command-$_d_id.sh"'],
  ])('torchrun starts %j by%s', (run, flags, words) => {
    const text = textOf(compileLaunch(launcher('torchrun'), run, context))
    expect(text).toContain(`--local_addr="$_d_address"${flags}\n`)
    expect(text).toContain(words)
  })

  test('the command of the launcher is the user’s, whatever its words hold', () => {
    const directory = mkdtempSync(join(tmpdir(), 'launch-'))
    try {
      const words = ['a b', "it's", '$HOME', '`id`', 'new\nline', '-x', '', '*', '$(id)', '\\']
      const run = argv('printf', '<%s>\n', ...words)
      const { stdout, stderr } = spawnSync('sh', {
        input: textOf(compileLaunch(launcher('distributed'), run, context)),
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] ?? '', DROVER_ATTEMPT_DIR: directory },
      })
      expect(stdout, stderr).toBe(words.map((word) => `<${word}>\n`).join(''))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test.each([
    [{ storage: 'postgresql://me:secret@db/x' }, /password/],
    [{ storage: 'sqlite:///x', database: 'lab' }, /exclude each other/],
    [{ direction: 'minimize', directions: ['minimize'] }, /exclude each other/],
  ])('optuna refuses %j', (options, why) => {
    const compile = () => compileLaunch(launcher('optuna', options), argv('x'), context)
    expect(compile).toThrow(InputError)
    expect(compile).toThrow(why)
    expect(compile).not.toThrow(/secret@/)
  })
})

test('a port belongs to a job and its attempt, and is even and below those of outgoing connections', () => {
  expect(masterPortOf('j1', 1)).toBe(masterPortOf('j1', 1))
  const ports = Array.from({ length: 200 }, (_, attempt) => masterPortOf('j1', attempt))
  expect(new Set(ports).size).toBeGreaterThan(190)
  expect(ports.every((port) => port >= 20_000 && port < 32_000 && port % 2 === 0)).toBe(true)
})
