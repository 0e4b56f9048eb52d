import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compilePrologue, prependPrologue } from './prologue.ts'
import { elementCommand, runCommand } from './run-script.ts'

const shells = [['dash'], ['bash'], ['busybox', 'sh'], ['sh']].filter(([program = '']) =>
  (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, program))),
)
let at = ''
beforeAll(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-prologue-'))
})
afterAll(() => rmSync(at, { recursive: true, force: true }))

const lines = (text: string): string => compilePrologue({ text, target: 'lab', kept: ['A', 'B'] })

describe.each(shells)('in %s %s', (...shell) => {
  const words = shell.filter((word) => word !== undefined)
  const run = (args: readonly string[]) => {
    const [program = 'sh', ...rest] = words
    const env = { PATH: process.env['PATH'] ?? '', A: "it's the task's", DROVER_WORK_DIR: at, CUDA_VISIBLE_DEVICES: '' }
    const { status, stdout, stderr } = spawnSync(program, [...rest, ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return { status, stdout, stderr }
  }
  const runAfter = (prologue: string, script: string) => {
    const path = join(at, 'run.sh')
    writeFileSync(path, script, { mode: 0o755 })
    return run(['-c', `${lines(prologue)}${script.startsWith('#!') ? 'exec "$0"' : '. "$0"'}`, path])
  }

  test('variables and functions act on the script; the task, its devices and its directory stand over them', () => {
    const prologue = 'export X=1 A=other CUDA_VISIBLE_DEVICES=7; B=new; say() { echo "<$1>"; }; cd /; echo loud; set -eu; IFS=,'
    const script =
      'say "$X"; say "$A"; say "$B"; say "$CUDA_VISIBLE_DEVICES"; pwd; false; echo "$nothing"; a="1 2"; set -- $a; echo $#; set | grep ^_d_; exit 7'
    expect(runAfter(prologue, script)).toEqual({
      status: 7,
      stdout: `<1>\n<it's the task's>\n<new>\n<>\n${at}\n\n2\n`,
      stderr: 'loud\n',
    })
  })

  test.each([
    ['its last command fails', 'false', 1],
    ['a command fails under set -e', 'set -e\nfalse\ntrue', 1],
    ['it leaves', 'exit 9', 9],
    ['it leaves as if all were well', 'exit 0', 1],
    ['it is no shell', "echo 'unclosed", 2],
    ['its program is not there', 'no-such-program-at-all', 127],
  ])('when %s it is named, and the script does not run', (_name, prologue, status) => {
    const outcome = runAfter(prologue, 'echo ran')
    expect(outcome).toMatchObject({ status, stdout: '' })
    expect(outcome.stderr).toContain('drover: the prologue of target lab failed (exit ')
  })

  test('a script of another program gets the variables', () => {
    expect(runAfter('export X=1', '#!/usr/bin/env sh\necho "$X $0"\n').stdout).toBe(`1 ${join(at, 'run.sh')}\n`)
  })

  test.each([
    ['plain', 'echo "$X $(f)"; exit 3', '1 f\n'],
    [
      'with a program of its own, and text that looks like the end',
      '#!/usr/bin/env sh\necho "$X `echo b` DROVER_SETUP"\nexit 3',
      '1 b DROVER_SETUP\n',
    ],
  ])('setup, %s', (_name, setup, stdout) => {
    const path = join(at, 'setup.sh')
    writeFileSync(path, prependPrologue(lines('export X=1; f() { echo f; }'), setup))
    expect(run([path])).toEqual({ status: 3, stdout, stderr: '' })
  })
})

test('without a prologue a script is started as ever; with one an element runs it too', () => {
  const plain = { kind: 'script', text: '/bin/true a' } as const
  expect(runCommand(plain, 'bash')).toBe('bash "$_d_dir/run.sh"')
  expect(elementCommand(plain, 'bash')).toBe('/bin/true a')
  expect(elementCommand({ ...plain, before: 'x\n' }, 'bash')).toBe(`bash -c 'x\n. "$0"' "$_d_dir/run.sh"`)
  expect(runCommand({ kind: 'script', text: '#!/x\n', before: 'x\n' }, 'sh')).toBe(`sh -c 'x\nexec "$0"' "$_d_dir/run.sh"`)
})
