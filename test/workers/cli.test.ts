import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalHome } from '../conformance/local-home.ts'
import { type CommandOutcome, runDrover } from '../conformance/run-drover.ts'

let home: LocalHome
const drover = (...args: string[]): Promise<CommandOutcome> => runDrover(home.environment, ['worker', ...args], { cwd: home.directory })
const json = async (...args: string[]) => JSON.parse((await drover(...args, '-o', 'json')).stdout)

function script(name: string, text: string, mode = 0o755): void {
  const path = join(home.directory, 'workers', name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
}

beforeAll(async () => {
  home = new LocalHome()
  expect((await drover('init', 'hello')).code).toBe(0)
  script('shell_worker', '#!/bin/sh\ntr a-z A-Z < "$input_text_file" > "$output_value_file"\necho "shouted" >&2\n')
  script('broken/main.sh', '#!/bin/sh\necho "no paper" >&2\nexit 3\n')
  script('lazy/main.sh', '#!/bin/sh\nexit 0\n')
  script('locked/main.sh', '#!/bin/sh\n', 0o644)
  script('typed/main.sh', '#!/bin/sh\nprintf 1 > "$output_a_file"; printf 2.0 > "$output_b_file"\n')
  script('typed/typed.tsp', '@portmapping model Out { a: integer; b: float; }\ninterface typed { two(): Out; }\n')
})
afterAll(async () => await home.close())

describe('drover worker init', () => {
  test('writes a TypeScript worker that works at once, and its stubs', async () => {
    const folder = join(home.directory, 'workers/hello')
    expect(readFileSync(join(folder, 'stubs.ts'), 'utf8')).toContain(
      "export const greet = task('hello.greet', { subject: str, times: optional(int) }, { value: str })",
    )
    expect(await json('run', 'hello', 'greet', '-i', 'subject=world', '-i', 'times=2')).toMatchObject({
      state: 'succeeded',
      outputs: { value: 'hello world hello world' },
    })
  })

  test('its stubs are those that the worker itself says', async () => {
    const folder = join(home.directory, 'workers/hello')
    expect((await drover('stubs', 'hello')).stdout).toBe(readFileSync(join(folder, 'stubs.py'), 'utf8'))
    const out = join(home.directory, 'out.ts')
    expect(await drover('stubs', 'hello', '--to', 'typescript', '--write', out)).toMatchObject({ code: 0, stdout: '' })
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(join(folder, 'stubs.ts'), 'utf8'))
    expect((await drover('stubs', join(folder, 'main.ts'), '--to', 'idl')).stdout).toBe(
      'interface hello {\n  greet(subject: string, times: integer): string;\n}\n',
    )
    expect((await drover('stubs', join(folder, 'stubs.py'))).stdout).toBe(readFileSync(join(folder, 'stubs.ts'), 'utf8'))
  })

  test('its program is found on PATH through a link', async () => {
    const bin = join(home.directory, 'bin')
    mkdirSync(bin, { recursive: true })
    symlinkSync(join(home.directory, 'workers/hello/main.sh'), join(bin, 'tkr-linked'))
    const environment = { ...home.environment, PATH: `${bin}:${home.environment['PATH']}` }
    const outcome = await runDrover(environment, ['worker', 'run', 'linked', 'greet', '-i', 'subject=you'], { cwd: home.directory })
    expect(outcome).toMatchObject({ code: 0, stdout: 'value = "hello you"\n' })
  })

  test('writes a Python worker', async () => {
    expect(await json('init', 'hey', '--python', '--registry', 'others')).toMatchObject({ name: 'hey', kind: 'python' })
    expect(readFileSync(join(home.directory, 'others/hey/main.py'), 'utf8')).toContain('worker = Worker("hey")')
    expect(existsSync(join(home.directory, 'others/hey/pyproject.toml'))).toBe(true)
  })

  test('touches nothing that is there', async () => {
    expect(await drover('init', 'hello')).toMatchObject({ code: 125, stderr: expect.stringMatching(/hello exists already/) })
    expect(await drover('init', 'my-worker')).toMatchObject({ code: 125, stderr: expect.stringMatching(/no name for a worker/) })
  })
})

