import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createUvExecutor } from '../../src/workers/uv/uv-executor.ts'
import type { UvExecutorOptions } from '../../src/workers/uv/uv-options.ts'
import type { FileExecutor, WorkerCall, WorkerEnd } from '../../src/workflow/calls/worker-call.ts'

// Real Python workers through real uv, warm and cold. DROVER_TIERKREIS_ENV names an environment with uv and tierkreis 2.1.1, as
// test/engines/tierkreis-env.sh makes it; uv and pip fetch the other versions.

const environment = process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1'
const bin = join(environment, 'bin')
const uv = join(bin, 'uv')
const directory = mkdtempSync(join(tmpdir(), 'drover-tierkreis-uv-'))
const registry = join(directory, 'registry')
const none = (): { readonly signal: AbortSignal } => ({ signal: new AbortController().signal })

const TASKS = `import logging, sys
from tierkreis import Worker
logger = logging.getLogger(__name__)
worker = Worker("calc")
print("imported")
seen = []

@worker.task()
def double(x: int) -> int:
    return 2 * x

@worker.task()
def fallback(x: int, y: int = 7) -> int:
    return x + y

@worker.task()
def fail(x: int) -> int:
    logger.error("Raising an error now")
    raise ValueError(f"no {x}")

@worker.task()
def leave(x: int) -> int:
    sys.exit(x)

@worker.task()
def remember(x: int) -> int:
    seen.append(x)
    return len(seen)

if __name__ == "__main__":
    worker.app(sys.argv)
`

/** Tierkreis 2.1.1 finds no worker with a dot in its name. */
function folderOf(kind: string, version: string): string {
  return `${kind}_${version.replaceAll('.', '_')}`
}

let root = ''
let notes: string[] = []
const open: FileExecutor[] = []
function executor(options: Partial<UvExecutorOptions>): FileExecutor {
  const python = join(bin, 'python')
  const env = { UV_PYTHON_DOWNLOADS: 'never', UV_CACHE_DIR: join(directory, 'cache') }
  const made = createUvExecutor({ registries: [registry], uv, python, env, onNote: (note) => notes.push(note), ...options })
  open.push(made)
  return made
}

let count = 0
function call(worker: string, task: string, inputs: Readonly<Record<string, unknown>>, runId = 'W'): WorkerCall {
  const loc = `-.N${count++}`
  const place = `${runId}/${loc}`
  mkdirSync(join(root, place, 'outputs'), { recursive: true })
  const paths = Object.entries(inputs).map(([port, value]) => {
    const path = `${runId}/in-${loc}-${port}`
    if (value !== undefined) writeFileSync(join(root, path), JSON.stringify(value))
    return [port, path] as const
  })
  const args = {
    function_name: task,
    inputs: Object.fromEntries(paths),
    outputs: { value: `${place}/outputs/value` },
    output_dir: `${place}/outputs`,
    done_path: `${place}/_done`,
    error_path: `${place}/_error`,
    logs_path: `${runId}/logs`,
  }
  writeFileSync(join(root, place, 'definition'), JSON.stringify(args))
  return { runId, loc, worker, task, attempt: 1, root, directory: join(root, place), argsPath: `${place}/definition`, args }
}

/** All that a call left, but for times, places and addresses. */
function files(one: WorkerCall): Readonly<Record<string, string>> {
  const plain = (text: string): string =>
    text
      .replaceAll(one.loc, 'LOC')
      .replaceAll(`${one.runId}/`, 'RUN/')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+[+-]\d{4}/g, 'TIME')
  const names = readdirSync(one.directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const here = names.map((entry) => [entry.name, plain(readFileSync(join(entry.parentPath, entry.name), 'utf8'))])
  return { ...Object.fromEntries(here), logs: plain(readFileSync(join(root, one.runId, 'logs'), 'utf8')) }
}

