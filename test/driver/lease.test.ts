import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { Attempt, type AttemptOptions, shells } from './attempt-fixture.ts'

const GIB = 2 ** 30
const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

let root: string
let open: Attempt[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-lease-'))
  open = []
})
afterEach(async () => {
  for (const attempt of open) await attempt.close()
  rmSync(root, { recursive: true, force: true })
})

const here = () => join(root, `${hostname()}@${boot}`)
const leases = () => (existsSync(here()) ? readdirSync(here()) : [])

interface Wanted {
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly gpus?: readonly number[]
}

/** A driver of a client's job on a machine of 4 CPUs and 8 GiB. */
function job(jobId: string, shell: readonly string[], wanted: Wanted, more: Partial<AttemptOptions> = {}): Attempt {
  const attempt = new Attempt({
    shell,
    jobId,
    run: 'echo up; exec sleep 1000',
    graceSeconds: 1,
    lease: {
      directory: root,
      cpus: wanted.cpus ?? 1,
      memoryBytes: wanted.memoryBytes ?? 0,
      gpus: wanted.gpus ?? [],
      limits: { cpus: 4, memoryBytes: 8 * GIB },
    },
    ...more,
  })
  open.push(attempt)
  return attempt
}

const runs = (attempt: Attempt) => until('the script to run', 10_000, () => attempt.read('logs/0.out') === 'up\n')
async function stop(attempt: Attempt): Promise<void> {
  process.kill(attempt.pid, 'SIGTERM')
  await attempt.end()
}
const noRoom = (attempt: Attempt) => attempt.events('job').find((event) => event.word === 'no_room')?.detail

/** A lease file as a driver writes it; by default of a process that is no more. */
function put(name: string, lines: readonly string[], who = '99999999 1', wanted = '4000 0 0'): void {
  mkdirSync(here(), { recursive: true })
  writeFileSync(
    join(here(), name),
    [`lease ${who} ${wanted} ${join(root, 'no such attempt')}`, ...lines].map((line) => `${line}\n`).join(''),
  )
}

const startOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')[19]

