import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compileRuntimeCheck, parseRuntimeCheck } from './runtime-check.ts'

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-runtimes-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** Answers of a node that has these programs, and no others of the kind. */
function ask(tools: Readonly<Record<string, string>>, prologue?: string) {
  mkdirSync(join(base, 'bin'))
  for (const tool of ['id', 'sed', 'tail', 'head', 'cut', 'uname', 'date', 'tr']) {
    const found = (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((each) => join(each, tool))
      .find(existsSync)
    if (found !== undefined) symlinkSync(found, join(base, 'bin', tool))
  }
  for (const [tool, script] of Object.entries(tools)) {
    writeFileSync(join(base, 'bin', tool), `#!/bin/sh\n${script}\n`)
    chmodSync(join(base, 'bin', tool), 0o755)
  }
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', compileRuntimeCheck(prologue)], {
    encoding: 'utf8',
    env: { PATH: join(base, 'bin'), HOME: base },
  })
  expect(stderr).toBe('')
  return parseRuntimeCheck(`Welcome!\n${stdout}`)
}

const DENIED =
  'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://…": dial unix /var/run/docker.sock: connect: permission denied'

test('nothing is installed', () => {
  expect(ask({})).toEqual([])
})

test('all work: versions, rootless where it is', () => {
  const docker =
    'case $1 in --version) echo Docker version 24.0.7 ;; version) echo 24.0.7 ;; info) echo "[name=seccomp name=rootless]" ;; esac'
  expect(
    ask({
      docker,
      podman: 'echo "a warning" >&2; echo 4.3.1',
      singularity: 'echo apptainer version 1.2.5',
      rclone: 'echo "rclone v1.60.1"',
    }),
  ).toEqual([
    { program: 'docker', works: true, text: '24.0.7 rootless' },
    { program: 'podman', works: true, text: process.getuid?.() === 0 ? '4.3.1' : '4.3.1 rootless' },
    { program: 'apptainer', works: true, text: '1.2.5' },
    { program: 'rclone', works: true, text: '1.60.1' },
  ])
})

test("no permission on the socket, no daemon: the runtime's words and what to do", () => {
  const [denied] = ask({ docker: `[ "$1" = --version ] || { echo '${DENIED}' >&2; exit 1; }` }) ?? []
  expect(denied).toMatchObject({ program: 'docker', works: false, text: expect.stringContaining('usermod -aG docker') })
})

test("docker that is podman is asked once, and the prologue's variables count", () => {
  const podman = 'case $1 in --version) echo podman version 4.3.1 ;; info) echo "$FROM" ;; esac'
  expect(ask({ docker: podman, podman }, 'export FROM=prologue; echo loud; set -eu')).toMatchObject([{ program: 'podman', works: true }])
})

test('a prologue that ends the shell: no answer', () => {
  expect(ask({}, 'exit 3')).toBeUndefined()
})
