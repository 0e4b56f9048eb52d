import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { textOf, until } from '../../src/testing/waiting.ts'
import { UNDISTURBED } from './call-fixture.ts'
import { lives } from './process-place.ts'
import { findPython, PythonWorkerRig } from './python-worker-rig.ts'

const found = findPython()
if ('why' in found) console.log(`skipped: Python workers: ${found.why}`)

let rig: PythonWorkerRig
beforeEach(() => {
  rig = new PythonWorkerRig(found)
})
afterEach(() => rig.close())

const TASKS = `
import os, sys, time, signal, json, subprocess, threading, atexit
count = 0
print('imported', flush=False)
print('warned', file=sys.stderr)
@worker.task()
def double(x): return x * 2
@worker.task()
def fail(): raise ValueError('no such thing')
@worker.task()
def change():
    global count
    count += 1
    return count
@worker.task()
def leave(code): sys.exit(code)
@worker.task()
def die(number): os.kill(os.getpid(), number)
@worker.task()
def abort(): os.abort()
@worker.task()
def hard(code): os._exit(code)
@worker.task()
def about():
    return [sys.argv, os.getcwd(), os.environ['TKR_DIR'], os.environ['VIRTUAL_ENVIRONMENT'], os.environ.get('UV'), os.environ.get('VIRTUAL_ENV'),
            __name__, __file__, sys.path[0], os.getsid(0) == os.getpgid(0), sys.stdin.read(), os.environ.get('EXTRA'),
            sorted(os.listdir('/proc/self/fd'))[:3] if os.path.isdir('/proc') else None]
@worker.task()
def at_exit():
    atexit.register(lambda: print('bye'))
    threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()
    global kept
    kept = open(os.environ['TKR_DIR'] + '/kept', 'w')
    kept.write('buffered')
    return 1
@worker.task()
def loud(n):
    for _ in range(n): sys.stdout.write('x' * 1048576)
    return n
@worker.task()
def forever(mark):
    child = subprocess.Popen(['sleep', '1000'])
    with open(mark, 'w') as file: file.write('%d %d' % (os.getpid(), child.pid))
    while True: time.sleep(1)
@worker.task()
def leftover(mark):
    child = subprocess.Popen(['sleep', '1000'])
    with open(mark, 'w') as file: file.write('%d' % child.pid)
    return 1
@worker.task()
def waits(mark, s):
    with open(mark, 'w') as file: file.write(str(os.getppid()))
    time.sleep(s)
    return os.getpid()
`

