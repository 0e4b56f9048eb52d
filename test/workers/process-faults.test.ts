import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/waiting.ts'
import { createSpawner } from '../../src/transports/spawner.ts'
import { CallJournal } from '../../src/workers/process/call-journal.ts'
import { compileCallScript } from '../../src/workers/process/call-script.ts'
import { ProcessCalls } from '../../src/workers/process/process-calls.ts'
import type { WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { UNDISTURBED } from './call-fixture.ts'
import { ProcessPlace } from './process-place.ts'

let place: ProcessPlace
beforeEach(() => {
  place = new ProcessPlace()
})
afterEach(() => place.close())

describe('the controller is killed -9', () => {
  /** Starts `count` calls in a process of its own, which is killed `afterMs` later; each call appends to its own file `runs`. */
  async function killedController(calls: readonly WorkerCall[], afterMs: number): Promise<void> {
    const module = pathToFileURL(join(import.meta.dirname, '../../src/workers/process/process-calls.ts')).href
    const program = `
import { readFileSync } from 'node:fs'
import { ProcessCalls } from ${JSON.stringify(module)}
const calls = JSON.parse(readFileSync(0, 'utf8'))
const processes = new ProcessCalls()
const script = 'echo x >>"$1/runs"; until [ -e "$2/go" ]; do sleep 0.1; done; exit 3'
for (const call of calls) processes.run(call, { argv: ['/bin/sh', '-c', script, 'sh', call.directory, call.root], cwd: '/' }, { signal: new AbortController().signal })
console.log('asked')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.stdin.end(JSON.stringify(calls))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    await delay(afterMs)
    child.kill('SIGKILL')
    await gone
  }

  test.each([0, 5, 40, 150])('%i ms after 60 calls were asked for: none runs twice, each that began is attached to', async (afterMs) => {
    const calls = Array.from({ length: 60 }, (_, index) => place.call({ loc: `-.N0.M${index}` }))
    await killedController(calls, afterMs)
    const ends = calls.map(async (call) => {
      const end = await place.processes.attach(call, UNDISTURBED)
      if (end !== undefined) return { attached: true, end }
      const again = { argv: ['/bin/sh', '-c', 'echo x >>"$1/runs"; exit 3', 'sh', call.directory], cwd: '/' }
      return { attached: false, end: await place.processes.run(call, again, UNDISTURBED) }
    })
    await delay(300)
    writeFileSync(join(place.root, 'go'), '')
    const all = await Promise.all(ends)
    expect(all.filter(({ end }) => end.outcome !== 'failed' || end.exitCode !== 3)).toEqual([])
    for (const call of calls) expect(readFileSync(join(call.directory, 'runs'), 'utf8')).toBe('x\n')
    console.log(`killed after ${afterMs} ms: ${all.filter(({ attached }) => attached).length} of 60 attached to`)
    expect(readdirSync(join(place.root, 'run-1/.drover-calls'))).toEqual(['journal'])
  })
})

describe('the journal', () => {
  test('cut at every byte: an end counts when its line is whole', async () => {
    const call = place.call()
    await place.processes.run(call, { argv: ['/bin/sh', '-c', 'exit 3'], cwd: '/' }, UNDISTURBED)
    const whole = readFileSync(place.journalPath())
    const begin = whole.indexOf('\n') + 1
    const directory = join(place.root, 'cut', '.drover-calls')
    mkdirSync(directory, { recursive: true })
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(join(directory, 'journal'), whole.subarray(0, length))
      const trace = new CallJournal({ root: place.root, runId: 'cut' }).traceOf(call)
      expect([length, trace !== undefined, trace?.end]).toEqual([
        length,
        length >= begin,
        length === whole.length ? { code: 3, word: 'ran' } : undefined,
      ])
    }
  })

  test('a line torn by a full disk spoils no other', () => {
    mkdirSync(join(place.root, 'torn', '.drover-calls'), { recursive: true })
    writeFileSync(
      place.journalPath('torn'),
      'b -.N1:1:aa 5 6 boot .\ne -.N1:1:aa 0 r\ne -.N1:1:aa 9 ran .\nb -.N2:1:bb 7 8 boot .e -.N2:1:bb 0 ran .\n',
    )
    const journal = new CallJournal({ root: place.root, runId: 'torn' })
    expect(journal.traceOf(place.call({ loc: '-.N1' }))?.end).toEqual({ code: 9, word: 'ran' })
    expect(journal.traceOf(place.call({ loc: '-.N2' }))).toBeUndefined()
  })

  test('of another boot: a failure counts, a success may have torn outputs, what lived is gone', async () => {
    mkdirSync(join(place.root, 'run-1', '.drover-calls'), { recursive: true })
    const lines = [
      'b -.N1:1:aa 5 6 boot .',
      'e -.N1:1:aa 0 ran .',
      'b -.N2:1:bb 5 6 boot .',
      'e -.N2:1:bb 4 ran .',
      `b -.N3:1:cc ${process.pid} 6 boot .`,
    ]
    writeFileSync(place.journalPath(), `${lines.join('\n')}\n`)
    expect(await place.processes.attach(place.call({ loc: '-.N1' }), UNDISTURBED)).toBeUndefined()
    expect(await place.processes.attach(place.call({ loc: '-.N2' }), UNDISTURBED)).toMatchObject({ outcome: 'failed', exitCode: 4 })
    expect(await place.processes.attach(place.call({ loc: '-.N3' }), UNDISTURBED)).toBeUndefined()
  })

  test('a pid that was given out again is not taken for the call', async () => {
    const { bootId } = await spawnerHello()
    mkdirSync(join(place.root, 'run-1', '.drover-calls'), { recursive: true })
    writeFileSync(place.journalPath(), `b -.N1:1:aa ${process.pid} 6 ${bootId} .\n`)
    expect(await place.processes.attach(place.call(), UNDISTURBED)).toBeUndefined()
  })
})

async function spawnerHello(): Promise<{ bootId: string }> {
  const spawner = createSpawner()
  const hello = await spawner.hello()
  await spawner.close()
  return hello
}

describe('the program of a call', () => {
  const shells = [['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'sh']].filter(
    ([name]) => spawnSync('which', [name ?? '']).status === 0,
  )
  const run = (shell: readonly string[], options: Partial<Parameters<typeof compileCallScript>[0]>) => {
    const path = join(place.root, 'call.sh')
    const paths = { journalPath: join(place.root, 'journal'), key: 'k', cwd: place.root, env: {}, stderr: join(place.root, 'errors') }
    writeFileSync(path, compileCallScript({ ...paths, argv: ['sh', '-c', 'echo ran >>ran; exit 3'], ...options }))
    const [program = '', ...rest] = shell
    return spawnSync(program, [...rest, path], { encoding: 'utf8' })
  }

  test.each(shells.map((shell) => ({ shell })))('under $shell', ({ shell }) => {
    expect(run(shell, { env: { NAME: `it's\n$(x)` } })).toMatchObject({ stdout: '', stderr: '', status: 0 })
    expect(readFileSync(join(place.root, 'journal'), 'utf8')).toMatch(/^b k \d+ \d+ [\w-]{36} \.\ne k 3 ran \.\n$/)
    run(shell, { argv: ['/nowhere'] })
    expect(readFileSync(join(place.root, 'journal'), 'utf8')).toMatch(/\ne k 127 ran \.\n$/)
    run(shell, { argv: ['sh', '-c', 'kill -9 $$'] })
    expect(readFileSync(join(place.root, 'journal'), 'utf8')).toMatch(/\ne k 137 ran \.\n$/)
    run(shell, { cwd: '/nowhere' })
    expect(readFileSync(join(place.root, 'journal'), 'utf8')).toMatch(/\ne k 0 cwd \.\n$/)
  })

  test('runs nothing once its file is gone: it was revoked after it had been read', () => {
    run(['true'], {})
    const text = readFileSync(join(place.root, 'call.sh'), 'utf8')
    expect(spawnSync('/bin/sh', ['-c', text, join(place.root, 'gone.sh')]).status).toBe(0)
    expect(readFileSync(join(place.root, 'journal'), 'utf8')).toMatch(/^b k .*\ne k 0 revoked \.\n$/)
    expect(existsSync(join(place.root, 'ran'))).toBe(false)
  })

  test.each(shells.map((shell) => ({ shell })))('runs nothing that it can’t put on record: $shell', ({ shell }) => {
    expect(run(shell, { journalPath: '/dev/full' }).status).toBe(1)
    expect(existsSync(join(place.root, 'ran'))).toBe(false)
  })
})

