import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { plainContainer } from '../task/container.ts'
import { type ContainerFacts, compileContainer } from './compile-container.ts'

const plain: ContainerFacts = { isArray: false, gpus: 0, graceSeconds: 10, variables: [], fileMounts: [] }
const full = {
  ...plainContainer('registry.example.org/team/train:1'),
  runtime: 'docker',
  mounts: [
    { source: '/data', target: '/data', readOnly: true },
    { source: "~/it's", target: '/a,b', readOnly: false },
  ],
  user: 'root',
  shmSizeBytes: 1024 ** 3,
  network: 'none',
  gpus: 'all',
  pull: 'always',
  options: ['--memory=4g', '--cap-add', 'SYS_PTRACE'],
  globalOptions: ['--log-level=error'],
} as const

/** The whole scripts of one case each, in test/golden/containers/. */
const cases = [
  ['plain', plainContainer('busybox'), { run: { kind: 'script', text: 'echo hi\n' } }, plain],
  ['command', plainContainer('busybox'), { run: { kind: 'argv', argv: ['echo', "it's", '$HOME\n'] } }, plain],
  [
    'setup-and-gpus',
    plainContainer('pytorch/pytorch:latest'),
    { setup: 'pip install x', run: { kind: 'script', text: '#!/usr/bin/env python3\nprint(1)' } },
    { ...plain, gpus: 2, variables: ['LR', 'TOKEN', 'SKYPILOT_DOCKER_PASSWORD'], fileMounts: ['/etc/x.conf', '~/data'], graceSeconds: 0.5 },
  ],
  ['every-key', full, { setup: 'true', run: { kind: 'script', text: 'true' } }, { ...plain, gpus: 1 }],
  [
    'array',
    { ...plainContainer('busybox'), runtime: 'podman' },
    { run: { kind: 'script', text: 'echo "$LR"' } },
    { ...plain, isArray: true, gpus: 1, variables: ['LR'] },
  ],
  [
    'apptainer',
    { ...full, runtime: 'apptainer', options: ['--writable-tmpfs'] },
    { setup: 'true', run: { kind: 'script', text: 'echo hi' } },
    { ...plain, gpus: 1, fileMounts: ['~/data'] },
  ],
  [
    'enroot',
    {
      ...plainContainer('nvcr.io/nvidia/pytorch:24.05-py3'),
      runtime: 'enroot',
      mounts: [{ source: '/data', target: '/in', readOnly: true }],
      user: 'root',
      options: ['--conf', 'c'],
    },
    { setup: 'pip install x', run: { kind: 'script', text: 'echo hi' } },
    { ...plain, gpus: 1, variables: ['LR', 'TOKEN'], fileMounts: ['~/data'] },
  ],
  ['enroot-file', { ...plainContainer('~/images/a.sqsh'), runtime: 'enroot' }, { run: { kind: 'argv', argv: ['echo', "it's"] } }, plain],
  [
    'apptainer-file',
    { ...plainContainer('~/images/a b.sif'), runtime: 'apptainer' },
    { run: { kind: 'script', text: 'echo hi' } },
    { ...plain, isArray: true },
  ],
] as const

describe('scripts of a container', () => {
  test.each(cases)('%s', async (name, spec, inner, facts) => {
    const { setup, run } = compileContainer(spec, inner, facts)
    if (run.kind !== 'script') throw new Error('no script')
    await expect(setup).toMatchFileSnapshot(`../../test/golden/containers/${name}.setup.sh`)
    await expect(run.text).toMatchFileSnapshot(`../../test/golden/containers/${name}.run.sh`)
    // No shell takes them for anything but a program.
    for (const text of [setup, run.text]) {
      for (const shell of ['sh', 'bash'])
        expect(spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
    }
  })

  test('no value of a variable stands in the scripts', () => {
    const { setup, run } = compileContainer(plainContainer('a'), { run: { kind: 'script', text: 'x' } }, { ...plain, variables: ['TOKEN'] })
    expect(JSON.stringify({ setup, run })).toContain('--env')
    expect(JSON.stringify({ setup, run })).not.toContain('SKYPILOT_DOCKER_PASSWORD=$')
  })

  test('NUL is refused', () => {
    expect(() => compileContainer(plainContainer('a'), { run: { kind: 'script', text: 'a\0' } }, plain)).toThrow(/NUL/)
  })
})