beforeAll(() => {
  if (!existsSync(uv)) {
    throw new Error(`there is no ${uv}: run test/engines/tierkreis-env.sh, or name its directory in DROVER_TIERKREIS_ENV`)
  }
  for (const version of ['2.0.9', '2.0.12', '2.1.1']) {
    const project = join(registry, folderOf('project', version))
    mkdirSync(project, { recursive: true })
    writeFileSync(join(project, 'main.py'), TASKS)
    writeFileSync(
      join(project, 'pyproject.toml'),
      `[project]\nname = "calc"\nversion = "0.1.0"\nrequires-python = ">=3.12"\ndependencies = ["tierkreis==${version}"]\n`,
    )
    const script = join(registry, folderOf('script', version))
    mkdirSync(script, { recursive: true })
    const head = `# /// script\n# requires-python = ">=3.12"\n# dependencies = ["tierkreis==${version}"]\n# ///\n`
    writeFileSync(join(script, 'main.py'), head + TASKS)
  }
}, 300_000)
beforeEach(() => {
  root = mkdtempSync(join(directory, 'checkpoints-'))
  notes = []
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const CALLS = [
  ['double', { x: 21 }],
  ['fallback', { x: 1, y: undefined }],
  ['fail', { x: 3 }],
  ['leave', { x: 0 }],
  ['leave', { x: 3 }],
  ['remember', { x: 1 }],
  ['remember', { x: 1 }],
  ['missing', { x: 1 }],
  ['double', { x: 'no number' }],
] as const

describe.each(['2.0.9', '2.0.12', '2.1.1'])('a worker of tierkreis %s', (version) => {
  test.each(['project', 'script'])(
    'as a %s: warm and cold give the same ends and the same files',
    async (kind) => {
      const worker = folderOf(kind, version)
      const outcomes = async (warm: boolean): Promise<readonly { readonly end: WorkerEnd; readonly files: unknown }[]> => {
        const one = executor({ warm })
        expect(await one.check(worker, [])).toBeUndefined()
        const found = []
        for (const [index, [task, inputs]] of CALLS.entries()) {
          const made = call(worker, task, inputs, `${warm ? 'warm' : 'cold'}${index}`)
          found.push({ end: await one.run(made, none()), files: files(made) })
        }
        return found
      }
      const warm = await outcomes(true)
      expect(notes).toEqual([])
      expect(warm.map(({ end }) => end.outcome).slice(0, 3)).toEqual(['succeeded', 'succeeded', 'failed'])
      expect(warm[0]?.files).toMatchObject({ value: '42', _done: '' })
      expect(warm[2]?.end).toMatchObject({ message: expect.stringContaining('no 3') })
      expect(await outcomes(false)).toEqual(warm)
    },
    300_000,
  )
})

describe('workers of the released sources, unchanged', () => {
  const released = (version: string): string => {
    const into = join(directory, 'released')
    mkdirSync(into, { recursive: true })
    const made = join(into, `tierkreis-${version}`)
    if (!existsSync(made)) {
      const options = ['download', '--quiet', '--no-deps', '--no-binary', ':all:', `tierkreis==${version}`, '--dest', into]
      execFileSync(join(bin, 'pip'), options, { stdio: 'pipe' })
      execFileSync('tar', ['xzf', `${made}.tar.gz`, '-C', into])
    }
    return made
  }
  test.each([
    ['2.0.9', 'tests/errors', 'failing_worker', 'fail', {}, { outcome: 'failed', message: 'Worker failed!' }],
    ['2.0.9', 'tests/errors', 'failing_worker', 'wont_fail', {}, '0'],
    ['2.0.9', 'tests/errors', 'failing_worker', 'exit_code_1', {}, { outcome: 'failed', exitCode: 1 }],
    ['2.0.11', 'tests/workers', 'hello_world_worker', 'greet', { greeting: 'hello ', subject: 'world' }, '"hello world"'],
    ['2.0.12', 'tests/workers', 'hello_world_worker', 'greet', { greeting: 'hello ', subject: 'world' }, '"hello world"'],
    ['2.0.12', 'tests/workers', 'failing_worker', 'fail', {}, { outcome: 'failed', exitCode: 1, message: 'Worker failed!' }],
    ['2.0.12', 'tests/workers', 'sleep_worker', 'sleep_and_return', { output: [1] }, /^\[\s*1\s*\]$/],
    ['2.0.12', 'tests/workers', 'graph', 'doubler_plus_graph', {}, /"graph_inputs"/],
  ])(
    '%s: %s/%s.%s',
    async (version, folder, worker, task, inputs, expected) => {
      const one = executor({ registries: [join(released(version), folder)] })
      const made = call(worker, task, inputs)
      const end = await one.run(made, none())
      expect(notes).toEqual([])
      if (typeof expected === 'object' && !(expected instanceof RegExp)) return expect(end).toMatchObject(expected)
      expect(end).toEqual({ outcome: 'succeeded' })
      expect(readFileSync(join(made.directory, 'outputs/value'), 'utf8')).toMatch(expected)
    },
    300_000,
  )

  test('a worker made by tkr init, tkr_<name>_impl/main.py', async () => {
    const into = join(directory, 'made')
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, UV_PYTHON: join(bin, 'python'), UV_PYTHON_DOWNLOADS: 'never' }
    // It ends with an error where there is no project around; what it writes is complete by then.
    try {
      execFileSync(join(bin, 'tkr'), ['init', 'worker', '--worker-directory', into, '-n', 'my_worker'], {
        env,
        stdio: 'pipe',
        cwd: directory,
      })
    } catch {
      expect(existsSync(join(into, 'my_worker/tkr_my_worker_impl/main.py'))).toBe(true)
    }
    const made = call('my_worker', 'your_worker_task', { value: 5 })
    expect(await executor({ registries: [into] }).run(made, none())).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(join(made.directory, 'outputs/value'), 'utf8')).toBe('5')
    expect(notes).toEqual([])
  }, 300_000)
})