describe('drover worker run', () => {
  test('a script, told of its call by variables; text that is no JSON is a string', async () => {
    expect(await json('run', 'shell_worker', 'shout', '-i', 'text=so loud')).toMatchObject({
      state: 'succeeded',
      outputs: { value: 'SO LOUD' },
      error: null,
    })
  })

  test('inputs from files: values by port, or the bytes of one port', async () => {
    writeFileSync(join(home.directory, 'inputs.json'), '{"subject": "file", "times": 1}')
    expect((await drover('run', 'hello', 'greet', '-i', 'inputs.json')).stdout).toBe('value = "hello file"\n')
    writeFileSync(join(home.directory, 'text'), 'raw bytes')
    const { outputs } = await json('run', 'shell_worker', 'shout', '-i', 'text=@text')
    expect(outputs.value).toEqual({ __tkr_bytes__: true, bytes: Buffer.from('RAW BYTES').toString('base64') })
  })

  test('ports that the interface beside a script declares; ints and floats keep their difference', async () => {
    const { stdout } = await drover('run', 'typed', 'two', '-o', 'json')
    expect(stdout).toContain('"a": 1,\n    "b": 2.0\n')
  })

  test.each([
    ['its own words where it failed', ['broken', 'print'], 3, /broken\.print failed \(exit\): .*no paper/s],
    ['an output that was not written', ['lazy', 'sleep'], 1, /lazy\.sleep failed \(missing_output\): .*"value"/],
    [
      "a TypeScript task's error",
      ['hello', 'greet', '-i', 'subject=3'],
      1,
      /failed \(exit\): input "subject" is an int \(3\), a string was expected/,
    ],
    ['an unknown task', ['hello', 'great'], 1, /has no task "great"; it has: greet/],
    ['an unknown worker', ['helo', 'greet'], 125, /no worker "helo"\n {2}Did you mean "hello"\?/],
    ['a script that is not executable', ['locked', 'x'], 125, /worker "locked" cannot be called: .*chmod \+x/],
    ['inputs that are not there', ['hello', 'greet', '-i', 'nothing.json'], 125, /cannot read inputs .*nothing\.json/],
  ])('says %s', async (_, args, code, message) => {
    const outcome = await drover('run', ...args)
    expect(outcome.stderr).toMatch(message)
    expect(outcome.code).toBe(code)
    expect(outcome.stdout).toBe('')
  })

  test('a call that takes too long', async () => {
    script('slow/main.sh', '#!/bin/sh\nsleep 300\n')
    const started = Date.now()
    expect(await json('run', 'slow', 'x', '--timeout', '1s')).toMatchObject({ state: 'failed', error: { cause: 'timeout' } })
    expect(Date.now() - started).toBeLessThan(30_000)
  })
})

describe('drover worker list and check', () => {
  test('list names kind, tasks and path', async () => {
    const rows: { readonly name: string; readonly kind: string; readonly tasks: readonly string[] | null }[] = await json('list')
    const found = Object.fromEntries(rows.map(({ name, kind, tasks }) => [name, [kind, tasks]]))
    expect(found).toMatchObject({ hello: ['typescript', ['greet']], typed: ['script', ['two']], shell_worker: ['script', null] })
    expect(found['locked']).toBeUndefined()
  })

  test('check says that it can be called, and its tasks', async () => {
    const outcome = await drover('check', 'hello')
    expect(outcome.stdout).toMatch(/ok {4}callable {2}by the shell executor\nok {4}task {6}greet\(subject, times\?\) -> value\n$/)
    expect(outcome.code).toBe(0)
  })

  test('check says what is wrong', async () => {
    script('torn/main.sh', '#!/bin/sh\nexec node "$(dirname "$0")/main.ts" "$@"\n')
    script('torn/main.ts', "throw new Error('half a worker')\n")
    const outcome = await drover('check', 'torn')
    expect(outcome.stdout).toMatch(/FAIL {2}tasks .*half a worker/s)
    expect(outcome.code).toBe(125)
  })

  test('a registry that is not there', async () => {
    expect(await drover('list', '--registry', 'nowhere')).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/nowhere is no folder/),
    })
  })
})
