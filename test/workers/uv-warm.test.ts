import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createUvExecutor } from '../../src/workers/uv/uv-executor.ts'
import type { UvExecutorOptions } from '../../src/workers/uv/uv-options.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { findPython, PythonWorkerRig } from './python-worker-rig.ts'

const found = findPython()
if ('why' in found) console.log(`skipped: warm Python workers: ${found.why}`)
const io = (): { readonly signal: AbortSignal } => ({ signal: new AbortController().signal })

let rig: PythonWorkerRig
let notes: string[]
const open: FileExecutor[] = []
function executor(more: Partial<UvExecutorOptions> = {}): FileExecutor {
  const made = createUvExecutor({ registries: [rig.registry], uv: rig.uv, onNote: (note) => notes.push(note), ...more })
  open.push(made)
  return made
}
beforeEach(() => {
  rig = new PythonWorkerRig('python' in found ? found.python : '')
  notes = []
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  rig.remove()
})

const PARENT = `
import os, time
@worker.task()
def double(x): return x * 2
@worker.task()
def parent(): return os.getppid()
@worker.task()
def waits(mark, s):
    with open(mark, 'w') as file: file.write(str(os.getppid()))
    time.sleep(s)
    return 'ended'
`

function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
async function until(met: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!met()) {
    if (Date.now() > deadline) throw new Error(`waited 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const written = (path: string): boolean => existsSync(path) && statSync(path).size > 0
async function succeeds(uv: FileExecutor, call: WorkerCall): Promise<unknown> {
  expect(await uv.run(call, io())).toEqual({ outcome: 'succeeded' })
  return rig.value(call)
}

describe.skipIf('why' in found)('a warm Python worker', () => {
  test('is imported once for all its calls, and ends when idle, and is started again', async () => {
    rig.worker('calc', PARENT)
    const uv = executor({ idleMs: 300 })
    const parents = await Promise.all([1, 2, 3].map(() => succeeds(uv, rig.call('calc', 'parent'))))
    expect(new Set(parents).size).toBe(1)
    await until(() => !lives(Number(parents[0])), 'the idle host ends')
    expect(await succeeds(uv, rig.call('calc', 'parent'))).not.toBe(parents[0])
    expect(notes).toEqual([])
  })

  test('ends with its executor', async () => {
    rig.worker('calc', PARENT)
    const uv = executor()
    const host = Number(await succeeds(uv, rig.call('calc', 'parent')))
    expect(lives(host)).toBe(true)
    await uv.close()
    await until(() => !lives(host), 'the host ends')
  })

  test.each([
    ['its main() calls app', 'def main():\n    worker.app(argv)\nif __name__ == "__main__":\n    main()\n'],
    ['it catches what app throws', 'import sys\ntry:\n    worker.app(sys.argv)\nexcept RuntimeError:\n    sys.exit(4)\nprint("after")\n'],
    ['it hands app a copy', 'worker.app(list(argv))\n'],
  ])('%s', async (_what, end) => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef fail(): raise ValueError('no')\n`, end)
    const uv = executor()
    expect(await succeeds(uv, rig.call('calc', 'double', { x: 4 }))).toBe(8)
    const cold = executor({ warm: false })
    const [a, b] = [rig.call('calc', 'fail'), rig.call('calc', 'fail')]
    expect(await uv.run(a, io())).toEqual(await cold.run(b, io()))
    const errors = (call: WorkerCall): string => readFileSync(join(call.directory, 'errors'), 'utf8')
    expect(errors(a)).toBe(errors(b))
    expect(notes).toEqual([])
  })

  test.each([
    [
      'starts a thread',
      'import threading, time\nthreading.Thread(target=time.sleep, args=(3,), daemon=True, name="mine").start()\n',
      /threads.*mine/,
    ],
    ['seeds its random numbers', 'import random\nrandom.seed(1)\n', /random numbers/],
    ['makes a random generator', 'import random\nrng = random.Random()\n', /random number generator/],
    ['makes a temporary directory', 'import tempfile\nkept = tempfile.TemporaryDirectory()\n', /temporary directory/],
    ['prints much', 'print("x" * 2_000_000)\n', /1 MiB/],
  ])('that %s on import has a process for each call, and one note says why', async (_what, lines, why) => {
    rig.worker('calc', lines + PARENT)
    const uv = executor()
    for (const x of [1, 2]) expect(await succeeds(uv, rig.call('calc', 'double', { x }))).toBe(2 * x)
    expect(notes).toEqual([expect.stringMatching(why)])
    expect(notes[0]).toContain('"calc" is not kept warm')
  })

  test('random numbers differ from call to call', async () => {
    rig.worker('calc', 'import random\n@worker.task()\ndef draw(): return random.random()\n')
    const uv = executor()
    const drawn = await Promise.all([1, 2, 3].map(() => succeeds(uv, rig.call('calc', 'draw'))))
    expect(new Set(drawn).size).toBe(3)
    expect(notes).toEqual([])
  })

  test('that is none of Tierkreis has a process for each call', async () => {
    const script =
      'import json, os, sys\ncall = json.load(open(os.environ["TKR_DIR"] + "/" + sys.argv[1])) if len(sys.argv) > 1 and os.path.exists(os.environ["TKR_DIR"] + "/" + sys.argv[1]) else None\nif call: json.dump(5, open(os.environ["TKR_DIR"] + "/" + call["outputs"]["value"], "w"))\n'
    rig.write('registry/own/main.py', script)
    expect(await succeeds(executor(), rig.call('own', 'any'))).toBe(5)
    expect(notes).toEqual([expect.stringMatching(/does not call Worker.app/)])
  })

  test('whose import fails fails each call with its own words', async () => {
    rig.worker('calc', 'import no_such_module\n')
    const uv = executor()
    const end = await uv.run(rig.call('calc', 'double'), io())
    expect(end).toMatchObject({ outcome: 'failed', cause: 'exit', exitCode: 1 })
    expect('message' in end ? end.message : '').toMatch(/ModuleNotFoundError: No module named 'no_such_module'/)
    expect(notes).toEqual([expect.stringMatching(/no_such_module/)])
  })

  test('whose import never ends: calls can be cancelled and have their limit, and nothing stays', async () => {
    const mark = join(rig.directory, 'importing')
    rig.worker('calc', `import os, time\nopen(${JSON.stringify(mark)}, 'w').write(str(os.getpid()))\ntime.sleep(1000)\n`)
    const uv = executor()
    const stop = new AbortController()
    const cancelled = uv.run(rig.call('calc', 'double'), { signal: stop.signal })
    const limited = uv.run(rig.call('calc', 'double', {}, { timeoutMs: 500 }), io())
    await until(() => written(mark), 'the import begins')
    expect(await limited).toMatchObject({ outcome: 'failed', cause: 'timeout' })
    stop.abort()
    expect(await cancelled).toEqual({ outcome: 'cancelled' })
    await until(() => !lives(Number(readFileSync(mark, 'utf8'))), 'the host is ended')
  })

  test('whose host is killed: what ran goes on and is not run again; the next call has another host', async () => {
    rig.worker('calc', PARENT)
    const uv = executor()
    const mark = join(rig.directory, 'mark')
    const running = rig.call('calc', 'waits', { mark, s: 1.5 })
    const end = uv.run(running, io())
    await until(() => written(mark), 'it begins')
    const host = Number(readFileSync(mark, 'utf8'))
    process.kill(host, 'SIGKILL')
    expect(await end).toEqual({ outcome: 'succeeded' })
    expect(rig.value(running)).toBe('ended')
    const begins = readFileSync(join(rig.root, 'W/.drover-calls/journal'), 'utf8').match(/^b /gm)
    expect(begins).toHaveLength(1)
    expect(await succeeds(uv, rig.call('calc', 'parent'))).not.toBe(host)
    expect(notes).toEqual([expect.stringMatching(/SIGKILL; it is started again/)])
  })

  test('whose host and call are killed together: the call is lost, and says so', async () => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef both(mark):\n    os.kill(os.getppid(), 9)\n    os.kill(os.getpid(), 9)\n`)
    expect(await executor().run(rig.call('calc', 'both', { mark: 'x' }), io())).toMatchObject({ outcome: 'failed', cause: 'lost' })
  })

  test('each checkpoints directory has a host of its own', async () => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef where(): return worker.root\n`)
    const uv = executor()
    const here = rig.call('calc', 'where')
    expect(await succeeds(uv, here)).toBe(rig.root)
    const other = new PythonWorkerRig('python' in found ? found.python : '')
    try {
      const there = other.call('calc', 'where')
      expect(await uv.run(there, io())).toEqual({ outcome: 'succeeded' })
      expect(other.value(there)).toBe(other.root)
    } finally {
      other.remove()
    }
  })

  test('whose controller is killed: its calls end, leave proof, and are attached to; the host ends after them', async () => {
    rig.worker('calc', PARENT)
    const mark = join(rig.directory, 'mark')
    const call = rig.call('calc', 'waits', { mark, s: 2 })
    const source = fileURLToPath(new URL('../../src/workers/uv/uv-executor.ts', import.meta.url))
    const program = `import { createUvExecutor } from ${JSON.stringify(source)}
      const uv = createUvExecutor(${JSON.stringify({ registries: [rig.registry], uv: rig.uv })})
      await uv.run(${JSON.stringify(call)}, { signal: new AbortController().signal })`
    const controller = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })
    await until(() => written(mark), 'the call begins')
    controller.kill('SIGKILL')
    const host = Number(readFileSync(mark, 'utf8'))
    const uv = executor()
    expect(await uv.attach(call, io())).toEqual({ outcome: 'succeeded' })
    expect(rig.value(call)).toBe('ended')
    await until(() => !lives(host), 'the host ends')
  })

  test('of which a call was left by a killed controller can be cancelled by the next', async () => {
    rig.worker('calc', PARENT)
    const mark = join(rig.directory, 'mark')
    const call = rig.call('calc', 'waits', { mark, s: 1000 })
    const first = executor()
    const lost = expect(first.run(call, io())).rejects.toThrow()
    await until(() => written(mark), 'the call begins')
    await first.close()
    await lost
    const stop = new AbortController()
    const attached = executor().attach(call, { signal: stop.signal })
    setTimeout(() => stop.abort(), 200)
    expect(await attached).toEqual({ outcome: 'cancelled' })
    await until(() => !lives(Number(readFileSync(mark, 'utf8'))), 'the host ends')
  })
})