test('200 warm calls that do nothing; 10 cold ones; 10 of the UvExecutor of tierkreis 2.1.1', async () => {
  const worker = folderOf('project', '2.1.1')
  const timed = async (options: Partial<UvExecutorOptions>, n: number): Promise<number> => {
    const calls = Array.from({ length: n }, (_, x) => call(worker, 'double', { x }, options.warm ? 'warm' : 'cold'))
    const one = executor(options)
    const begun = performance.now()
    expect(await one.check(worker, [])).toBeUndefined()
    const queue = calls.values()
    const lanes = Array.from({ length: one.maxParallel }, async () => {
      for (const each of queue) expect(await one.run(each, none())).toEqual({ outcome: 'succeeded' })
    })
    await Promise.all(lanes)
    const ms = (performance.now() - begun) / n
    expect(calls.map((each) => readFileSync(join(each.directory, 'outputs/value'), 'utf8'))).toEqual(calls.map((_, x) => String(2 * x)))
    return ms
  }
  await timed({ warm: true }, 1)
  const warm = await timed({ warm: true }, 200)
  const cold = await timed({ warm: false }, 10)
  const theirs = Array.from({ length: 10 }, (_, x) => call(worker, 'double', { x }, 'theirs'))
  const program = `import sys, time, pathlib
from tierkreis.controller.executor.uv_executor import UvExecutor
root, *paths = map(pathlib.Path, sys.argv[1:])
uv = UvExecutor(pathlib.Path(${JSON.stringify(registry)}), root / "theirs" / "logs")
for path in paths:
    uv.run(${JSON.stringify(worker)}, path)
while not all((root / path).with_name("_done").exists() for path in paths):
    time.sleep(0.01)
`
  const begun = performance.now()
  execFileSync(join(bin, 'python'), ['-c', program, root, ...theirs.map(({ argsPath }) => argsPath)], {
    env: {
      ...process.env,
      PATH: `${bin}:${process.env['PATH']}`,
      UV_PYTHON: join(bin, 'python'),
      UV_PYTHON_DOWNLOADS: 'never',
      UV_CACHE_DIR: join(directory, 'cache'),
    },
    stdio: 'pipe',
  })
  const upstream = (performance.now() - begun) / 10
  console.log(
    `ms per call: warm ${warm.toFixed(1)}, cold ${cold.toFixed(0)}, tierkreis 2.1.1 with uv ${upstream.toFixed(0)} (${(upstream / warm).toFixed(0)}x)`,
  )
  expect(warm * 20).toBeLessThan(upstream)
}, 300_000)