test('a spawner that is killed ends no call, and another takes over', async () => {
  const spawner = createSpawner({ environment: { PATH: process.env['PATH'] ?? '' } })
  const own = new ProcessCalls({ spawner })
  try {
    const call = place.call()
    const running = own.run(
      call,
      { argv: ['/bin/sh', '-c', 'until [ -e run-1/go ]; do sleep 0.05; done; exit 3'], cwd: place.root },
      UNDISTURBED,
    )
    await until('it has begun', 10_000, () => existsSync(place.journalPath()) && readFileSync(place.journalPath(), 'utf8').endsWith('\n'))
    process.kill((await spawner.hello()).pid, 'SIGKILL')
    writeFileSync(join(place.root, 'run-1/go'), '')
    expect(await running).toMatchObject({ exitCode: 3 })
    const next = await until('another spawner', 10_000, async () => {
      const end = await own.run(place.call({ loc: '-.N2' }), { argv: ['/bin/true'], cwd: '/' }, UNDISTURBED)
      return end.outcome === 'succeeded' ? end : undefined
    })
    expect(next).toEqual({ outcome: 'succeeded' })
  } finally {
    await own.close()
    await spawner.close()
  }
})

test('a worker that prints 1 GB: it goes to the log, not into memory', async () => {
  const call = place.call()
  const before = process.memoryUsage().rss
  let most = before
  const looks = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 20)
  const script = 'head -c 1000000000 /dev/zero; head -c 20000000 /dev/zero | tr "\\0" e >&2; echo " the end" >&2; exit 1'
  const end = await place.processes.run(call, { argv: ['/bin/sh', '-c', script], cwd: '/' }, UNDISTURBED)
  clearInterval(looks)
  expect(end).toMatchObject({ cause: 'exit', message: expect.stringMatching(/^… e{3000,4000} the end$/) })
  expect(statSync(join(place.root, 'run-1/logs')).size).toBe(1_000_000_000)
  expect(most - before).toBeLessThan(100_000_000)
}, 120_000)

