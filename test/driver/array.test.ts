import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attemptPaths } from '../../src/driver/protocol.ts'
import { parseSlotLines } from '../../src/driver/protocol-reader.ts'
import { type Attempt, shells, until, withAttempt } from './attempt-fixture.ts'

/** The pid of the slot that has claimed this position and has no result for it yet. */
async function slotPidOf(attempt: Attempt, position: number): Promise<number> {
  await until(`element ${position}`, () => attempt.read(`logs/${position}.out`).includes('ready'))
  for (const event of attempt.events('job')) {
    if (event.word !== 'slot') continue
    const claims = attempt.read(attemptPaths.slot(Number(event.detail.k))).split('\n')
    if (claims.some((line) => line.startsWith(`c ${position} `))) return Number(event.detail.pid)
  }
  throw new Error(`no slot has element ${position}`)
}

const count = (size: number, width: number) => ({ kind: 'count', count: size, size, width }) as const

describe.each(shells)('array slots under %s', (_, shell) => {
  test('100 elements, 3 fail', async () => {
    const run = 'echo "$DROVER_ARRAY_INDEX of $DROVER_ARRAY_COUNT"; echo err >&2; case $DROVER_ARRAY_INDEX in 7 | 50 | 99) exit 3 ;; esac'
    await withAttempt({ shell, run, array: count(100, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(3)
      const results = attempt.results()
      expect(results.size).toBe(100)
      expect([...results].filter(([, result]) => result !== '0 0').toSorted((a, b) => a[0] - b[0])).toEqual([
        [7, '3 0'],
        [50, '3 0'],
        [99, '3 0'],
      ])
      expect(attempt.read('logs/42.out')).toBe('42 of 100\n')
      expect(attempt.read('logs/42.err')).toBe('err\n')
      expect(attempt.record('job')).toMatchObject({ code: 3, told: '0', phase: 'run' })
      expect(attempt.read('env')).toBe('')
      for (const line of attempt.slotLines()) expect(line.kind === 'claim' ? line.at : line.endedAt).toBeGreaterThan(0)
    })
  })

  test.each([
    ['one command of arguments', ['/bin/true']],
    ['a simple command as a script', '/bin/true\n'],
    ['a command found on PATH', ['true']],
  ] as const)('1,000 elements: %s', async (_, run) => {
    await withAttempt({ shell, run, array: count(1000, 3) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect([...attempt.results().values()].filter((result) => result === '0 0')).toHaveLength(1000)
    })
  })

  test('a builtin named as a command runs as the program of that name', async () => {
    await withAttempt({ shell, run: ['echo', 'a  b', '$HOME'], array: count(2, 1) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.read('logs/1.out')).toBe('a  b $HOME\n')
    })
  })

  test('a command that does not exist fails every element with 127', async () => {
    await withAttempt({ shell, run: ['/nowhere/at all'], array: count(3, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(127)
      expect([...attempt.results().values()]).toEqual(['127 0', '127 0', '127 0'])
      expect(attempt.read('logs/2.err')).not.toBe('')
    })
  })

  test('hostile values arrive as they are', async () => {
    const values = [
      '',
      ' a  b ',
      "it's",
      '"x"',
      'two\nlines\n',
      '$(touch pwned) `id` $HOME',
      '\\n\\',
      '-n',
      '☃',
      '\t',
      'x'.repeat(100_000),
      "'\n'",
    ]
    const run = 'printf %s "$DROVER_ARRAY_VALUE"'
    await withAttempt({ shell, run, array: { kind: 'values', values, size: values.length, width: 2 } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(values.map((_, position) => attempt.read(`logs/${position}.out`))).toEqual(values)
    })
  })

  test('range, chosen positions and matrix', async () => {
    const run = 'printf "%s %s" "$DROVER_ARRAY_INDEX" "$DROVER_ARRAY_VALUE"'
    await withAttempt({ shell, run, array: { kind: 'range', start: 10, stop: 0, step: -3, size: 4, width: 2 } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect([0, 1, 2, 3].map((position) => attempt.read(`logs/${position}.out`))).toEqual(['0 10', '1 7', '2 4', '3 1'])
    })
    await withAttempt({ shell, run, array: { ...count(9, 2), positions: [8, 3] } }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect([...attempt.results().keys()].toSorted()).toEqual([3, 8])
      expect(attempt.read('logs/8.out')).toBe('8 8')
    })
    const parameters = [
      { name: 'lr', values: ['0.1', 'a b'] },
      { name: 'seed', values: ['1', '2', '3'] },
    ]
    const matrix = { kind: 'matrix', parameters, size: 6, width: 3 } as const
    await withAttempt({ shell, run: 'printf "%s/%s/%s" "$lr" "$seed" "$SKYPILOT_JOB_RANK"', array: matrix }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect([0, 2, 3, 5].map((position) => attempt.read(`logs/${position}.out`))).toEqual(['0.1/1/0', '0.1/3/2', 'a b/1/3', 'a b/3/5'])
    })
  })

  test('the elements of a slot see its own variables, over those of the job', async () => {
    const ownEnv = (slot: number) => ({ DEVICES: `it's ${slot}` })
    const run = 'printf "%s/%s" "$DEVICES" "$OTHER"; sleep 0.05'
    await withAttempt({ shell, run, env: { DEVICES: 'all', OTHER: 'o' }, ownEnv, array: count(8, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      for (const slot of [0, 1]) {
        const claims = parseSlotLines(attempt.read(attemptPaths.slot(slot))).lines.filter(({ kind }) => kind === 'claim')
        expect(claims).not.toEqual([])
        for (const { position } of claims) expect(attempt.read(`logs/${position}.out`)).toBe(`it's ${slot}/o`)
      }
    })
  })

  test.each(['process', 'group'])('an element is cancelled, by TERM to its slot’s %s: the slot goes on', async (whom) => {
    await withAttempt(
      { shell, run: 'echo ready; [ "$DROVER_ARRAY_INDEX" != 1 ] || exec sleep 60', array: count(6, 2) },
      async (attempt) => {
        attempt.start()
        const pid = await slotPidOf(attempt, 1)
        await until('the others', () => attempt.results().size === 5)
        writeFileSync(join(attempt.dir, attemptPaths.cancelElements), '1\n')
        process.kill(whom === 'group' ? -pid : pid, 'SIGTERM')
        expect(await attempt.end()).toBe(143)
        expect(attempt.results().get(1)).toBe('143 term')
        expect([0, 2, 3, 4, 5].map((position) => attempt.results().get(position))).toEqual(Array(5).fill('0 0'))
        expect(attempt.record('job')).toMatchObject({ code: 143, told: '0' })
      },
    )
  })

  test('a cancelled element that has not begun never begins; a late TERM meets nobody', async () => {
    await withAttempt({ shell, run: 'echo ready; until [ -e go ]; do sleep 0.02; done', array: count(3, 1) }, async (attempt) => {
      attempt.start()
      const pid = await slotPidOf(attempt, 0)
      writeFileSync(join(attempt.dir, attemptPaths.cancelElements), '2\n17\n')
      process.kill(pid, 'SIGTERM')
      writeFileSync(join(attempt.work, 'go'), '')
      expect(await attempt.end()).toBe(143)
      expect(attempt.results()).toEqual(
        new Map([
          [0, '0 0'],
          [1, '0 0'],
          [2, '143 term'],
        ]),
      )
      expect(attempt.read('logs/2.out')).toBe('')
    })
  })

  test('an element that ignores TERM is killed with its slot, which is replaced', async () => {
    const run = 'echo ready; [ "$DROVER_ARRAY_INDEX" = 0 ] || exit 0; trap "" TERM; while :; do sleep 0.02; done'
    await withAttempt({ shell, run, array: count(5, 1), graceSeconds: 0.3 }, async (attempt) => {
      attempt.start()
      const pid = await slotPidOf(attempt, 0)
      await until('the trap', () => attempt.processes().some((line) => line.includes('sleep 0.02')))
      writeFileSync(join(attempt.dir, attemptPaths.cancelElements), '0\n')
      process.kill(pid, 'SIGTERM')
      expect(await attempt.end()).toBe(137)
      expect(attempt.results()).toEqual(new Map([[0, '137 term'], ...[1, 2, 3, 4].map((position) => [position, '0 0'] as const)]))
      expect(attempt.events('job').filter(({ word }) => word === 'slot')).toHaveLength(2)
    })
  })

  test.each([1, 2])('kill -9 of a slot, width %i: its element fails, the others run', async (width) => {
    const run = 'echo ready; [ "$DROVER_ARRAY_INDEX" != 0 ] || exec sleep 60'
    await withAttempt({ shell, run, array: count(5, width) }, async (attempt) => {
      attempt.start()
      process.kill(await slotPidOf(attempt, 0), 'SIGKILL')
      expect(await attempt.end()).toBe(137)
      expect(attempt.results().get(0)).toBe('137 0')
      expect([1, 2, 3, 4].map((position) => attempt.results().get(position))).toEqual(Array(4).fill('0 0'))
      await until('the end of the element', () => attempt.processes().length === 0)
    })
  })

  test('the time limit holds per element', async () => {
    const run = 'case $DROVER_ARRAY_INDEX in 1) exec sleep 60 ;; 2) trap "" TERM; while :; do sleep 0.02; done ;; esac; sleep 0.1'
    await withAttempt({ shell, run, array: count(12, 2), timeoutSeconds: 1.2, graceSeconds: 0.3 }, async (attempt) => {
      const code = await attempt.start().end()
      expect([137, 143]).toContain(code)
      const results = attempt.results()
      expect([results.get(1), results.get(2)]).toEqual(['143 timeout', '137 timeout'])
      expect([...results.values()].filter((result) => result === '0 0')).toHaveLength(10)
    })
  })

  test.each([1, 3])('TERM to the driver, width %i: what runs is ended, the rest gets no line', async (width) => {
    await withAttempt({ shell, run: 'echo ready; exec sleep 60', array: count(20, width) }, async (attempt) => {
      attempt.start()
      for (let position = 0; position < width; position++) await slotPidOf(attempt, position)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
      expect([...attempt.results().values()]).toEqual(Array(width).fill('143 term'))
      expect(attempt.slotLines()).toHaveLength(2 * width)
      expect(attempt.record('job')).toMatchObject({ code: 143, told: 'term' })
    })
  })

  test('a TERM at any moment ends an array at once', async () => {
    for (let delay = 0; delay < 12; delay++) {
      await withAttempt({ shell, run: ['sleep', '0.05'], array: count(1000, 2), graceSeconds: 5 }, async (attempt) => {
        attempt.start()
        await until('the claim', () => attempt.read('claim/0/id') !== '')
        const at = process.hrtime.bigint() + BigInt(delay * 3) * 1_000_000n
        while (process.hrtime.bigint() < at);
        process.kill(attempt.pid, 'SIGTERM')
        const began = performance.now()
        expect(await attempt.end()).toBe(143)
        expect(performance.now() - began).toBeLessThan(3_000)
        expect(attempt.slotLines().length % 2).toBe(0)
      })
    }
  })

  test('setup runs once before; a failed one lets no element begin', async () => {
    await withAttempt({ shell, setup: 'echo once >> made', run: 'cat made', array: count(3, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.read('logs/2.out')).toBe('once\n')
    })
    await withAttempt({ shell, setup: 'exit 6', run: 'echo no', array: count(3, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(6)
      expect(attempt.record(0)).toMatchObject({ code: 6, phase: 'setup', told: '0' })
      expect(attempt.slotLines()).toEqual([])
    })
  })

  test.each(['env', 'perl', 'python', undefined] as const)('INT and QUIT are not ignored in elements, by %s', async (knownReset) => {
    const options = { shell, array: count(2, 1), ...(knownReset ? { knownReset } : {}) }
    await withAttempt({ ...options, run: "trap 'exit 9' INT; kill -INT $$" }, async (attempt) => {
      expect(await attempt.start().end()).toBe(9)
    })
    await withAttempt({ ...options, run: "exec sh -c 'kill -QUIT $$'" }, async (attempt) => {
      expect(await attempt.start().end()).toBe(131)
      expect([...attempt.results().values()]).toEqual(['131 0', '131 0'])
    })
  })

  test('what an element leaves behind is ended with it', async () => {
    await withAttempt({ shell, run: 'sleep 60 & exit 0', array: count(4, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.processes()).toEqual([])
    })
    await withAttempt(
      { shell, run: '(trap "" TERM; while :; do sleep 0.02; done) & sleep 0.1', array: count(2, 2), graceSeconds: 0.2 },
      async (attempt) => {
        expect(await attempt.start().end()).toBe(0)
        await until('the end of what was left', () => attempt.processes().length === 0)
      },
    )
  })

  test('slots that cannot work are no success', async () => {
    await withAttempt({ shell, run: 'echo no', array: count(3, 2) }, async (attempt) => {
      rmSync(attempt.work, { recursive: true })
      expect(await attempt.start().end()).toBe(1)
      expect(attempt.slotLines()).toEqual([])
      expect(attempt.events('job').some(({ word }) => word === 'rank_lost')).toBe(true)
    })
  })

  test('a claimed element without a journal line is no success', async () => {
    await withAttempt({ shell, run: 'exit 0', array: count(3, 2) }, async (attempt) => {
      appendFileSync(join(attempt.dir, 'logs/1.out'), '')
      expect(await attempt.start().end()).toBe(1)
      expect(attempt.results().size).toBe(2)
    })
  })

  test.each(["it's\n$(x)", ' '])('path %j, hostile variables', async (name) => {
    const env = { IFS: 'x0123456789', k: '1', position: '9', PATH: '/usr/bin:/bin' }
    await withAttempt({ shell, name, env, run: 'pwd; echo "$k"', array: count(3, 2) }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.read('logs/2.out')).toBe(`${attempt.work}\n1\n`)
    })
  })

  test.each(['perl', 'bash', 'none'] as const)('groups by %s', async (processGroups) => {
    const options = { shell: processGroups === 'bash' ? ['bash'] : shell, processGroups, array: count(20, 2) }
    await withAttempt({ ...options, run: 'exit 0' }, async (attempt) => {
      expect(await attempt.start().end()).toBe(0)
      expect(attempt.results().size).toBe(20)
    })
    await withAttempt({ ...options, run: 'echo ready; exec sleep 60' }, async (attempt) => {
      attempt.start()
      await slotPidOf(attempt, 0)
      process.kill(attempt.pid, 'SIGTERM')
      expect(await attempt.end()).toBe(143)
    })
  })
})
