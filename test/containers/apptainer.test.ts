import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ContainerFacts, compileContainer } from '../../src/containers/compile-container.ts'
import { type ContainerSpec, plainContainer } from '../../src/task/container.ts'
import { until } from '../../src/testing/waiting.ts'

// The compiled commands against a program with apptainer's command line (1.1) that writes down what it is given and runs
// the command on this machine. apptainer itself is in few distributions.
const FAKE = `#!/bin/sh
printf '%s\\n' "$@" "--" >>"$CALLS"
case $1 in
  pull) case $4 in *nosuch*) echo 'FATAL: manifest unknown' >&2; exit 255 ;; esac; printf sif >"$3" ;;
  exec)
    while [ "$1" != /bin/sh ]; do sif=$1; shift; done
    [ -e "$sif" ] || { echo "FATAL: could not open image $sif" >&2; exit 255; }
    exec "$@"
    ;;
esac
`
const facts: ContainerFacts = { isArray: false, gpus: 1, graceSeconds: 2, variables: [], fileMounts: ['~/data'] }

let base: string
let environment: Record<string, string>
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'apptainer-'))
  for (const path of ['bin', 'attempt/events', 'work', 'up']) mkdirSync(join(base, path), { recursive: true })
  writeFileSync(join(base, 'bin/apptainer'), FAKE, { mode: 0o755 })
  environment = {
    PATH: `${base}/bin:${process.env['PATH']}`,
    HOME: `${base}/home`,
    CALLS: `${base}/calls`,
    DROVER_JOB_ID: 'j1',
    DROVER_ATTEMPT: '1',
    DROVER_NODE_RANK: '0',
    DROVER_ATTEMPT_DIR: `${base}/attempt`,
    DROVER_WORK_DIR: `${base}/work`,
    DROVER_UPSTREAM_A: `${base}/up`,
  }
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const sh = (script: string) => spawnSync('sh', ['-c', script], { env: environment, encoding: 'utf8', timeout: 20_000 })
const calls = (): readonly string[] =>
  readFileSync(`${base}/calls`, 'utf8')
    .split('--\n')
    .map((call) => call.trim().replaceAll('\n', ' '))
function compiled(keys: Partial<ContainerSpec>, run: string, setup?: string): { readonly setup: string; readonly run: string } {
  const inner = { ...(setup === undefined ? {} : { setup }), run: { kind: 'script', text: run } as const }
  const scripts = compileContainer({ ...plainContainer('python:3'), runtime: 'apptainer', ...keys }, inner, facts)
  return { setup: scripts.setup, run: scripts.run.kind === 'script' ? scripts.run.text : '' }
}

test('setup pulls once; setup and run are executed with every directory, device and option', () => {
  const scripts = compiled(
    { mounts: [{ source: '/data', target: '/d', readOnly: true }], options: ['--writable-tmpfs'] },
    'echo ran; exit 7',
    'echo prepared',
  )
  expect(sh(scripts.setup)).toMatchObject({ status: 0, stdout: 'prepared\n', stderr: 'drover: pulling python:3\n' })
  expect(sh(scripts.run)).toMatchObject({ status: 7, stdout: 'ran\n', stderr: '' })
  const [pull, setup, run] = calls()
  const sif = `${base}/attempt/container/0/image.sif`
  expect(pull).toBe(`pull --force ${sif} docker://python:3`)
  const binds = [
    `${base}/attempt:${base}/attempt`,
    `${base}/work:${base}/work`,
    '/data:/d:ro',
    `${base}/home/data:${base}/home/data`,
    `${base}/up:${base}/up`,
  ]
  const words = `exec --pwd ${base}/work ${binds.map((bind) => `--bind ${bind}`).join(' ')} --nv --writable-tmpfs ${sif} /bin/sh -c`
  for (const call of [setup, run]) expect(call?.startsWith(words), call).toBe(true)
})

test('TERM reaches the script, whose code counts', async () => {
  const scripts = compiled({}, "trap 'echo told; exit 9' TERM; echo begun; sleep 300 & wait; exit 1")
  expect(sh(scripts.setup).status).toBe(0)
  const child = spawn('setsid', ['sh', '-c', scripts.run], { env: environment })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data))
  const end = new Promise((resolve) => child.on('close', resolve))
  await until('the script to begin', 10_000, () => output.includes('begun'))
  process.kill(-(child.pid ?? 0), 'SIGTERM')
  expect(await end).toBe(9)
  expect(output).toBe('begun\ntold\n')
})

test.each([
  ['an unknown image', { image: 'nosuch:1' }, 'there is no such image; check its name and tag'],
  ['an image file that is not there', { image: '/no/such.sif' }, 'there is no image /no/such.sif'],
])('cause image: %s', (_, keys, message) => {
  expect(sh(compiled(keys, 'echo never').setup)).toMatchObject({ status: 125, stdout: '', stderr: expect.stringContaining(message) })
  expect(readFileSync(`${base}/attempt/events/0`, 'utf8')).toContain('container kind=image element=- text=')
})

test('an exec that does not come to the script is no code of the script', () => {
  const scripts = compiled({}, 'echo never')
  expect(sh(scripts.setup).status).toBe(0)
  rmSync(`${base}/attempt/container/0/image.sif`)
  expect(sh(scripts.run)).toMatchObject({ status: 125, stderr: expect.stringContaining('did not start the script') })
})