describe.each(shells)('a machine that clients share, %s', (_, shell) => {
  test('two fit, the third does not: it runs nothing, says who is in its way, and may come back', async () => {
    const first = job('a', shell, { cpus: 1.5 }).start()
    const second = job('b', shell, { cpus: 2.5 }).start()
    await Promise.all([runs(first), runs(second)])
    const third = job('c', shell, { cpus: 0.5 }, { setup: 'echo setup' })
    expect(await third.start().end()).toBe(98)
    expect(third.record(0)).toMatchObject({ code: 98, told: '0', phase: 'setup' })
    expect(third.record('job')).toMatchObject({ code: 98, told: '0', phase: 'setup' })
    expect(noRoom(third)).toEqual({ rank: '0', what: 'cpus', by: 'a,b' })
    expect(third.read('logs/0.out') + third.read('logs/setup-0.log')).toBe('')
    expect(leases().sort()).toEqual(['a.1.0', 'b.1.0'])
    await stop(first)
    const again = job('d', shell, { cpus: 1.5 }, { run: 'exit 7' })
    expect(await again.start().end()).toBe(7)
    await stop(second)
    expect(leases()).toEqual([])
  })

  test.each([
    ['memory', { cpus: 0, memoryBytes: 5 * GIB }, { cpus: 0, memoryBytes: 3.5 * GIB }, 'memory'],
    ['a GPU', { cpus: 1, gpus: [0, 12] }, { cpus: 1, gpus: [1, 12] }, 'gpus'],
  ] as const)('%s is not given out twice', async (_what, taken, wanted, what) => {
    const first = job('a', shell, taken).start()
    await runs(first)
    const second = job('b', shell, wanted)
    expect(await second.start().end()).toBe(98)
    expect(noRoom(second)).toEqual({ rank: '0', what, by: 'a' })
    // 1 is another device than 12.
    const third = job('c', shell, { gpus: [1, 2] }, { run: 'exit 0' })
    expect(await third.start().end()).toBe(0)
    await stop(first)
  })

  test('an array takes its whole width, and a refused one begins no element', async () => {
    const first = job('a', shell, { cpus: 4 }).start()
    await runs(first)
    const array = job('b', shell, { cpus: 2 }, { run: 'echo no', array: { kind: 'count', count: 3, size: 3, width: 2 } })
    expect(await array.start().end()).toBe(98)
    expect(array.record(0)).toMatchObject({ code: 98, phase: 'setup' })
    expect(array.slotLines()).toEqual([])
    await stop(first)
  })

  test('leases of the dead are void, at every step of taking one; so are those of an earlier boot', async () => {
    put('held.1.0', ['ticket 1', 'held'])
    put('waiting.1.0', ['ticket 1'])
    put('choosing.1.0', [])
    put('reused.1.0', ['ticket 1', 'held'], `${process.pid} 1`)
    mkdirSync(here(), { recursive: true })
    writeFileSync(join(here(), 'cut.1.0'), 'lease 1 ')
    const before = job('b', shell, { cpus: 4 }, { run: 'exit 3' })
    expect(await before.start().end()).toBe(3)
    expect(leases()).toEqual(['cut.1.0'])
    rmSync(here(), { recursive: true })
    const old = join(root, `${hostname()}@an-earlier-boot`)
    mkdirSync(old)
    mkdirSync(join(root, 'another-host@an-earlier-boot'))
    expect(await job('c', shell, { cpus: 4 }, { run: 'exit 3' }).start().end()).toBe(3)
    expect(existsSync(old)).toBe(false)
    expect(existsSync(join(root, 'another-host@an-earlier-boot'))).toBe(true)
  })

  test('a driver that was killed: its lease holds as long as its script runs, no longer', async () => {
    const first = job('a', shell, { cpus: 4 }).start()
    await runs(first)
    const of = (word: string) => Number(first.events(0).find((event) => event.word === word)?.detail['pid'])
    const [runner, script] = [of('runner'), of('script')]
    // The runner first, which would see the script to its end.
    process.kill(first.pid, 'SIGSTOP')
    process.kill(runner, 'SIGKILL')
    process.kill(first.pid, 'SIGKILL')
    await until('the driver to be gone', 5_000, () => !existsSync(`/proc/${first.pid}`) && existsSync(`/proc/${script}`))
    const second = job('b', shell, { cpus: 1 })
    expect(await second.start().end()).toBe(98)
    expect(noRoom(second)).toMatchObject({ by: 'a' })
    process.kill(script, 'SIGKILL')
    await until('the script to be gone', 5_000, () => {
      try {
        return readFileSync(`/proc/${script}/stat`, 'latin1').includes(') Z ')
      } catch {
        return true
      }
    })
    expect(await job('c', shell, { cpus: 4 }, { run: 'exit 0' }).start().end()).toBe(0)
  })

  test('its turn is awaited; a stop meanwhile ends the wait and runs nothing', async () => {
    put('other.1.0', ['ticket 1'], `${process.pid} ${startOf(process.pid)}`)
    const first = job('a', shell, { cpus: 1 }, { run: 'exit 5' }).start()
    const second = job('b', shell, { cpus: 1 }, { run: 'echo no' }).start()
    await until('both to wait', 10_000, () => leases().length === 3)
    writeFileSync(join(second.dir, 'cancel'), '')
    expect(await second.end()).toBe(143)
    expect(second.record(0)).toMatchObject({ told: 'term' })
    expect(leases().sort()).toEqual(['a.1.0', 'other.1.0'])
    appendFileSync(join(here(), 'other.1.0'), 'end\n')
    expect(await first.end()).toBe(5)
  })

  test('a lease that cannot be noted: nothing is run', async () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    const lease = { directory: file, cpus: 1, memoryBytes: 0, gpus: [], limits: { cpus: 4, memoryBytes: 0 } }
    const attempt = job('a', shell, {}, { lease })
    expect(await attempt.start().end()).toBe(98)
    expect(attempt.events('job').map((event) => event.word)).toContain('lease_failed')
    expect(attempt.read('logs/0.out')).toBe('')
  })

  test('twenty at once: never more than fit, and as many as fit', async () => {
    const log = join(root, 'log')
    mkdirSync(log)
    // A script is up from the file to its removal; each one sees how many there are.
    const run = `: >"$L/$DROVER_JOB_ID"; n=0; for f in "$L"/*; do n=$((n + 1)); done; echo $n; sleep 1.5; rm -f "$L/$DROVER_JOB_ID"`
    const all = Array.from({ length: 20 }, (_each, at) =>
      job(`j${at}`, shell, { cpus: 1, gpus: [at % 5] }, { run, env: { L: log, DROVER_JOB_ID: `j${at}` } }).start(),
    )
    const ends = await Promise.all(all.map((attempt) => attempt.end()))
    expect(new Set(ends)).toEqual(new Set([0, 98]))
    const counts = all.map((attempt) => Number(attempt.read('logs/0.out')))
    expect(Math.max(...counts)).toBeLessThanOrEqual(4)
    expect(ends.filter((code) => code === 0).length).toBeGreaterThanOrEqual(4)
    expect(leases()).toEqual([])
  })
})
