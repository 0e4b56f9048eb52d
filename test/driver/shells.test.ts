import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quoteArgv, quoteOneLine, quoteShell, shellAssignments } from '../../src/driver/quote.ts'
import { Attempt, isInstalled, shells } from './attempt-fixture.ts'

/** Characters that mean something to a shell, to a line format, or to nobody. */
const hostile = fc.string({
  unit: fc.constantFrom(...' \t\n\r\'"\\$`(){}[]*?!#&|;<>~-=%@:,.aZ0é☃\u{1F600}\u0001\u007f\ufffd'),
  maxLength: 40,
})

const HOSTILE = ['', ' ', "'", "''", '\n', 'a\n', '\\', '\\\n', '$(touch x)', '`x`', '-n', '--', '!', '~', 'if', '*', 'é☃', '\r', '\u0001']

describe.each(shells)('quoting under %s', (_, [program = '', ...words]) => {
  const run = (text: string): string => {
    const { status, stdout, stderr } = spawnSync(program, [...words, '-s'], { input: text, encoding: 'utf8', maxBuffer: 64 << 20 })
    if (status !== 0) throw new Error(`${status}: ${stderr}`)
    return stdout
  }

  /** Joined by a character no value holds, all values in one shell. */
  const roundTrip = (values: readonly string[], quote: (value: string) => string): string[] =>
    run(`_d_nl='\n'\n${values.map((value) => `printf '%s\\002' ${quote(value)}\n`).join('')}`)
      .split('\u0002')
      .slice(0, -1)

  test('hostile words come back as they are', () => {
    expect(roundTrip(HOSTILE, quoteShell)).toEqual(HOSTILE)
    expect(roundTrip(HOSTILE, quoteOneLine)).toEqual(HOSTILE)
    for (const value of HOSTILE) expect(quoteOneLine(value)).not.toContain('\n')
  })

  test('generated words come back as they are', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 30 }), (values) => {
        expect(roundTrip(values, quoteShell)).toEqual(values)
        expect(roundTrip(values, quoteOneLine)).toEqual(values)
        expect(run(`set -- ${quoteArgv(values)}\necho $#`)).toBe(`${values.length}\n`)
      }),
      { numRuns: 30 },
    )
  })

  test('a megabyte comes back as it is', () => {
    const value = `${"it's\n$x ".repeat(131_072)}end`
    expect(roundTrip([value], quoteShell)).toEqual([value])
  })

  test('what is no UTF-8 arrives as U+FFFD: a string never had the bytes', () => {
    const decoded = Buffer.from([0x61, 0xff, 0xfe, 0x62]).toString('utf8')
    expect(roundTrip([decoded, '\ud800'], quoteShell)).toEqual(['a\ufffd\ufffdb', '\ufffd'])
  })

  test('variables of an env file reach a program as they are', () => {
    const values = HOSTILE.filter((value) => !value.includes('\r'))
    const env = Object.fromEntries(values.map((value, index) => [`V${index}`, value]))
    const script = `${shellAssignments(env)}exec ${quoteArgv([process.execPath, '-e', `process.stdout.write(JSON.stringify(process.env))`])}\n`
    expect(JSON.parse(run(script))).toMatchObject(env)
  })
})

describe.skipIf(!isInstalled('shellcheck', 'the generated programs under shellcheck'))('shellcheck', () => {
  test.each(['setsid', 'perl', 'bash', 'none'] as const)('finds nothing in driver and node runner, groups by %s', async (processGroups) => {
    for (const options of [
      { ranks: 2, setup: 'true' },
      { array: { kind: 'values', values: ['a'], size: 1, width: 1 } },
      { array: { kind: 'count', count: 2, size: 2, width: 1 }, timeoutSeconds: 5 },
      { gate: true, lease: { directory: '/a b', cpus: 1, memoryBytes: 1, gpus: [0, 1], limits: { cpus: 1, memoryBytes: 1 } } },
      { allocation: {} },
      { ranks: 3, setup: 'true', allocation: { limitSignal: 'USR1', warning: { received: 'USR2', sent: 'USR1' }, requeue: true } },
      {
        array: { kind: 'values', values: ['a'], size: 1, width: 1 },
        allocation: { requeue: true, task: { variable: 'SLURM_ARRAY_TASK_ID', offset: 0, count: 1, chunk: 1 } },
      },
    ] as const) {
      const attempt = new Attempt({ shell: ['sh'], run: '/bin/echo "a b"', processGroups, name: 'a b', ...options })
      try {
        const { stdout, status } = spawnSync('shellcheck', ['-s', 'sh', join(attempt.dir, 'driver.sh'), join(attempt.dir, 'node.sh')], {
          encoding: 'utf8',
        })
        expect(stdout).toBe('')
        expect(status).toBe(0)
      } finally {
        await attempt.close()
      }
    }
  })
})
