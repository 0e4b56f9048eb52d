import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { plainContainer } from '../task/container.ts'
import { type ContainerFacts, compileContainer } from './compile-container.ts'
import { enrootImage } from './enroot-image.ts'

const facts: ContainerFacts = { isArray: false, gpus: 0, graceSeconds: 10, variables: ['LR'], fileMounts: [] }

test.each([
  ['nvcr.io/nvidia/pytorch:24.05-py3', 'nvcr.io#nvidia/pytorch:24.05-py3'],
  ['localhost:5000/x', 'localhost:5000#x'],
  ['docker:busybox', 'busybox'],
  ['team/image:1', 'team/image:1'],
  ['/images/a.sqsh', '/images/a.sqsh'],
  ['nvcr.io#a/b', 'nvcr.io#a/b'],
])('%s → %s', (image, written) => {
  expect(enrootImage(image)).toBe(written)
})

test.each([
  ['an array', {}, { isArray: true }],
  ['a network', { network: 'bridge' }, {}],
  ['a size of /dev/shm', { shmSizeBytes: 1 }, {}],
  ['another user', { user: '1000' }, {}],
])('%s is refused', (_, spec, more) => {
  const container = { ...plainContainer('x'), runtime: 'enroot' as const, ...spec }
  expect(() => compileContainer(container, { run: { kind: 'script', text: 'true' } }, { ...facts, ...more })).toThrow(InputError)
})

/** Takes what enroot takes, notes it, and runs the command here. `FAIL`: the command that goes wrong. */
const ENROOT = `#!/bin/sh
printf '%s\\n' "$(printf '%s ' "$@" | tr '\\n' ' ')" >>"$STAND_IN_LOG"
[ "$1" != "$FAIL" ] || { echo "[ERROR] it went wrong" >&2; exit 1; }
case $1 in
  import) : >"$3" ;;
  start)
    shift
    while :; do
      case $1 in --rw | --root) shift ;; --rc | --mount | --env) shift 2 ;; *) break ;; esac
    done
    shift
    exec "$@"
    ;;
esac
`

describe('with a stand-in for enroot', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'drover-enroot-'))
    for (const name of ['bin', 'attempt', 'attempt/exit', 'attempt/events', 'work']) mkdirSync(join(directory, name))
    for (const name of ['exit/0', 'events/0']) writeFileSync(join(directory, 'attempt', name), '')
    writeFileSync(join(directory, 'bin', 'enroot'), ENROOT)
    chmodSync(join(directory, 'bin', 'enroot'), 0o755)
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  function run(script: string, fail = '') {
    const env = {
      PATH: `${join(directory, 'bin')}:/usr/bin:/bin`,
      HOME: directory,
      LR: '1',
      FAIL: fail,
      STAND_IN_LOG: join(directory, 'log'),
      DROVER_JOB_ID: 'j',
      DROVER_ATTEMPT: '1',
      DROVER_NODE_RANK: '0',
      DROVER_ATTEMPT_DIR: join(directory, 'attempt'),
      DROVER_WORK_DIR: join(directory, 'work'),
    }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { env, encoding: 'utf8' })
    return { status, text: (stdout + stderr).replaceAll(directory, '~') }
  }
  const compiled = (run: string) =>
    compileContainer(
      { ...plainContainer('nvcr.io/a/b:1'), runtime: 'enroot' },
      { setup: 'echo setup in "$PWD"', run: { kind: 'script', text: run } },
      facts,
    )
  const calls = (): readonly string[] => readFileSync(join(directory, 'log'), 'utf8').replaceAll(directory, '~').trim().split('\n')

  test('imports, makes, runs setup and run in it, removes it; the code is that of the script', () => {
    const { setup, run: script } = compiled('echo run; exit 7')
    expect(run(setup)).toMatchObject({ status: 0, text: expect.stringContaining('setup in ~/work') })
    expect(run(script.kind === 'script' ? script.text : '')).toEqual({ status: 7, text: 'run\n' })
    expect(calls().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'import --output',
      'remove --force',
      'create --name',
      'start --rw',
      'start --rw',
      'remove --force',
    ])
    expect(calls()[0]).toContain('docker://nvcr.io#a/b:1')
    expect(calls()[3]).toContain('--mount ~/work:~/work:none:x-create=auto,rbind')
    // Names, never values.
    expect(calls()[3]).toMatch(/--env LR /)
    expect(calls()[3]).not.toContain('LR=')
  })

  test.each([
    ['import', 'cannot import the image'],
    ['create', 'cannot make a container'],
    ['start', 'did not start the script'],
  ])('what goes wrong in %s is told', (fail, words) => {
    const { status, text } = run(compiled('true').setup, fail)
    expect(status).toBe(125)
    expect(text).toContain(words)
    expect(readFileSync(join(directory, 'attempt/events/0'), 'utf8')).toMatch(/^\d+ container kind=image /)
  })
})
