import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attemptPaths } from '../../src/driver/protocol.ts'
import { parseBell, parseIdentity } from '../../src/driver/protocol-reader.ts'
import { type Attempt, type AttemptOptions, shells, until, withAttempt } from './attempt-fixture.ts'

/** Waits until the script of rank 0 has written that it is ready. */
const ready = (attempt: Attempt, rank = 0): Promise<void> => until('the script', () => attempt.read(`logs/${rank}.out`).includes('ready'))

/** The process that started this one. */
const parentOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1])

interface EndCase {
  readonly run: AttemptOptions['run']
  readonly code: number
  readonly signal?: number
}

const ENDS: Record<string, EndCase> = {
  'exit 0': { run: 'exit 0', code: 0 },
  'exit 3': { run: 'exit 3', code: 3 },
  'exit 127': { run: 'exit 127', code: 127 },
  'a command of arguments': { run: ['sh', '-c', 'exit "$1"', 'sh', '4'], code: 4 },
  'a command that does not exist': { run: ['/nowhere/at all'], code: 127 },
  'its own #! line': { run: '#!/usr/bin/env -S sh -e\nfalse\nexit 9\n', code: 1 },
  'killed by signal 9': { run: 'kill -9 $$', code: 137, signal: 9 },
}

/** What a script does on TERM → how it is recorded. */
const ON_TERM: Record<string, { readonly run: string; readonly code: number }> = {
  'dies of it': { run: 'echo ready; sleep 60', code: 143 },
  'traps it and exits 0': { run: 'trap "exit 0" TERM; echo ready; while :; do sleep 0.02; done', code: 0 },
  'traps it and exits 7': { run: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done', code: 7 },
  'ignores it': { run: 'trap "" TERM; echo ready; while :; do sleep 0.02; done', code: 137 },
}

describe.each(shells)('driver and node runner under %s', (_, shell) => {
  test.each(Object.entries(ENDS))('%s', async (_, { run, code, signal }) => {
    await withAttempt({ shell, run }, async (attempt) => {
      expect(await attempt.start().end()).toBe(code)
      expect(attempt.record(0)).toMatchObject({ rank: 0, code, signal: signal ?? 0, told: '0', phase: 'run' })
      expect(attempt.record('job')).toMatchObject({ rank: -1, code, told: '0', phase: 'run' })
      expect(attempt.read('env')).toBe('')
    })
  })

  test('leaves identity, events, logs and bell', async () => {
    await withAttempt({ shell, run: 'echo out; echo err >&2; echo "$A|$0|$$"; exec sleep 0.1', env: { A: 'x\ny' } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      const [runner, script, end] = attempt.events(0)
      expect([runner?.word, script?.word, end?.word]).toEqual(['runner', 'script', 'script_end'])
      expect(runner?.detail).toMatchObject({ node: 'node0' })
      expect(end?.detail).toMatchObject({ code: '0', oom: '0', cpu_cs: expect.stringMatching(/^\d+$/) })
      expect(attempt.read('logs/0.out')).toBe(`out\nx\ny|${attempt.dir}/run.sh|${script?.detail.pid}\n`)
      expect(attempt.read('logs/0.err')).toBe('err\n')
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      expect(parseIdentity(attempt.read('claim/0/id'))).toMatchObject({ pid: attempt.pid, bootId: boot })
      expect(attempt.read('native_id')).toBe(attempt.read('claim/0/id'))
      expect(attempt.events('job').map(({ word }) => word)).toEqual(['driver', 'driver_end'])
      const bell = parseBell(readFileSync(join(attempt.base, 'bell')))
      expect(bell).toMatchObject({ garbage: 0 })
      expect(bell.lines.at(-1)).toEqual({ jobId: 'j1', attempt: 1, word: 'exit' })
      const now = Date.now() / 1000
      expect(Math.abs(attempt.record(0).endedAt - now)).toBeLessThan(10)
    })
  })

  test.each(Object.entries(ON_TERM))('TERM to the driver, and the script %s', async (_, { run, code }) => {
    await withAttempt({ shell, run, graceSeconds: 0.5 }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(code)
      expect(attempt.record(0)).toMatchObject({ code, told: 'term', phase: 'run' })
      expect(attempt.record('job')).toMatchObject({ code, told: 'term' })
    })
  })

  test.each(['single', 'several'])("TERM to the driver's whole group, %s", async (many) => {
    await withAttempt(
      { shell, ranks: many === 'single' ? 1 : 3, run: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done' },
      async (attempt) => {
        attempt.start()
        for (let rank = 0; rank < (many === 'single' ? 1 : 3); rank++) await ready(attempt, rank)
        process.kill(-attempt.pid, 'SIGTERM')
        expect(await attempt.end()).toBe(7)
        expect(attempt.record(0)).toMatchObject({ code: 7, told: 'term' })
      },
    )
  })

  test('a TERM at any moment ends the attempt, with every record written', async () => {
    for (let delay = 0; delay < 12; delay++) {
      await withAttempt({ shell, ranks: 2, run: 'sleep 60', graceSeconds: 1 }, async (attempt) => {
        attempt.start()
        await until('the claim', () => attempt.read('claim/0/id') !== '')
        const at = process.hrtime.bigint() + BigInt(delay) * 1_000_000n
        while (process.hrtime.bigint() < at);
        process.kill(attempt.pid, 'SIGTERM')
        expect(await attempt.end()).toBe(143)
        for (const who of [0, 1, 'job'] as const)
          expect(attempt.record(who)).toMatchObject({ code: 143, signal: 15, told: 'term', phase: 'run' })
      })
    }
  })

  test('the cancel mark before the start: nothing is run', async () => {
    await withAttempt({ shell, ranks: 2, setup: 'echo no', run: 'echo no' }, async (attempt) => {
      writeFileSync(join(attempt.dir, 'cancel'), '')
      expect(await attempt.start().end()).toBe(143)
      for (const rank of [0, 1]) expect(attempt.record(rank)).toMatchObject({ code: 143, told: 'term', phase: 'setup' })
      expect(attempt.read('logs/0.out') + attempt.read('logs/setup-0.log')).toBe('')
    })
  })

  test.each(['', 'trap "" TERM; '])('processes left behind are ended: %s', async (trap) => {
    await withAttempt(
      { shell, run: `(${trap}echo ready; while :; do sleep 0.05; done) & sleep 0.2; exit 0`, graceSeconds: 0.3 },
      async (attempt) => {
        expect(await attempt.start().end()).toBe(0)
        expect(attempt.processes()).toEqual([])
        expect(attempt.record(0)).toMatchObject({ code: 0, told: '0' })
      },
    )
  })

  test('one of 4 ranks fails: the others are told, and the first is named', async () => {
    const run = 'if [ "$DROVER_NODE_RANK" = 2 ]; then exit 5; fi; trap "exit 0" TERM; while :; do sleep 0.02; done'
    await withAttempt({ shell, ranks: 4, run }, async (attempt) => {
      expect(await attempt.start().end()).toBe(5)
      expect(attempt.record(2)).toMatchObject({ code: 5, told: '0' })
      for (const rank of [0, 1, 3]) expect(attempt.record(rank)).toMatchObject({ told: 'peer', phase: 'run' })
      expect(attempt.record('job')).toMatchObject({ code: 5, told: '0' })
    })
  })

  test('4 ranks see their variables', async () => {
    const run =
      'echo "$DROVER_NODE_RANK $SKYPILOT_NODE_RANK $SKYPILOT_NUM_GPUS_PER_NODE" $SKYPILOT_NODE_IPS; [ -z "$SKYPILOT_SETUP_NODE_RANK" ]'
    const setup = 'echo "$SKYPILOT_SETUP_NODE_RANK" $SKYPILOT_SETUP_NODE_IPS; [ -z "$SKYPILOT_NODE_RANK" ]'
    await withAttempt({ shell, ranks: 4, setup, run }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      for (const rank of [0, 1, 2, 3]) {
        expect(attempt.read(`logs/${rank}.out`)).toBe(`${rank} ${rank} 0 10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3\n`)
        expect(attempt.read(`logs/setup-${rank}.log`)).toBe(`${rank} 10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3\n`)
        expect(attempt.events(rank).map(({ word }) => word)).toEqual(['runner', 'setup', 'setup_end', 'runner', 'script', 'script_end'])
      }
      expect(attempt.events('job').map(({ word }) => word)).toEqual(['driver', 'gate', 'driver_end'])
    })
  })

  test('run begins nowhere before setup has ended everywhere', async () => {
    const setup = '[ "$DROVER_NODE_RANK" = 0 ] || sleep 0.3; : > "done-$DROVER_NODE_RANK"'
    await withAttempt({ shell, ranks: 3, setup, run: '[ -e done-0 ] && [ -e done-1 ] && [ -e done-2 ]' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
    })
  })

  test("a failed setup stops the job, with every rank's code", async () => {
    await withAttempt(
      { shell, ranks: 3, setup: 'echo from setup; [ "$DROVER_NODE_RANK" != 1 ] || exit 6', run: 'echo no' },
      async (attempt) => {
        expect(await attempt.start().end()).toBe(6)
        expect([0, 1, 2].map((rank) => attempt.record(rank))).toMatchObject([
          { code: 0, told: '0', phase: 'setup' },
          { code: 6, told: '0', phase: 'setup' },
          { code: 0, told: '0', phase: 'setup' },
        ])
        expect(attempt.record('job')).toMatchObject({ code: 6, phase: 'setup' })
        expect(attempt.read('logs/setup-1.log')).toBe('from setup\n')
        expect(attempt.read('logs/0.out')).toBe('')
      },
    )
  })

  test.each([
    ['in run', undefined, 'sleep 60', 143, 'run'],
    ['of what setup has left', 'sleep 0.5', 'sleep 60', 143, 'run'],
    ['in setup', 'sleep 60', 'echo no', 143, 'setup'],
    ['by a script that ends with 0', undefined, 'trap "exit 0" TERM; while :; do sleep 0.02; done', 0, 'run'],
    ['by a script that ignores TERM', undefined, 'trap "" TERM; while :; do sleep 0.02; done', 137, 'run'],
  ] as const)('the time limit is kept %s', async (_, setup, run, code, phase) => {
    await withAttempt(
      { shell, run, timeoutSeconds: 0.8, graceSeconds: 0.3, ...(setup === undefined ? {} : { setup }) },
      async (attempt) => {
        const began = performance.now()
        expect(await attempt.start().end()).toBe(code)
        const took = performance.now() - began
        expect(took).toBeGreaterThan(750)
        expect(took).toBeLessThan(4_000)
        expect(attempt.record(0)).toMatchObject({ code, told: 'timeout', phase })
        expect(attempt.record('job')).toMatchObject({ code, told: phase === 'run' && code === 0 ? '0' : 'timeout' })
        expect(attempt.read('logs/0.out')).toBe('')
      },
    )
  })

  test.each([1, 3])('kill -9 of a runner, %i ranks: its script is ended, the rank named, no success', async (ranks) => {
    await withAttempt({ shell, ranks, run: 'echo ready; sleep 60 & wait' }, async (attempt) => {
      attempt.start()
      for (let rank = 0; rank < ranks; rank++) await ready(attempt, rank)
      process.kill(Number(attempt.events(0).find(({ word }) => word === 'runner')?.detail.pid), 'SIGKILL')
      expect(await attempt.end()).toBe(137)
      expect(attempt.reading(0)).toEqual({ kind: 'none' })
      expect(attempt.events('job').find(({ word }) => word === 'rank_lost')?.detail).toEqual({ rank: '0', code: '137' })
      for (let rank = 1; rank < ranks; rank++) expect(attempt.record(rank)).toMatchObject({ told: 'peer' })
      await until('the end of the script', () => attempt.processes().length === 0)
    })
  })

  test.each([1, 3])('a TERM that a runner of %i ranks has not heard is passed on again', async (ranks) => {
    await withAttempt({ shell, ranks, run: 'echo ready; sleep 60', graceSeconds: 1 }, async (attempt) => {
      attempt.start()
      for (let rank = 0; rank < ranks; rank++) await ready(attempt, rank)
      // Without its line the runner is not found, as if the signal were lost.
      const line = join(attempt.dir, 'events/0')
      renameSync(line, `${line}-away`)
      process.kill(attempt.pid, 'SIGTERM')
      await until('the mark', () => attempt.read('claim/0/stop') === 'term\n')
      if (ranks > 1) await until('the end of the others', () => [1, 2].every((rank) => attempt.reading(rank).kind === 'record'))
      renameSync(`${line}-away`, line)
      // Several children are looked after by the driver itself; for one, whoever asks insists.
      if (ranks === 1) process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      for (let rank = 0; rank < ranks; rank++) expect(attempt.record(rank)).toMatchObject({ code: 143, told: 'term' })
    })
  })

  test('kill -9 of the driver of a single rank: its runner still writes the record', async () => {
    await withAttempt({ shell, run: 'echo ready; sleep 0.5; exit 6' }, async (attempt) => {
      attempt.start()
      await ready(attempt)
      process.kill(attempt.pid, 'SIGKILL')
      expect(await attempt.end()).toBe(-1)
      await until('the record', () => attempt.reading(0).kind === 'record')
      expect(attempt.record(0)).toMatchObject({ code: 6, told: '0' })
      expect(attempt.reading('job')).toEqual({ kind: 'none' })
    })
  })

  test('a single rank: setup, gate and run, each with its own processor time', async () => {
    const setup = 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done'
    await withAttempt({ shell, setup, run: 'exit 4' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(4)
      expect(attempt.events(0).map(({ word }) => word)).toEqual(['runner', 'setup', 'setup_end', 'runner', 'script', 'script_end'])
      expect(attempt.events('job').map(({ word }) => word)).toEqual(['driver', 'gate', 'driver_end'])
      expect(Number(attempt.events(0).at(-1)?.detail.cpu_cs)).toBeLessThan(20)
    })
    await withAttempt({ shell, setup: 'exit 6', run: 'echo no' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(6)
      expect(attempt.record(0)).toMatchObject({ code: 6, told: '0', phase: 'setup' })
      expect(attempt.record('job')).toMatchObject({ code: 6, told: '0', phase: 'setup' })
      expect(attempt.read('logs/0.out')).toBe('')
    })
  })

  test('a single rank: a TERM at any moment ends the attempt, with every record written', async () => {
    for (let delay = 0; delay < 12; delay++) {
      await withAttempt({ shell, setup: delay % 2 === 0 ? 'true' : 'sleep 0.01', run: 'sleep 60', graceSeconds: 1 }, async (attempt) => {
        attempt.start()
        await until('the claim', () => attempt.read('claim/0/id') !== '')
        const at = process.hrtime.bigint() + BigInt(delay) * 1_000_000n
        while (process.hrtime.bigint() < at);
        process.kill(attempt.pid, 'SIGTERM')
        const code = await attempt.end()
        expect([1, 143]).toContain(code)
        // Setup may have ended with 0 although it was told to stop.
        expect(attempt.record(0)).toMatchObject({ code: code === 1 ? 0 : 143, told: 'term' })
        expect(attempt.record('job')).toMatchObject({ code, told: 'term', phase: attempt.record(0).phase })
      })
    }
  })

  test('a single rank: the cancel mark before the start, nothing is run', async () => {
    await withAttempt({ shell, setup: 'echo no', run: 'echo no' }, async (attempt) => {
      writeFileSync(join(attempt.dir, 'cancel'), '')
      expect(await attempt.start().end()).toBe(143)
      expect(attempt.record(0)).toMatchObject({ code: 143, told: 'term', phase: 'setup' })
      expect(attempt.record('job')).toMatchObject({ code: 143, told: 'term', phase: 'setup' })
      expect(attempt.read('logs/0.out') + attempt.read('logs/setup-0.log')).toBe('')
    })
  })

  test("kill -9 of the driver's watcher of a rank: its end is still seen, and the peers' too", async () => {
    const run = 'echo ready; [ "$DROVER_NODE_RANK" = 1 ] || { while [ ! -e go ]; do sleep 0.02; done; exit 5; }; sleep 60'
    await withAttempt({ shell, ranks: 2, run, graceSeconds: 1 }, async (attempt) => {
      attempt.start()
      for (const rank of [0, 1]) await ready(attempt, rank)
      const runner = attempt.events(0).find(({ word }) => word === 'runner')?.detail.pid
      const script = attempt.events(0).find(({ word }) => word === 'script')?.detail.pid
      process.kill(parentOf(Number(runner)), 'SIGKILL')
      writeFileSync(join(readlinkSync(`/proc/${script}/cwd`), 'go'), '')
      expect(await attempt.end()).toBe(5)
      expect(attempt.record(1)).toMatchObject({ told: 'peer' })
    })
  })

  test('kill -9 of the driver of several ranks: nothing of it stays once they have ended', async () => {
    await withAttempt({ shell, ranks: 2, run: 'echo ready; sleep 0.5' }, async (attempt) => {
      attempt.start()
      for (const rank of [0, 1]) await ready(attempt, rank)
      process.kill(attempt.pid, 'SIGKILL')
      await until('the end of all', () => attempt.processes().length === 0)
    })
  })

  test('a taken claim: 97, and nothing is run', async () => {
    await withAttempt({ shell, run: 'echo once' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      const before = attempt.read('exit/job') + attempt.read('events/job')
      expect(await attempt.runAgain()).toBe(97)
      expect(attempt.read('logs/0.out')).toBe('once\n')
      expect(attempt.read('exit/job') + attempt.read('events/job')).toBe(before)
    })
  })

  test('two instances at the same moment: one runs', async () => {
    for (let round = 0; round < 5; round++) {
      await withAttempt({ shell, run: 'echo once' }, async (attempt) => {
        const other = attempt.runAgain()
        const codes = [await attempt.start().end(), await other]
        expect(codes.toSorted()).toEqual([0, 97])
        expect(attempt.read('logs/0.out')).toBe('once\n')
      })
    }
  })

  test('a claim that cannot be made: 96, and nothing is run', async () => {
    await withAttempt({ shell, run: 'echo no' }, async (attempt) => {
      // A file where the directory should be; permissions would not stop a test run as root.
      rmSync(join(attempt.dir, 'claim', '0'), { recursive: true })
      writeFileSync(join(attempt.dir, 'claim', '0'), '')
      expect(await attempt.start().end()).toBe(96)
      expect(attempt.read('logs/0.out')).toBe('')
    })
  })

  test.each([' a  b ', 'it\'s "x"', 'new\nline', '$(touch pwned) `id` $HOME', '*?[a]\\', '-n', 'ünïcode ☃', 'tab\there;#&|<>'])(
    'path %j',
    async (name) => {
      await withAttempt({ shell, name, ranks: 2, setup: 'echo set', run: 'pwd; echo "$DROVER_WORK_DIR" | cat' }, async (attempt) => {
        expect(await attempt.start().end()).toBe(0)
        expect(attempt.read('logs/1.out')).toBe(`${attempt.work}\n${attempt.work}\n`)
        expect(attempt.record(1)).toMatchObject({ code: 0, told: '0' })
      })
    },
  )

  test('variables of the user cannot meddle with the programs', async () => {
    const env = { PATH: '/usr/bin:/bin', IFS: 'x0123456789', dir: '/x', rank: '7', told: 'no', CDPATH: '/', PS4: 'x', ENV: '/x', job: 'x' }
    await withAttempt({ shell, ranks: 2, env, run: 'echo "$dir $rank $told"' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.read('logs/1.out')).toBe('/x 7 no\n')
    })
  })

  test('a work directory that is not there: 125, with a reason', async () => {
    await withAttempt({ shell, run: 'echo no' }, async (attempt) => {
      rmSync(attempt.work, { recursive: true })
      expect(await attempt.start().end()).toBe(125)
      expect(attempt.record(0)).toMatchObject({ code: 125 })
      expect(attempt.read('logs/0.err')).toContain(attempt.work)
      mkdirSync(attempt.work)
    })
  })

  test.each(['perl', 'bash', 'none'] as const)('groups by %s: runs, and ends on TERM', async (processGroups) => {
    const options: AttemptOptions = {
      shell: processGroups === 'bash' ? ['bash'] : shell,
      processGroups,
      ranks: 2,
      run: 'echo ready; exec sleep 60',
      graceSeconds: 2,
    }
    await withAttempt(options, async (attempt) => {
      attempt.start()
      for (const rank of [0, 1]) await ready(attempt, rank)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      for (const rank of [0, 1]) expect(attempt.record(rank)).toMatchObject({ code: 143, told: 'term' })
    })
    await withAttempt({ ...options, run: 'exit 3' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(3)
    })
  })

  test('a rank sees its own variables in both phases, over those of the job', async () => {
    const say = 'printf "%s " "$DEVICES" "$OTHER"'
    const ownEnv = (rank: number) => ({ DEVICES: `${rank * 2},${rank * 2 + 1}` })
    await withAttempt({ shell, ranks: 2, setup: say, run: say, env: { DEVICES: 'all', OTHER: 'o' }, ownEnv }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      for (const [rank, said] of ['0,1 o ', '2,3 o '].entries()) {
        expect([attempt.read(attemptPaths.setupLog(rank)), attempt.read(attemptPaths.stdout(rank))]).toEqual([said, said])
      }
    })
  })

  test.each(['env', 'perl', 'python', undefined] as const)('INT and QUIT are not ignored, by %s', async (knownReset) => {
    const options = { shell, ...(knownReset ? { knownReset } : {}) }
    // Bits 0, 1 and 2 (HUP, INT, QUIT), 12 and 24 (PIPE, XFSZ) of the ignored signals.
    const run = 'grep SigIgn: /proc/self/status; echo "${_d_known_reset-unset} ${LC_CTYPE-unset}"'
    await withAttempt({ ...options, run, env: { LC_ALL: 'C' } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      const [mask = '', rest] = attempt.read('logs/0.out').split('\n')
      expect(Number.parseInt(mask.replace('SigIgn:', ''), 16) & 0x1001007).toBe(0)
      expect(rest).toBe('unset unset')
    })
    await withAttempt({ ...options, run: "trap 'exit 9' INT; kill -INT $$" }, async (attempt) => {
      expect(await attempt.start().end()).toBe(9)
    })
    await withAttempt(
      { ...options, run: ['sh', '-c', 'kill -INT $$'], setup: "trap 'exit 0' INT; kill -INT $$; exit 4" },
      async (attempt) => {
        expect(await attempt.start().end()).toBe(130)
        expect(attempt.record(0)).toMatchObject({ code: 130, signal: 2 })
      },
    )
  })

  test('where nothing can reset them, a script runs all the same', async () => {
    await withAttempt({ shell, knownReset: 'none', ranks: 2, run: 'exit 3' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(3)
    })
  })

  test.each(['12x4', '1'.repeat(30)])('a boot time of %j from the environment is not believed', async (known) => {
    await withAttempt({ shell, run: 'exit 0', driverEnv: { _d_known_boot: known } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(Math.abs(attempt.record('job').endedAt - Date.now() / 1000)).toBeLessThan(10)
    })
  })
})
