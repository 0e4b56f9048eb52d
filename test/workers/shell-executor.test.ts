import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ScriptExecutorOptions } from '../../src/workers/shell/script-executor.ts'
import { createShellExecutor } from '../../src/workers/shell/shell-executor.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { type Checkpoints, makeCheckpoints, UNDISTURBED } from './call-fixture.ts'

let place: Checkpoints
let registry: string
let executor: FileExecutor

beforeEach(() => {
  place = makeCheckpoints("drover-shell $(x) 'q' ")
  registry = join(place.root, 'registry')
  open()
})
afterEach(async () => {
  await executor.close()
  place[Symbol.dispose]()
})

function open(options: ScriptExecutorOptions = {}): void {
  executor = createShellExecutor({ registries: [registry], ...options })
}

function script(path: string, text: string, mode = 0o755): string {
  const absolute = join(registry, path)
  mkdirSync(dirname(absolute), { recursive: true })
  writeFileSync(absolute, `#!/bin/sh\n${text}\n`)
  chmodSync(absolute, mode)
  return absolute
}

function output(call: WorkerCall, port: string): string {
  return readFileSync(join(call.directory, 'outputs', port), 'utf8')
}

test('openssl as a worker: a key pair from a number of bits and a passphrase', async () => {
  script(
    'openssl_worker/main.sh',
    `openssl genrsa -aes128 -passout "file:$input_passphrase_file" -out "$output_private_key_file" "$(cat "$input_numbits_file")" &&
openssl rsa -in "$output_private_key_file" -passin "file:$input_passphrase_file" -pubout -out "$output_public_key_file"`,
  )
  const call = place.call({
    worker: 'openssl_worker',
    task: 'genrsa',
    inputs: { numbits: '1024', passphrase: 'dummypassphrase' },
    outputs: ['private_key', 'public_key'],
  })
  expect(
    await executor.check('openssl_worker', [{ task: 'genrsa', inputs: ['numbits', 'passphrase'], outputs: ['private_key'] }]),
  ).toBeUndefined()
  expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  expect(output(call, 'private_key')).toContain('ENCRYPTED PRIVATE KEY')
  expect(output(call, 'public_key')).toContain('BEGIN PUBLIC KEY')
  expect(readFileSync(join(call.directory, '_done'), 'utf8')).toBe('')
})

test('every variable has its value, all paths absolute', async () => {
  const names =
    'checkpoints_directory function_name done_path error_path output_dir logs_path worker_call_args_file TKR_DIR input_a_file input_a_value output_b_file input_odd_name_file'
  script(
    'vars',
    `for name in ${names}; do eval "printf '%s=%s\\n' $name \\"\\$$name\\""; done >"$output_b_file"; env | grep -c _value= >>"$output_b_file"`,
  )
  const large = 'x'.repeat(9000)
  const inputs = { a: `it's "5" $(x)`, 'odd-name': '1', large, binary: Uint8Array.of(0xff, 0xfe), nul: 'a\0b' }
  const call = place.call({ worker: 'vars', task: 'show', inputs, outputs: ['b', '*'] })
  expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  const at = (path: string): string => join(place.root, 'run-1', path)
  expect(output(call, 'b').split('\n')).toEqual([
    `checkpoints_directory=${place.root}`,
    'function_name=show',
    `done_path=${at('-.N1/_done')}`,
    `error_path=${at('-.N1/logs')}`,
    `output_dir=${at('-.N1/outputs')}`,
    `logs_path=${at('logs')}`,
    `worker_call_args_file=${at('-.N1/definition')}`,
    `TKR_DIR=${place.root}`,
    `input_a_file=${at('-.N1000/outputs/a')}`,
    `input_a_value=it's "5" $(x)`,
    `output_b_file=${at('-.N1/outputs/b')}`,
    `input_odd_name_file=${at('-.N1001/outputs/odd-name')}`,
    '2',
    '',
  ])
})

