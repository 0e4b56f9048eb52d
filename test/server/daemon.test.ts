import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDrover } from '../../src/server/open-drover.ts'

const ENTRY = join(import.meta.dirname, '../../bin/drover.js')

let directory: string
let environment: Record<string, string | undefined>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-daemon-'))
  environment = { ...process.env, DROVER_HOME: join(directory, 'home'), HOME: directory }
})
afterEach(async () => {
  await drover('supervisor', 'stop')
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
})

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [ENTRY, ...args], { env: environment, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function finish(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' }
  child.stdout?.on('data', (piece: Buffer) => {
    text.stdout += piece.toString()
  })
  child.stderr?.on('data', (piece: Buffer) => {
    text.stderr += piece.toString()
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, ...text }
}

async function drover(...args: string[]) {
  return await finish(start(args))
}

async function supervisorPid(): Promise<number> {
  return Number((await drover('supervisor', 'status', '-o', 'quiet')).stdout)
}

describe('a supervisor on demand', () => {
  test('four clients at the same moment: one supervisor, four jobs', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map((index) => drover('run', '--', 'echo', `hi ${index}`)))
    expect(runs).toEqual([1, 2, 3, 4].map((index) => ({ code: 0, stdout: `hi ${index}\n`, stderr: '' })))
    const jobs = JSON.parse((await drover('list', '-o', 'json')).stdout) as unknown[]
    expect(jobs).toHaveLength(4)
    expect((await stat(join(directory, 'home', 'supervisor.log'))).mode & 0o777).toBe(0o600)
  })

  test('after kill -9 the next command starts another and sees the same jobs', async () => {
    const { stdout: id } = await drover('run', '--detach', '--', 'true')
    const first = await supervisorPid()
    process.kill(first, 'SIGKILL')
    expect((await drover('wait', id.trim())).code).toBe(0)
    expect((await drover('list', '-o', 'quiet')).stdout).toBe(id)
    expect(await supervisorPid()).not.toBe(first)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s stops it and removes the socket; the job runs on', async (signal) => {
    const { stdout: id } = await drover('run', '--detach', '--', 'sh', '-c', 'sleep 0.7; exit 5')
    process.kill(await supervisorPid(), signal)
    await expect
      .poll(async () => JSON.parse((await drover('supervisor', 'status', '-o', 'json')).stdout), { timeout: 10_000 })
      .toEqual({ running: false })
    await expect(stat(join(directory, 'home', 'supervisor.sock'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await drover('wait', id.trim())).code).toBe(5)
  })

  test('it ends when idle, not while a client waits', async () => {
    environment.DROVER_IDLE_EXIT = '1'
    expect((await drover('run', '--', 'sleep', '2.5')).code).toBe(0)
    // Asking it would keep it.
    const socket = join(directory, 'home', 'supervisor.sock')
    await expect
      .poll(
        async () =>
          await stat(socket).then(
            () => 'there',
            () => 'gone',
          ),
        { timeout: 10_000 },
      )
      .toBe('gone')
    expect((await drover('list', '-o', 'quiet')).stdout).not.toBe('')
  })

  test('a supervisor that cannot start is reported with its reason', async () => {
    environment.DROVER_IDLE_EXIT = 'soon'
    const { code, stderr } = await drover('run', '--', 'true')
    expect(code).toBe(125)
    expect(stderr).toContain('DROVER_IDLE_EXIT is "soon"')
  })

  test('Ctrl-C detaches: exit 130, and the job runs on', async () => {
    const child = start(['run', '--', 'sh', '-c', 'echo up; sleep 0.7; exit 6'])
    child.stdout?.once('data', () => child.kill('SIGINT'))
    const { code, stderr } = await finish(child)
    expect(code).toBe(130)
    expect(stderr).toContain('drover logs -f')
    expect((await drover('wait', 'last')).code).toBe(6)
  })

  test('a reader that goes away ends the command with 141, quietly; the job runs on', async () => {
    const child = start(['run', '--', 'sh', '-c', 'yes | head -c 5000000; exit 7'])
    child.stdout?.once('data', () => child.stdout?.destroy())
    const { code, stderr } = await finish(child)
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
    expect((await drover('wait', 'last')).code).toBe(7)
  })
})

describe('without a background supervisor', () => {
  test('DROVER_DAEMON=0: the command is the supervisor, and leaves none', async () => {
    environment.DROVER_DAEMON = '0'
    expect(await drover('run', '--', 'sh', '-c', 'echo hi; exit 3')).toMatchObject({ code: 3, stdout: 'hi\n' })
    expect(JSON.parse((await drover('supervisor', 'status', '-o', 'json')).stdout)).toEqual({ running: false })
  })

  test('a program that is the supervisor serves command lines, which cannot stop it', async () => {
    await using inProcess = await openDrover({ environment, daemon: 'auto' })
    await using attached = await openDrover({ environment, daemon: 'auto' })
    expect((await drover('run', '--', 'echo', 'hi')).stdout).toBe('hi\n')
    const ids = async (one: typeof inProcess) => (await one.list()).map((job) => job.id)
    expect(await ids(attached)).toEqual(await ids(inProcess))
    expect(await ids(attached)).toHaveLength(1)
    await expect(openDrover({ environment, daemon: 'in-process' })).rejects.toMatchObject({ code: 'conflict' })
    expect((await drover('supervisor', 'stop')).code).toBe(125)
    await inProcess.close()
    expect(JSON.parse((await drover('supervisor', 'status', '-o', 'json')).stdout)).toEqual({ running: false })
  })
})