describe.skipIf('why' in found).each([
  ['warm', true],
  ['cold', false],
] as const)('a Python worker, %s', (_name, warm) => {
  const workers = { warm }
  beforeEach(() => rig.worker('calc', TASKS))

  test('computes; import output and stderr are where one process per call has them', async () => {
    const uv = rig.executor(workers)
    const call = rig.call('calc', 'double', { x: 21 })
    expect(await uv.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(rig.value(call)).toBe(42)
    expect(rig.read('W/logs')).toBe('imported\n')
    expect(readFileSync(join(call.directory, 'errors'), 'utf8')).toBe('warned\n')
    expect(rig.notes).toEqual([])
    expect(rig.uvLog).toHaveLength(1)
  })

  test('what a task sees of its process', async () => {
    const uv = rig.executor({ ...workers, env: { EXTRA: 'given' } })
    const call = rig.call('calc', 'about')
    expect(await uv.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    const folder = join(rig.registry, 'calc')
    expect(rig.value(call)).toEqual([
      ['main.py', call.argsPath],
      folder,
      rig.root,
      '',
      'fake',
      '/nowhere',
      '__main__',
      join(folder, 'main.py'),
      folder,
      true,
      '',
      'given',
      ['0', '1', '2'],
    ])
  })

  test.each([
    ['an exception', 'fail', {}, { outcome: 'failed', cause: 'exit', exitCode: 1, message: 'no such thing' }],
    ['sys.exit(0)', 'leave', { code: 0 }, { outcome: 'succeeded' }],
    ['sys.exit(3)', 'leave', { code: 3 }, { outcome: 'failed', cause: 'exit', exitCode: 3, message: 'warned' }],
    ['sys.exit of a text', 'leave', { code: 'gone' }, { outcome: 'failed', cause: 'exit', exitCode: 1, message: 'warned\ngone' }],
    ['os._exit(7)', 'hard', { code: 7 }, { outcome: 'failed', cause: 'exit', exitCode: 7, message: 'warned' }],
    ['SIGKILL', 'die', { number: 9 }, { outcome: 'failed', cause: 'signal', exitCode: 137, signal: 9, message: 'warned' }],
    ['abort', 'abort', {}, { outcome: 'failed', cause: 'signal', exitCode: 134, signal: 6, message: 'warned' }],
    ['a keyboard interrupt', 'die', { number: 2 }, { outcome: 'failed', cause: 'signal', exitCode: 130, signal: 2 }],
    ['no such task', 'nothing', {}, { outcome: 'failed', cause: 'exit', exitCode: 1, message: "'nothing'" }],
  ])('%s', async (_what, task, inputs, end) => {
    const uv = rig.executor(workers)
    expect(await uv.run(rig.call('calc', task, inputs), UNDISTURBED)).toMatchObject(end)
    // The next call is none the worse.
    const next = rig.call('calc', 'double', { x: 1 })
    expect(await uv.run(next, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(rig.notes).toEqual([])
  })

  test('a traceback is the worker’s own', async () => {
    const call = rig.call('calc', 'fail')
    await rig.executor(workers).run(call, UNDISTURBED)
    const errors = readFileSync(join(call.directory, 'errors'), 'utf8')
    expect(errors.match(/File "[^"]*"/g)?.map((file) => file.replace(rig.registry, ''))).toEqual([
      'File "/calc/tierkreis/worker/worker.py"',
      'File "/calc/main.py"',
      'File "/calc/main.py"',
      'File "/calc/tierkreis/worker/worker.py"',
    ])
    expect(errors).not.toContain('worker host')
  })

  test('globals that one call changes are not the next one’s', async () => {
    const uv = rig.executor(workers)
    for (let n = 0; n < 3; n++) {
      const call = rig.call('calc', 'change')
      expect(await uv.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
      expect(rig.value(call)).toBe(1)
    }
  })

  test('threads are awaited, exit handlers run, open files are written', async () => {
    expect(await rig.executor(workers).run(rig.call('calc', 'at_exit'), UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(rig.read('W/logs')).toBe('imported\nthread\nbye\n')
    expect(rig.read('kept')).toBe('buffered')
  })

  test('100 MB of output go to a file and nowhere else', async () => {
    const call = rig.call('calc', 'loud', { n: 100 })
    expect(await rig.executor(workers).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(statSync(join(rig.root, 'W/logs')).size).toBe('imported\n'.length + 100 * 1048576)
  })

  test('a call that never ends is cancelled, or stopped at its limit, with what it started; others go on', async () => {
    const uv = rig.executor(workers)
    const [cancelled, limited, bystander] = ['a', 'b', 'c'].map((name) => join(rig.directory, name))
    const stop = new AbortController()
    const other = uv.run(rig.call('calc', 'waits', { mark: bystander, s: 2 }), UNDISTURBED)
    const limit = uv.run(rig.call('calc', 'forever', { mark: limited }, { timeoutMs: 1500 }), UNDISTURBED)
    const cancel = uv.run(rig.call('calc', 'forever', { mark: cancelled }), { signal: stop.signal })
    await until('all to begin', 20_000, async () => (await textOf(cancelled!)) && (await textOf(limited!)))
    const pids = [cancelled, limited].flatMap((path) => readFileSync(path!, 'utf8').split(' ').map(Number))
    expect(pids.map(lives)).toEqual([true, true, true, true])
    stop.abort()
    expect(await cancel).toEqual({ outcome: 'cancelled' })
    expect(await limit).toMatchObject({ outcome: 'failed', cause: 'timeout' })
    expect(await other).toEqual({ outcome: 'succeeded' })
    await until('all are gone', 20_000, () => pids.every((pid) => !lives(pid)))
  })

  test('what a call leaves behind is ended', async () => {
    const mark = join(rig.directory, 'left')
    expect(await rig.executor(workers).run(rig.call('calc', 'leftover', { mark }), UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    await until('it is gone', 20_000, () => !lives(Number(readFileSync(mark, 'utf8'))))
  })

  test('calls of one worker run at one time', async () => {
    const uv = rig.executor(workers)
    await uv.run(rig.call('calc', 'double', { x: 1 }), UNDISTURBED)
    const calls = Array.from({ length: 5 }, (_, n) => rig.call('calc', 'waits', { mark: join(rig.directory, `m${n}`), s: 1 }))
    const begun = Date.now()
    await Promise.all(calls.map((call) => uv.run(call, UNDISTURBED)))
    expect(Date.now() - begun).toBeLessThan(4000)
    expect(new Set(calls.map((call) => rig.value(call))).size).toBe(5)
  })

  test('a later executor attaches to what runs, and reads the end of what has ended', async () => {
    const uv = rig.executor(workers)
    const mark = join(rig.directory, 'begun')
    const running = rig.call('calc', 'waits', { mark, s: 2 })
    const ended = rig.call('calc', 'leave', { code: 3 })
    await uv.run(ended, UNDISTURBED)
    const lost = uv.run(running, UNDISTURBED)
    const rejected = expect(lost).rejects.toThrow(/no longer watched/)
    await until('it begins', 20_000, () => textOf(mark))
    await uv.close()
    await rejected
    const later = rig.executor(workers)
    expect(await later.attach(ended, UNDISTURBED)).toMatchObject({ outcome: 'failed', exitCode: 3 })
    expect(await later.attach(running, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(typeof rig.value(running)).toBe('number')
    expect(await later.attach(rig.call('calc', 'double', { x: 1 }), UNDISTURBED)).toBeUndefined()
  })

  test('the directory of the node is gone', async () => {
    const call = rig.call('calc', 'double', { x: 1 })
    rmSync(call.directory, { recursive: true })
    expect(await rig.executor(workers).run(call, UNDISTURBED)).toMatchObject({ outcome: 'failed', cause: 'start' })
  })
})
