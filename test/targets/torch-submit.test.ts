import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  followTorchSubmitScript,
  lookTorchSubmitScript,
  NO_PROOF_CODE,
  parseTorchSubmitLook,
} from '../../src/targets/torch-submit-scripts.ts'
import { until } from '../../src/testing/index.ts'

let id = ''
let directory = ''
let started: ChildProcess[] = []
beforeEach(() => {
  id = randomUUID()
  directory = `/tmp/torch_submit_job_${id}`
  mkdirSync(join(directory, 'events'), { recursive: true })
  started = []
})
afterEach(async () => {
  for (const child of started) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  rmSync(directory, { recursive: true, force: true })
})

/** Starts a command as torch-submit 0.1.24 does on a node. */
async function start(command: string): Promise<ChildProcess> {
  const script = `(source /dev/null && USE_TORCHSUBMIT=1 cd ${directory} && ${command}) > ${directory}/output.log 2>&1 & pid=$!; echo $pid > ${directory}/job.pid; wait $pid; echo $? > ${directory}/exit_code`
  const child = spawn('bash', ['-c', script], { stdio: 'ignore', detached: true })
  started.push(child)
  await until('the pid file', 5_000, () => file('job.pid') !== '')
  return child
}
const file = (name: string): string => {
  try {
    return readFileSync(join(directory, name), 'utf8')
  } catch {
    return ''
  }
}
const look = () => {
  const { stdout } = spawnSync('/bin/sh', ['-c', lookTorchSubmitScript([id])], { encoding: 'utf8' })
  return parseTorchSubmitLook(`Welcome!\n${stdout}`).get(id)
}

class Follower {
  readonly #child: ChildProcess
  out = ''
  err = ''
  constructor(shell: string) {
    this.#child = spawn(shell, ['-c', followTorchSubmitScript(id)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: directory,
      env: { ...process.env, DROVER_ATTEMPT_DIR: directory, DROVER_NODE_RANK: '1' },
    })
    started.push(this.#child)
    this.#child.stdout?.on('data', (piece: Buffer) => {
      this.out += piece.toString()
    })
    this.#child.stderr?.on('data', (piece: Buffer) => {
      this.err += piece.toString()
    })
  }
  /** As a node runner does: to the whole group. */
  stop(): void {
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGTERM')
  }
  async end(): Promise<number | null> {
    const [code] = this.#child.exitCode === null ? ((await once(this.#child, 'close')) as [number | null]) : [this.#child.exitCode]
    return code
  }
}

describe.each(['sh', 'bash'])('a job of torch-submit followed by %s', (shell) => {
  test('its log from the start, as it grows, and its exit code', async () => {
    await start('{ echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exit 3; }')
    expect(look()).toEqual({ state: 'running' })
    const follower = new Follower(shell)
    await until('the first line', 10_000, () => follower.out === 'one\n')
    writeFileSync(join(directory, 'go'), '')
    expect(await follower.end()).toBe(3)
    expect(file('events/1')).toBe('')
    expect(follower.out).toBe('one\ntwo\n')
    expect(look()).toEqual({ state: 'ended', code: 3 })
  })

  test('one that has ended: the whole log and the code, at once', async () => {
    await start("{ seq 5000; printf 'no newline'; }")
    await until('the exit code', 5_000, () => file('exit_code') !== '')
    const follower = new Follower(shell)
    expect(await follower.end()).toBe(0)
    expect(follower.out).toBe(`${Array.from({ length: 5000 }, (_, index) => index + 1).join('\n')}\nno newline`)
  })

  test('told to stop, it stops the job and its children', async () => {
    await start('{ echo up; sleep 600 & echo $! > child; sleep 601; }')
    const follower = new Follower(shell)
    await until('the follower', 5_000, () => follower.out === 'up\n' && file('child') !== '')
    follower.stop()
    expect(await follower.end()).toBe(143)
    const child = Number(file('child'))
    await until('the child to end', 5_000, () => spawnSync('kill', ['-0', String(child)]).status !== 0)
  })

  test('one that vanished left no proof, and none is made up', async () => {
    const wrapper = await start('sleep 600')
    const follower = new Follower(shell)
    if (wrapper.pid !== undefined) process.kill(-wrapper.pid, 'SIGKILL')
    expect(await follower.end()).toBe(NO_PROOF_CODE)
    expect(follower.err).toContain('nobody knows how it ended')
    expect(file('events/1')).toMatch(/^\d+ no_proof\n$/)
    expect(look()).toMatchObject({ state: 'unknown', why: expect.stringContaining('no exit code') })
  })
})

test('a pid that another process has by now is not the job', () => {
  writeFileSync(join(directory, 'job.pid'), `${process.pid}\n`)
  expect(look()).toMatchObject({ state: 'unknown' })
  writeFileSync(join(directory, 'exit_code'), '0\n')
  expect(look()).toEqual({ state: 'ended', code: 0 })
})

test('an exit code of an earlier start proves nothing', () => {
  writeFileSync(join(directory, 'exit_code'), '0\n')
  utimesSync(join(directory, 'exit_code'), 1000, 1000)
  writeFileSync(join(directory, 'job.pid'), '999999\n')
  expect(look()).toMatchObject({ state: 'unknown' })
})

test.each([
  ['', 'None\n'],
  ['garbage', 'x y\n'],
  ['an option', '-1\n'],
])('a pid file with %s', (_name, pid) => {
  writeFileSync(join(directory, 'job.pid'), pid)
  expect(look()).toMatchObject({ state: 'unknown' })
})

test('a directory that is gone', () => {
  rmSync(directory, { recursive: true })
  expect(look()).toMatchObject({ state: 'unknown', why: expect.stringContaining('is gone') })
  expect(parseTorchSubmitLook('job x ended twelve\njob y').get('x')).toMatchObject({ state: 'unknown' })
})