describe.skipIf('why' in found)('the check before a run', () => {
  test.each([
    ['a worker that is there', 'calc', undefined],
    ['a name nearly right', 'calk', /"calk" is not in .* \(did you mean "calc"\?\)/],
    ['a folder without main.py', 'empty', /has no main.py/],
    ['a script', 'script', /assign it to the shell executor/],
    ['what uv cannot resolve', 'unresolved', /uv cannot prepare worker "unresolved".*: error: No solution found/],
    ['a name that leaves the registry', '../calc', /no name of a folder/],
  ])('%s', async (_what, name, says) => {
    rig.worker('calc', PARENT)
    rig.write('registry/empty/README', '')
    rig.write('registry/script/main.sh', '')
    rig.worker('unresolved', PARENT)
    rig.write('registry/unresolved/no-such-package', '')
    const said = await executor().check(name, [])
    if (says === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(says)
  })

  test('uv is not installed; a registry is not there', async () => {
    rig.worker('calc', PARENT)
    expect(await executor({ uv: join(rig.directory, 'nothing') }).check('calc', [])).toMatch(/uv is not installed.*Install it/)
    expect(await executor({ registries: [join(rig.directory, 'nowhere')] }).check('calc', [])).toMatch(/nowhere: it is not there/)
  })

  test('the newer layouts', async () => {
    rig.worker('tkr', PARENT)
    for (const [name, inner] of [
      ['my-worker', 'tkr_my_worker_impl'],
      ['old', 'src'],
    ]) {
      rig.worker(`${name}/${inner}`, PARENT)
      expect(await succeeds(executor(), rig.call(name!, 'double', { x: 2 }))).toBe(4)
    }
  })

  test('offline and a Python are passed on', async () => {
    rig.worker('calc', PARENT)
    expect(await executor({ offline: true, python: '3.12' }).check('calc', [])).toMatch(/cannot prepare|^$/)
    expect(rig.uvLog[0]).toMatch(/^run --python 3.12 --offline python -c /)
  })
})
