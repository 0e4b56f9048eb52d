import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { textOf, until } from '../../src/testing/waiting.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { UNDISTURBED } from './call-fixture.ts'
import { lives } from './process-place.ts'
import { findPython, PythonWorkerRig } from './python-worker-rig.ts'

const found = findPython()
if ('why' in found) console.log(`skipped: warm Python workers: ${found.why}`)

let rig: PythonWorkerRig
beforeEach(() => {
  rig = new PythonWorkerRig(found)
})
afterEach(() => rig.close())

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

async function succeeds(uv: FileExecutor, call: WorkerCall): Promise<unknown> {
  expect(await uv.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  return rig.value(call)
}

describe.skipIf('why' in found)('a warm Python worker', () => {
  test('is imported once for all its calls, and ends when idle, and is started again', async () => {
    rig.worker('calc', PARENT)
    const uv = rig.executor({ idleMs: 300 })
    const parents = await Promise.all([1, 2, 3].map(() => succeeds(uv, rig.call('calc', 'parent'))))
    expect(new Set(parents).size).toBe(1)
    await until('the idle host ends', 20_000, () => !lives(Number(parents[0])))
    expect(await succeeds(uv, rig.call('calc', 'parent'))).not.toBe(parents[0])
    expect(rig.notes).toEqual([])
  })

  test('ends with its executor', async () => {
    rig.worker('calc', PARENT)
    const uv = rig.executor()
    const host = Number(await succeeds(uv, rig.call('calc', 'parent')))
    expect(lives(host)).toBe(true)
    await uv.close()
    await until('the host ends', 20_000, () => !lives(host))
  })

  test.each([
    ['its main() calls app', 'def main():\n    worker.app(argv)\nif __name__ == "__main__":\n    main()\n'],
    ['it catches what app throws', 'import sys\ntry:\n    worker.app(sys.argv)\nexcept RuntimeError:\n    sys.exit(4)\nprint("after")\n'],
    ['it hands app a copy', 'worker.app(list(argv))\n'],
  ])('%s', async (_what, end) => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef fail(): raise ValueError('no')\n`, end)
    const uv = rig.executor()
    expect(await succeeds(uv, rig.call('calc', 'double', { x: 4 }))).toBe(8)
    const cold = rig.executor({ warm: false })
    const [a, b] = [rig.call('calc', 'fail'), rig.call('calc', 'fail')]
    expect(await uv.run(a, UNDISTURBED)).toEqual(await cold.run(b, UNDISTURBED))
    const errors = (call: WorkerCall): string => readFileSync(join(call.directory, 'errors'), 'utf8')
    expect(errors(a)).toBe(errors(b))
    expect(rig.notes).toEqual([])
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
    const uv = rig.executor()
    for (const x of [1, 2]) expect(await succeeds(uv, rig.call('calc', 'double', { x }))).toBe(2 * x)
    expect(rig.notes).toEqual([expect.stringMatching(why)])
    expect(rig.notes[0]).toContain('"calc" is not kept warm')
  })

  test('random numbers differ from call to call', async () => {
    rig.worker('calc', 'import random\n@worker.task()\ndef draw(): return random.random()\n')
    const uv = rig.executor()
    const drawn = await Promise.all([1, 2, 3].map(() => succeeds(uv, rig.call('calc', 'draw'))))
    expect(new Set(drawn).size).toBe(3)
    expect(rig.notes).toEqual([])
  })

  test('that is none of Tierkreis has a process for each call', async () => {
    const script =
      'import json, os, sys\ncall = json.load(open(os.environ["TKR_DIR"] + "/" + sys.argv[1])) if len(sys.argv) > 1 and os.path.exists(os.environ["TKR_DIR"] + "/" + sys.argv[1]) else None\nif call: json.dump(5, open(os.environ["TKR_DIR"] + "/" + call["outputs"]["value"], "w"))\n'
    rig.write('registry/own/main.py', script)
    expect(await succeeds(rig.executor(), rig.call('own', 'any'))).toBe(5)
    expect(rig.notes).toEqual([expect.stringMatching(/does not call Worker.app/)])
  })

  test('whose import fails fails each call with its own words', async () => {
    rig.worker('calc', 'import no_such_module\n')
    const uv = rig.executor()
    const end = await uv.run(rig.call('calc', 'double'), UNDISTURBED)
    expect(end).toMatchObject({ outcome: 'failed', cause: 'exit', exitCode: 1 })
    expect('message' in end ? end.message : '').toMatch(/ModuleNotFoundError: No module named 'no_such_module'/)
    expect(rig.notes).toEqual([expect.stringMatching(/no_such_module/)])
  })

  test('whose import never ends: calls can be cancelled and have their limit, and nothing stays', async () => {
    const mark = join(rig.directory, 'importing')
    rig.worker('calc', `import os, time\nopen(${JSON.stringify(mark)}, 'w').write(str(os.getpid()))\ntime.sleep(1000)\n`)
    const uv = rig.executor()
    const stop = new AbortController()
    const cancelled = uv.run(rig.call('calc', 'double'), { signal: stop.signal })
    const limited = uv.run(rig.call('calc', 'double', {}, { timeoutMs: 500 }), UNDISTURBED)
    await until('the import begins', 20_000, () => textOf(mark))
    expect(await limited).toMatchObject({ outcome: 'failed', cause: 'timeout' })
    stop.abort()
    expect(await cancelled).toEqual({ outcome: 'cancelled' })
    await until('the host is ended', 20_000, () => !lives(Number(readFileSync(mark, 'utf8'))))
  })

  test('whose host is killed: what ran goes on and is not run again; the next call has another host', async () => {
    rig.worker('calc', PARENT)
    const uv = rig.executor()
    const mark = join(rig.directory, 'mark')
    const running = rig.call('calc', 'waits', { mark, s: 1.5 })
    const end = uv.run(running, UNDISTURBED)
    await until('it begins', 20_000, () => textOf(mark))
    const host = Number(readFileSync(mark, 'utf8'))
    process.kill(host, 'SIGKILL')
    expect(await end).toEqual({ outcome: 'succeeded' })
    expect(rig.value(running)).toBe('ended')
    const begins = readFileSync(join(rig.root, 'W/.drover-calls/journal'), 'utf8').match(/^b /gm)
    expect(begins).toHaveLength(1)
    expect(await succeeds(uv, rig.call('calc', 'parent'))).not.toBe(host)
    expect(rig.notes).toEqual([expect.stringMatching(/SIGKILL; it is started again/)])
  })

  test('whose host and call are killed together: the call is lost, and says so', async () => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef both(mark):\n    os.kill(os.getppid(), 9)\n    os.kill(os.getpid(), 9)\n`)
    expect(await rig.executor().run(rig.call('calc', 'both', { mark: 'x' }), UNDISTURBED)).toMatchObject({
      outcome: 'failed',
      cause: 'lost',
    })
  })

  test('each checkpoints directory has a host of its own', async () => {
    rig.worker('calc', `${PARENT}\n@worker.task()\ndef where(): return worker.root\n`)
    const uv = rig.executor()
    const here = rig.call('calc', 'where')
    expect(await succeeds(uv, here)).toBe(rig.root)
    const other = new PythonWorkerRig(found)
    try {
      const there = other.call('calc', 'where')
      expect(await uv.run(there, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
      expect(other.value(there)).toBe(other.root)
    } finally {
      await other.close()
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
    await until('the call begins', 20_000, () => textOf(mark))
    controller.kill('SIGKILL')
    const host = Number(readFileSync(mark, 'utf8'))
    const uv = rig.executor()
    expect(await uv.attach(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(rig.value(call)).toBe('ended')
    await until('the host ends', 20_000, () => !lives(host))
  })

  test('of which a call was left by a killed controller can be cancelled by the next', async () => {
    rig.worker('calc', PARENT)
    const mark = join(rig.directory, 'mark')
    const call = rig.call('calc', 'waits', { mark, s: 1000 })
    const first = rig.executor()
    const lost = expect(first.run(call, UNDISTURBED)).rejects.toThrow()
    await until('the call begins', 20_000, () => textOf(mark))
    await first.close()
    await lost
    const stop = new AbortController()
    const attached = rig.executor().attach(call, { signal: stop.signal })
    setTimeout(() => stop.abort(), 200)
    expect(await attached).toEqual({ outcome: 'cancelled' })
    await until('the host ends', 20_000, () => !lives(Number(readFileSync(mark, 'utf8'))))
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
    const said = await rig.executor().check(name, [])
    if (says === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(says)
  })

  test('uv is not installed; a registry is not there', async () => {
    rig.worker('calc', PARENT)
    expect(await rig.executor({ uv: join(rig.directory, 'nothing') }).check('calc', [])).toMatch(/uv is not installed.*Install it/)
    expect(await rig.executor({ registries: [join(rig.directory, 'nowhere')] }).check('calc', [])).toMatch(/nowhere: it is not there/)
  })

  test('the newer layouts', async () => {
    rig.worker('tkr', PARENT)
    for (const [name, inner] of [
      ['my-worker', 'tkr_my_worker_impl'],
      ['old', 'src'],
    ]) {
      rig.worker(`${name}/${inner}`, PARENT)
      expect(await succeeds(rig.executor(), rig.call(name!, 'double', { x: 2 }))).toBe(4)
    }
  })

  test('offline and a Python are passed on', async () => {
    rig.worker('calc', PARENT)
    expect(await rig.executor({ offline: true, python: '3.12' }).check('calc', [])).toMatch(/cannot prepare|^$/)
    expect(rig.uvLog[0]).toMatch(/^run --python 3.12 --offline python -c /)
  })
})
