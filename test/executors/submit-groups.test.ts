import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { commandOutcomes, framed } from '../../src/executors/batch/framed-commands.ts'
import { GroupHead } from '../../src/executors/batch/group-head.ts'
import { groupResults, groupScript, SubmitGroups } from '../../src/executors/batch/submit-groups.ts'
import type { CommandResult, Transport } from '../../src/transports/transport.ts'

/** The supervisor does not stop. */
const goesOn = new AbortController().signal

const MARK = 'drover-group-0123456789abcdef'
const SHELLS = ['dash', 'bash', 'busybox sh'].filter((shell) => spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0)

function sh(script: string, shell = 'sh'): string {
  const [program = 'sh', ...args] = shell.split(' ')
  return spawnSync(program, args, { input: script, encoding: 'utf8' }).stdout
}

test.each(SHELLS)('%s: each script has its own directory, variables, code and end', (shell) => {
  const scripts = ['x=1; cd /; pwd; exit 3', 'printf "no line end$x"', 'echo out; echo err >&2; false']
  const [first, second, third] = groupResults(sh(groupScript(scripts, MARK), shell), 3, MARK)
  expect(first).toEqual({ code: 3, stdout: '/\n', stderr: '' })
  expect(second).toEqual({ code: 0, stdout: 'no line end', stderr: '' })
  expect(third).toMatchObject({ code: 1, stdout: 'out\nerr\n' })
})

test('a group that was cut off: what came before it stands, of the rest nothing is known', () => {
  const whole = sh(groupScript(['echo a', 'echo b', 'echo c'], MARK))
  for (let length = 0; length < whole.length; length++) {
    const results = groupResults(whole.slice(0, length), 3, MARK)
    for (const [index, { code, stdout }] of results.entries()) {
      if (code !== undefined) expect([code, stdout]).toEqual([0, `${'abc'[index]}\n`])
    }
  }
  expect(groupResults(whole, 3, MARK).map(({ code }) => code)).toEqual([0, 0, 0])
})

test('what comes together goes together, at most twenty at a time, and each gets its own answer', async () => {
  const sizes: number[] = []
  let open = 0
  let most = 0
  const transport = {
    async run(_: string, { stdin = '' } = {}): Promise<CommandResult> {
      open += 1
      most = Math.max(most, open)
      sizes.push(String(stdin).split('2>&1').length - 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      open -= 1
      return { code: 0, stdout: sh(String(stdin)), stderr: '' }
    },
  } as unknown as Transport
  const groups = new SubmitGroups()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => groups.run(() => `echo ${index}`, transport, goesOn)))
  expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}\n`))
  expect(sizes).toEqual([20, 20, 10])
  expect(most).toBe(2)
})

test('a group that could not be sent is an error for each', async () => {
  const transport = { run: () => Promise.reject(new Error('no route')) } as unknown as Transport
  const groups = new SubmitGroups()
  const outcomes = await Promise.allSettled(['a', 'b'].map((script) => groups.run(() => script, transport, goesOn)))
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})

test('a script that cannot be made is an error of its own, and the others are sent', async () => {
  const transport = { run: async (_: string, { stdin = '' } = {}) => ({ code: 0, stdout: sh(String(stdin)), stderr: '' }) }
  const groups = new SubmitGroups()
  const make = (index: number) => () => {
    if (index === 1) throw new Error('NUL')
    return `echo ${index}`
  }
  const outcomes = await Promise.allSettled([0, 1, 2].map((index) => groups.run(make(index), transport as unknown as Transport, goesOn)))
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.stdout : String(outcome.reason)))).toEqual([
    '0\n',
    'Error: NUL',
    '2\n',
  ])
})

const directory = mkdtempSync(join(tmpdir(), 'drover-head-'))
afterAll(() => rmSync(directory, { recursive: true }))

test.each(SHELLS)('%s: what a head shares is the same text for each, directories and programs are there', (shell) => {
  const body = `\n${"it's \\ $HOME `id` %s\n".repeat(50)}\u00e4\u{1f600}`
  const texts = ['job1', 'job2'].map((id) => `#!/bin/sh\n# ${id}${body}${id}${body}x${id}`)
  const head = new GroupHead()
  const at = (id: string): string => join(directory, shell.replace(' ', '-'), id)
  const scripts = ['job1', 'job2'].map((id, index) => {
    head.directories([join(at(id), 'deep')])
    head.programs([join(at(id), 'run.sh')])
    head.once('x=$((x + 1))')
    return `[ -x ${at(id)}/run.sh ] && printf %s ${head.word(texts[index] ?? '', id)} >${at(id)}/run.sh && echo "$x"`
  })
  // Each of its two long parts once, not once per script.
  expect(`${head}`.split("it'\\''s").length - 1).toBe(100)
  const results = groupResults(sh(`${head}${groupScript(scripts, MARK)}`, shell), 2, MARK)
  expect(results.map(({ code, stdout }) => [code, stdout])).toEqual([
    [0, '1\n'],
    [0, '1\n'],
  ])
  for (const [index, id] of ['job1', 'job2'].entries()) {
    expect(readFileSync(join(at(id), 'run.sh'), 'utf8')).toBe(texts[index])
    expect(statSync(join(at(id), 'run.sh')).mode & 0o777).toBe(0o700)
    expect(statSync(join(at(id), 'deep')).mode & 0o777).toBe(0o700)
  }
})

test.each(SHELLS)('%s: the answer of a command is read back whole, whatever it is', (shell) => {
  const answers = [
    '123\n',
    '123;cluster\n',
    '',
    '\n',
    '123',
    '1\n2\n',
    '1\n2',
    'a b\n',
    '\u00e4\n',
    '\\1\n',
    '-n\n',
    ' 1\n',
    '1\n\n',
    '%s\n',
  ]
  for (const answer of answers) {
    for (const complaint of ['', 'oh\n']) {
      const quoted = (text: string): string => `printf %s '${text}'`
      const script = `out=${directory}\n${framed('x', `${quoted(answer)}; ${quoted(complaint)} >&2; sh -c 'exit 3'`)}\n${framed('y', 'echo 7')}\n`
      const outcomes = commandOutcomes(sh(script, shell))
      expect(outcomes.get('x')).toEqual({ code: 3, stdout: answer, stderr: complaint })
      expect(outcomes.get('y')).toEqual({ code: 0, stdout: '7\n', stderr: '' })
    }
  }
})

test('a supervisor that stops gives a submit that lasts a while, and does not wait for its end', async () => {
  vi.useFakeTimers()
  try {
    const run = (_: string, { signal }: { readonly signal?: AbortSignal } = {}) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('told to stop'))))
    const stop = new AbortController()
    let said = ''
    new SubmitGroups()
      .run(() => 'sbatch', { run } as unknown as Transport, stop.signal)
      .catch((error: Error) => {
        said = error.message
      })
    await vi.advanceTimersByTimeAsync(60_000)
    stop.abort()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(said).toBe('')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(said).toBe('told to stop')
  } finally {
    vi.useRealTimers()
  }
})