describe('arguments', () => {
  const copy = (where: string): string => `test $# = 1 || exit 9
out=$(sed -n 's/.*"value":"\\([^"]*\\)".*/\\1/p' ${where}"$1")
in=$(sed -n 's/.*"a":"\\([^"]*\\)".*/\\1/p' ${where}"$1")
cat ${where}"$in" >${where}"$out"`

  test('a worker that puts the checkpoints directory before every path: they are relative', async () => {
    script('cpp', copy('"$TKR_DIR/"'))
    const call = place.call({ worker: 'cpp', inputs: { a: 'moved' } })
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(output(call, 'value')).toBe('moved')
  })

  test('a worker that takes paths as they are', async () => {
    script('plain', copy(''))
    const call = place.call({ worker: 'plain', inputs: { a: 'moved' } })
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(output(call, 'value')).toBe('moved')
  })

  test('absolute on request, in a worker that goes elsewhere first', async () => {
    await executor.close()
    open({ paths: 'absolute' })
    script('absolute', `cd / && ${copy('')}`)
    const call = place.call({ worker: 'absolute', inputs: { a: 'moved' } })
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(output(call, 'value')).toBe('moved')
  })
})

describe('marks and messages', () => {
  test('a failure leaves _error and its message', async () => {
    script('bad', 'echo "no licence" >&2; exit 2')
    const call = place.call({ worker: 'bad' })
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'failed', cause: 'exit', exitCode: 2, message: 'no licence' })
    expect(existsSync(join(call.directory, '_error'))).toBe(true)
    expect(existsSync(join(call.directory, '_done'))).toBe(false)
  })

  test('exit 0 without its outputs is never marked done', async () => {
    script('lazy', 'exit 0')
    const call = place.call({ worker: 'lazy' })
    writeFileSync(join(call.directory, 'outputs', 'value'), 'of an earlier try')
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(existsSync(join(call.directory, '_done'))).toBe(false)
    expect(existsSync(join(call.directory, 'outputs', 'value'))).toBe(false)
  })

  test('a program that is gone by then', async () => {
    expect(await executor.run(place.call({ worker: 'nowhere' }), UNDISTURBED)).toMatchObject({ outcome: 'failed', cause: 'start' })
  })

  test('a script whose interpreter is not there', async () => {
    writeFileSync(script('odd', ''), '#!/nowhere/lua\n')
    expect(await executor.run(place.call({ worker: 'odd' }), UNDISTURBED)).toMatchObject({
      cause: 'exit',
      message: expect.stringContaining('odd'),
    })
  })
})

describe('check', () => {
  test.each<{ readonly name: string; readonly worker: string; readonly make?: () => void; readonly says: RegExp | undefined }>([
    { name: 'a file', worker: 'one', make: () => script('one', ''), says: undefined },
    { name: 'a folder with main.sh', worker: 'two', make: () => script('two/main.sh', ''), says: undefined },
    { name: 'a newer layout', worker: 'my-three', make: () => script('my-three/tkr_my_three_impl/main.sh', ''), says: undefined },
    { name: 'below src', worker: 'four', make: () => script('four/src/main.sh', ''), says: undefined },
    { name: 'on PATH', worker: 'on_path', make: () => script('bin/tkr-on-path', ''), says: undefined },
    { name: 'not executable', worker: 'five', make: () => script('five', '', 0o644), says: /not executable: run: chmod \+x/ },
    {
      name: 'Python',
      worker: 'six',
      make: () => script('six/main.py', ''),
      says: /is Python \(.*six\/main\.py\): assign it to a uv executor/,
    },
    { name: 'mistyped', worker: 'opnessl', make: () => script('openssl', ''), says: /no tkr-opnessl on PATH\. Did you mean "openssl"\?/ },
    { name: 'out of the registry', worker: '../x', says: /"\.\.\/x" is no name of a worker/ },
  ])('$name', async ({ worker, make, says }) => {
    make?.()
    await executor.close()
    open({ searchPath: join(registry, 'bin') })
    const said = await executor.check(worker, [])
    if (says === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(says)
  })

  test('tkr-<worker> is taken before a program of the bare name', async () => {
    script('bin/sort', 'printf bare >"$output_value_file"')
    script('bin/tkr-sort', 'printf worker >"$output_value_file"')
    await executor.close()
    open({ registries: [], searchPath: join(registry, 'bin') })
    const call = place.call({ worker: 'sort' })
    await executor.run(call, UNDISTURBED)
    expect(output(call, 'value')).toBe('worker')
  })

  test('two ports with one variable', async () => {
    script('one', '')
    const said = await executor.check('one', [{ task: 'run', inputs: ['a-b', 'a.b'], outputs: ['x'] }])
    expect(said).toBe('one.run: the ports "a-b" and "a.b" would both be the variable input_a_b_file: rename one.')
  })
})
