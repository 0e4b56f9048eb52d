import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSpawner, type Spawner } from '../../src/transports/spawner.ts'

const onPath = (name: string): boolean => (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, name)))
const SHELLS = [['dash'], ['bash'], ['busybox', 'sh']].filter(([name]) => onPath(name!))

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('not within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const lives = (pid: number): boolean => existsSync(`/proc/${pid}`)
const zombiesOf = (parent: number): number =>
  readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const [state, ppid] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      return state === 'Z' && Number(ppid) === parent
    } catch {
      return false
    }
  }).length

describe.each(SHELLS)('spawner in %s %s', (...shell) => {
  let spawner: Spawner
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "drover sp'awn-"))
    spawner = createSpawner({ shell: shell.filter((word) => word !== undefined), reapIntervalMs: 50 })
  })
  afterEach(async () => {
    await spawner.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const start = async (...argv: string[]) => (await spawner.start([{ argv, logPath: join(directory, 'log'), cwd: directory }]))[0]!

  test('a started process leads its session, reads nothing, writes its log, holds nothing else', async () => {
    const started = await start('/bin/sh', '-c', 'echo out; echo err >&2; pwd; exec sleep 60')
    await until(() => readFileSync(`/proc/${started.pid}/cmdline`, 'utf8').startsWith('sleep'))
    const stat = readFileSync(`/proc/${started.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    expect([stat[2], stat[3]]).toEqual([String(started.pid), String(started.pid)])
    expect(stat[19]).toBe(started.startTime)
    const open = readdirSync(`/proc/${started.pid}/fd`).map((fd) => readlinkSync(`/proc/${started.pid}/fd/${fd}`))
    expect(open).toEqual(['/dev/null', join(directory, 'log'), join(directory, 'log')])
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe(`out\nerr\n${directory}\n`)
    expect(await spawner.kill([started], 'INT', true)).toEqual([true])
    await until(async () => !(await spawner.alive([started]))[0])
  })

  test('hostile words arrive as they are', async () => {
    const words = ['a b', "it's", 'two\nlines', '$(touch x)', '`x`', '', '-n', '*', '\\', 'ü', 'x'.repeat(100_000)]
    await start('/bin/sh', '-c', 'for w; do printf "%s\\0" "$w"; done; printf end', 'sh', ...words)
    await until(() => readFileSync(join(directory, 'log'), 'utf8').endsWith('end'))
    expect(readFileSync(join(directory, 'log'), 'utf8').split('\0').slice(0, -1)).toEqual(words)
  })

  test('signals and questions check start time and boot', async () => {
    const started = await start('sleep', '60')
    const others = [
      { ...started, startTime: '1' },
      { ...started, bootId: 'other' },
      { ...started, pid: 4_000_000 },
    ]
    expect(await spawner.kill(others, 'KILL', true)).toEqual([false, false, false])
    expect(await spawner.alive([started, ...others])).toEqual([true, false, false, false])
    await spawner.kill([started], 'KILL', true)
    await until(async () => !(await spawner.alive([started]))[0])
  })

  test('a started driver is told when the machine booted and what resets signals', async () => {
    await start('/bin/sh', '-c', 'read -r up rest </proc/uptime; echo "$((_d_known_boot + ${up%%.*})) ${_d_known_reset:-unknown}"')
    await until(() => readFileSync(join(directory, 'log'), 'utf8').endsWith('\n'))
    const [seconds, reset] = readFileSync(join(directory, 'log'), 'utf8').trim().split(' ')
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(3)
    expect(reset).toBe((await spawner.hello()).groups === 'setsid' ? 'env' : 'unknown')
  })

  test('what cannot start says why, and the others start', async () => {
    const log = join(directory, 'log')
    const refused = (request: { argv: string[]; logPath?: string; cwd?: string }) =>
      spawner.start([{ logPath: log, cwd: directory, ...request }])
    await expect(refused({ argv: ['/no/such'] })).rejects.toMatchObject({ code: 'missing_file' })
    await expect(refused({ argv: ['true'], cwd: '/no/such' })).rejects.toMatchObject({ code: 'staging_failed' })
    await expect(refused({ argv: ['true'], logPath: '/no/such/log' })).rejects.toMatchObject({ code: 'no_permission' })
    await start('true')
  })

  test('run: output, code, stdin, time limit with its group', async () => {
    expect(await spawner.run('cat; echo e >&2; exit 7', { stdin: 'in' })).toEqual({ code: 7, stdout: 'in', stderr: 'e\n' })
    expect((await spawner.run('cat')).stdout).toBe('')
    await expect(
      spawner.run(`sleep 60 & echo $! >'${directory.replaceAll("'", "'\\''")}/pid'; wait`, { timeoutMs: 300 }),
    ).rejects.toMatchObject({ code: 'transport_failed', transient: true })
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'))
    await until(() => !lives(pid) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z'))
    const controller = new AbortController()
    const running = spawner.run('sleep 60', { signal: controller.signal })
    controller.abort()
    await expect(running).rejects.toMatchObject({ code: 'aborted' })
  })

  test('a killed spawner fails what is pending, once, and the next request has a new one; jobs live on', async () => {
    const job = await start('sleep', '60')
    const { pid } = await spawner.hello()
    process.kill(pid, 'SIGSTOP')
    const pending = spawner.start([{ argv: ['true'], logPath: join(directory, 'log'), cwd: directory }])
    // The request is written in the tick after; only then does the shell die.
    await new Promise((resolve) => setImmediate(resolve))
    process.kill(pid, 'SIGKILL')
    await expect(pending).rejects.toMatchObject({ code: 'transport_failed', transient: true })
    expect((await spawner.hello()).pid).not.toBe(pid)
    expect(await spawner.alive([job])).toEqual([true])
    await spawner.kill([job], 'KILL', true)
  })

  test('close ends the shell and not what it started', async () => {
    const job = await start('sleep', '60')
    const { pid } = await spawner.hello()
    await spawner.close()
    expect(lives(pid)).toBe(false)
    expect(lives(job.pid)).toBe(true)
    process.kill(job.pid, 'SIGKILL')
    await expect(spawner.start([{ argv: ['true'], logPath: join(directory, 'log'), cwd: directory }])).rejects.toMatchObject({
      code: 'transport_failed',
    })
  })

  test('10,000 starts leave no zombie', async () => {
    const { pid } = await spawner.hello()
    const request = { argv: ['/bin/true'], logPath: '/dev/null', cwd: '/' }
    for (let batch = 0; batch < 20; batch++) expect(await spawner.start(Array.from({ length: 500 }, () => request))).toHaveLength(500)
    await until(() => zombiesOf(pid) === 0)
  })
})