test('3,000 calls in flight cost next to nothing', async () => {
  const spawner = createSpawner()
  const own = new ProcessCalls({ spawner })
  const stopping = new AbortController()
  try {
    const { bootId, pid } = await spawner.hello()
    // One process stands for all of them: what is measured is the watching.
    const [one] = await spawner.start([{ argv: ['sleep', '100'], logPath: '/dev/null', cwd: '/' }])
    mkdirSync(join(place.root, 'run-1', '.drover-calls'), { recursive: true })
    const begun = Array.from({ length: 3000 }, (_, index) => `b -.N0.M${index}:1:n${index} ${one?.pid} ${one?.startTime} ${bootId} .\n`)
    writeFileSync(place.journalPath(), begun.join(''))
    const call = place.call()
    const waiting = begun.map((_, index) => own.attach({ ...call, loc: `-.N0.M${index}` }, { signal: stopping.signal }))
    const ticks = (): number => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return Number(fields[11]) + Number(fields[12])
    }
    // The best of some spans: the first may still have the beginning in it, another what else this machine does.
    let share = 1
    for (let span = 0; span < 8 && share > 0.01; span++) {
      const before = { ...process.cpuUsage(), ticks: ticks() }
      await delay(4000)
      const { user, system } = process.cpuUsage()
      const seconds = (user - before.user + system - before.system) / 1e6 + (ticks() - before.ticks) / 100
      share = Math.min(share, seconds / 4)
    }
    console.log(`${(share * 100).toFixed(2)} % of a core with 3,000 processes in flight`)
    stopping.abort()
    expect(new Set((await Promise.all(waiting)).map((end) => end?.outcome))).toEqual(new Set(['cancelled']))
    expect(share).toBeLessThan(0.01)
  } finally {
    await own.close()
    await spawner.close()
  }
}, 120_000)
