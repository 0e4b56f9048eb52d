import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KEEPER, PHASE } from '../../src/containers/inside-script.ts'
import { until } from '../../src/testing/waiting.ts'

// The programs that run inside of containers, outside of one: in a session of their own, as runc starts them. The last
// argument but one of PHASE stays empty here: 1 would end process 1.

const ALL_SHELLS: readonly (readonly string[])[] = [['dash'], ['bash', '--posix'], ['busybox', 'sh']]
const isThere = ([program]: readonly string[]): boolean => spawnSync('sh', ['-c', 'command -v "$0"', program ?? '']).status === 0
const SHELLS = ALL_SHELLS.filter(isThere)
for (const [program] of ALL_SHELLS.filter((shell) => !isThere(shell))) test.skip(`${program}: it is not installed here`, () => {})

describe.each(SHELLS.map((shell) => ({ shell, name: shell[0] })))('inside a container, in $name', ({ shell }) => {
  let dir: string
  let child: ChildProcessWithoutNullStreams | undefined
  let output = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'inside-'))
    output = ''
  })
  afterEach(() => {
    child?.stdin.destroy()
    if (child?.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    child = undefined
    rmSync(dir, { recursive: true, force: true })
  })

  function start(script: string, grace = 2): Promise<number | null> {
    writeFileSync(join(dir, 'script'), script, { mode: 0o700 })
    const [program = '', ...rest] = shell
    const started = spawn('setsid', [program, ...rest, '-c', PHASE, 'phase', dir, 'script', '', String(grace)])
    child = started
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (data: Buffer) => (output += data))
    return new Promise((resolve) => started.on('close', resolve))
  }
  const code = (): string | undefined => (existsSync(join(dir, 'code')) ? readFileSync(join(dir, 'code'), 'utf8') : undefined)

  test.each([0, 3, 126, 255])('proves exit code %i', async (expected) => {
    expect(await start(`echo out; exit ${expected}`)).toBe(expected)
    expect(code()).toBe(`${expected} 0\n`)
    expect(output).toBe('out\n')
  })

  test('a script that kills itself: 128 + n, and no word of the shell about it', async () => {
    await start('kill -9 $$')
    expect(code()).toBe('137 0\n')
    expect(output).toBe('')
  })

  test('a line on stdin is TERM for the script and what it started', async () => {
    const end = start("trap 'echo told; exit 4' TERM; sleep 300 & echo begun; wait")
    await until('the script to begin', 5_000, () => output.includes('begun'))
    child?.stdin.write('t\n')
    await end
    expect(output).toBe('begun\ntold\n')
    expect(code()).toBe('4 0\n')
  })

  test('a line that comes before the script ends it as well', async () => {
    const end = start('sleep 300; echo never')
    child?.stdin.write('t\n')
    await end
    expect(code()).toBe('143 0\n')
    expect(output).toBe('')
  })

  test('the end of stdin is KILL for all of it, and no code is left', async () => {
    const end = start("trap '' TERM; echo begun $$; while :; do sleep 1; done")
    await until('the script to begin', 5_000, () => output.includes('begun'))
    const pid = Number(output.split(' ')[1])
    child?.stdin.end()
    await end
    expect(code()).toBeUndefined()
    await until(
      'the script to be gone',
      5_000,
      () => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    )
  })

  test("what is left behind gets TERM, and KILL after the grace; the code is the script's", async () => {
    await start("(trap '' TERM; while :; do sleep 1; done) & echo done; exit 5", 1)
    expect(code()).toBe('5 0\n')
    expect(output).toBe('done\n')
  })

  test('the keeper ends with a record, and when the directory is gone', async () => {
    const [job, rank] = [join(dir, 'job'), join(dir, 'rank')]
    for (const act of [() => writeFileSync(job, 'exit'), () => writeFileSync(rank, 'exit'), () => rmSync(rank)]) {
      writeFileSync(job, '')
      writeFileSync(rank, '')
      const [program = '', ...rest] = shell
      const keeper = spawn(program, [...rest, '-c', KEEPER, 'keeper', job, rank])
      const end = new Promise((resolve) => keeper.on('close', resolve))
      act()
      expect(await end).toBe(0)
    }
  })
})
