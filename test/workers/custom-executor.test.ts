import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../src/testing/waiting.ts'
import { createCommandExecutor } from '../../src/workers/custom/command-executor.ts'
import { type CustomRun, createFunctionExecutor, type FunctionExecutorOptions } from '../../src/workers/custom/function-executor.ts'
import { checkOutputs } from '../../src/workflow/calls/check-outputs.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { type Checkpoints, makeCheckpoints, UNDISTURBED } from './call-fixture.ts'

let place: Checkpoints
let executor: FileExecutor | undefined

beforeEach(() => {
  place = makeCheckpoints()
})
afterEach(async () => {
  await executor?.close()
  place[Symbol.dispose]()
})

function use(run: CustomRun, options: Partial<FunctionExecutorOptions> = {}): FileExecutor {
  executor = createFunctionExecutor({ run, graceMs: 100, ...options })
  return executor
}

const mark = (call: WorkerCall, name: string, text = ''): void => writeFileSync(join(call.directory, name), text)

describe('a function that returns at once', () => {
  test('gets the worker’s name and the path of its arguments; _done ends the call', async () => {
    const call = place.call()
    const seen: unknown[] = []
    const running = use((...given) => void seen.push(given.slice(0, 2))).run(call, UNDISTURBED)
    await delay(50)
    mark(call, '_done')
    expect(await running).toEqual({ outcome: 'succeeded' })
    expect(seen).toEqual([['tests', 'run-1/-.N1/definition']])
    expect(await checkOutputs(call)).toEqual({ missing: ['value'] })
  })

  test.each([
    {
      name: 'text at error_path, mark afterwards',
      files: [
        ['logs', 'no queue'],
        ['_error', ''],
      ],
      message: 'no queue',
    },
    { name: 'text in the mark', files: [['_error', 'no queue']], message: 'no queue' },
    { name: 'no text', files: [['_error', '']], message: 'the worker made its mark _error and no text' },
  ] as const)('_error fails it: $name', async ({ files, message }) => {
    const call = place.call()
    const running = use(() => undefined).run(call, UNDISTURBED)
    for (const [name, text] of files) mark(call, name, text)
    expect(await running).toEqual({ outcome: 'failed', cause: 'task', message })
  })

  test('marks of an earlier attempt end nothing; a mark that never comes is ended by the time limit', async () => {
    const call = place.call({ timeoutMs: 200 })
    mark(call, '_done')
    expect(await use(() => undefined).run(call, UNDISTURBED)).toMatchObject({
      cause: 'timeout',
      message: expect.stringContaining('neither mark'),
    })
  })

  test('a cancel tells the function', async () => {
    const stopping = new AbortController()
    let told = false
    const running = use((_worker, _path, { signal }) => {
      signal.addEventListener('abort', () => {
        told = true
      })
    }).run(place.call(), { signal: stopping.signal })
    stopping.abort()
    expect(await running).toEqual({ outcome: 'cancelled' })
    expect(told).toBe(true)
  })

  test('what it throws is why the call could not be started', async () => {
    const run = (): never => {
      throw new Error('no such queue')
    }
    expect(await use(run).run(place.call(), UNDISTURBED)).toMatchObject({
      cause: 'start',
      message: expect.stringContaining('no such queue'),
    })
  })

  test('a later controller waits for the mark of what was handed on, and starts nothing', async () => {
    const call = place.call()
    let starts = 0
    const first = use(() => void starts++).run(call, UNDISTURBED)
    const settled = first.catch((error: Error) => error.message)
    await until('it is handed on', 5000, () => existsSync(join(call.directory, 'handed-on')))
    await executor?.close()
    expect(await settled).toContain('no longer awaited')
    const later = use(() => void starts++)
    const attached = later.attach(call, UNDISTURBED)
    mark(call, '_done')
    expect(await attached).toEqual({ outcome: 'succeeded' })
    expect(await later.attach(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(await later.attach(place.call({ loc: '-.N2' }), UNDISTURBED)).toBeUndefined()
    expect(starts).toBe(1)
  })

  test('3,000 in flight cost next to nothing', async () => {
    const stopping = new AbortController()
    const idle = use(() => undefined, { maxParallel: 3000 })
    const running = Array.from({ length: 3000 }, (_, index) => idle.run(place.call({ loc: `-.N0.M${index}` }), { signal: stopping.signal }))
    await delay(500)
    const before = process.cpuUsage()
    await delay(3000)
    const { user, system } = process.cpuUsage(before)
    console.log(`${((user + system) / 30_000).toFixed(2)} % of a core with 3,000 calls waiting for marks`)
    stopping.abort()
    await Promise.all(running)
    expect((user + system) / 3e6).toBeLessThan(0.05)
  })
})

describe('a function that returns a promise', () => {
  test('its end is the call’s', async () => {
    const call = place.call()
    const run = async (): Promise<void> => {
      await delay(20)
      writeFileSync(join(call.directory, 'outputs/value'), '5')
    }
    expect(await use(run).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  })

  test('a rejection is its failure; a promise that ignores its signal is not waited for', async () => {
    const failing = use(() => Promise.reject(new Error('quota')))
    expect(await failing.run(place.call(), UNDISTURBED)).toEqual({ outcome: 'failed', cause: 'task', message: 'quota' })
    const deaf = use(() => new Promise(() => undefined))
    expect(await deaf.run(place.call({ timeoutMs: 50 }), UNDISTURBED)).toMatchObject({ cause: 'timeout' })
    expect(await deaf.attach(place.call(), UNDISTURBED)).toBeUndefined()
  })

  test('that only says the call was handed on, where the marks are to tell its end', async () => {
    const call = place.call()
    const running = use(async () => undefined, { end: 'marks' }).run(call, UNDISTURBED)
    await delay(50)
    mark(call, '_error', 'later')
    expect(await running).toMatchObject({ cause: 'task', message: 'later' })
  })
})

describe('a command', () => {
  function script(text: string): string {
    const path = join(place.root, "my 'runner'")
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, 0o755)
    return path
  }

  test.each([
    {
      name: 'placeholders',
      words: ['--of={worker}.{task}', '{args}', '{root}'],
      paths: 'relative',
      got: (root: string) => `--of=tests.work|run-1/-.N1/definition|${root}|`,
    },
    { name: 'the path last', words: ['x'], paths: 'relative', got: () => 'x|run-1/-.N1/definition|' },
    { name: 'absolute', words: [], paths: 'absolute', got: (root: string) => `${root}/run-1/-.N1/definition-absolute|` },
  ] as const)('$name', async ({ words, paths, got }) => {
    const call = place.call()
    executor = createCommandExecutor({ command: [script('printf "%s|" "$@" >run-1/-.N1/outputs/value'), ...words], paths })
    expect(await executor.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(join(call.directory, 'outputs/value'), 'utf8')).toBe(got(place.root))
  })

  test('fails with its code and words', async () => {
    executor = createCommandExecutor({ command: [script('echo refused >&2; exit 7')] })
    expect(await executor.run(place.call(), UNDISTURBED)).toMatchObject({ cause: 'exit', exitCode: 7, message: 'refused' })
  })

  test('a placeholder that stands for nothing is refused', () => {
    expect(() => createCommandExecutor({ command: ['run', '{arg}'] })).toThrow(/holds \{arg\}/)
    expect(() => createCommandExecutor({ command: [] })).toThrow(/no program/)
  })

  test.each([
    [['no-such-runner-9'], undefined, 'the custom executor\'s program "no-such-runner-9" is not on PATH: install it, or write its path.'],
    [['/nowhere/runner'], undefined, "the custom executor's program /nowhere/runner is no executable file."],
    [['./runner'], '/nowhere', "the custom executor's program /nowhere/runner is no executable file."],
    [['./runner'], undefined, undefined],
    [['{root}/runner'], undefined, undefined],
    [['sh', '-c', 'true'], undefined, undefined],
  ])('a program that is missing is told before the run: %j', async (command, cwd, told) => {
    executor = createCommandExecutor({ command, ...(cwd === undefined ? {} : { cwd }) })
    expect(await executor.check('lab', [])).toBe(told)
  })
})
