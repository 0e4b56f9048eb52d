import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until, written } from '../../src/testing/waiting.ts'
import { type CallCommand, ProcessCalls } from '../../src/workers/process/process-calls.ts'
import type { WorkerCall, WorkerEnd } from '../../src/workflow/calls/worker-call.ts'
import { UNDISTURBED } from './call-fixture.ts'
import { lives, ProcessPlace } from './process-place.ts'

let place: ProcessPlace
beforeEach(() => {
  place = new ProcessPlace()
})
afterEach(() => place.close())

/** Runs a sh script as the call's command. */
function runScript(call: WorkerCall, script: string, command: Partial<CallCommand> = {}, io = UNDISTURBED): Promise<WorkerEnd> {
  return place.processes.run(call, { argv: ['/bin/sh', '-c', script], cwd: place.root, ...command }, io)
}

function journal(call: WorkerCall): readonly string[] {
  return readFileSync(place.journalPath(call.runId), 'utf8').split('\n').filter(Boolean)
}

function pidIn(path: string): Promise<number> {
  return written(path, 10_000).then(Number)
}

describe('ends', () => {
  test('exit 0: stdout in the run’s log, stderr in the call’s errors, nothing left over but two lines', async () => {
    const call = place.call()
    expect(await runScript(call, 'echo to-log; echo to-errors >&2; echo 5 >run-1/-.N1/outputs/value')).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(join(place.root, 'run-1/logs'), 'utf8')).toBe('to-log\n')
    expect(readFileSync(join(call.directory, 'errors'), 'utf8')).toBe('to-errors\n')
    expect(journal(call)).toEqual([
      expect.stringMatching(/^b -\.N1:1:\w+ \d+ \d+ [\w-]+ \.$/),
      expect.stringMatching(/^e -\.N1:1:\w+ 0 ran \.$/),
    ])
    expect(readdirSync(join(place.root, 'run-1/.drover-calls'))).toEqual(['journal'])
  })

  test.each<{ readonly name: string; readonly script: string; readonly end: Partial<WorkerEnd & { outcome: 'failed' }> }>([
    {
      name: 'its stderr is the message',
      script: 'echo no such molecule >&2; exit 3',
      end: { cause: 'exit', exitCode: 3, message: 'no such molecule' },
    },
    { name: 'a silent failure', script: 'exit 3', end: { cause: 'exit', exitCode: 3, message: 'exit code 3' } },
    {
      name: 'error_path before stderr',
      script: 'echo trace >&2; printf "bad port" >run-1/-.N1/logs; exit 1',
      end: { cause: 'exit', message: 'bad port' },
    },
    { name: 'a marker is no text', script: ': >run-1/-.N1/logs; echo trace >&2; exit 1', end: { message: 'trace' } },
    { name: 'the fallback _errors', script: 'echo fallback >run-1/-.N1/_errors; exit 1', end: { message: 'fallback' } },
    {
      name: 'exit 0 with _error, as 2.0.9',
      script: 'echo bad >run-1/-.N1/_error; echo bad >&2',
      end: { cause: 'task', exitCode: 0, message: 'bad' },
    },
    { name: 'killed by itself', script: 'kill -9 $$', end: { cause: 'signal', signal: 9, message: 'ended by signal 9 (SIGKILL)' } },
    {
      name: 'not there',
      script: 'exec /nowhere/tool',
      end: { cause: 'exit', exitCode: 127, message: expect.stringContaining('/nowhere/tool') },
    },
    { name: 'bytes that are no text', script: "printf 'a\\377b' >&2; exit 1", end: { message: 'a\uFFFDb' } },
    {
      name: 'deletes its directory',
      script: 'rm -r run-1/-.N1; exit 4',
      end: { cause: 'exit', exitCode: 4, message: expect.stringMatching(/^exit code 4; its directory .*-\.N1 is gone$/) },
    },
  ])('$name', async ({ script, end }) => {
    expect(await runScript(place.call(), script)).toMatchObject({ outcome: 'failed', ...end })
  })

  test('a worker that deletes its directory and ends well is noticed', async () => {
    expect(await runScript(place.call(), 'rm -r run-1/-.N1')).toEqual({ outcome: 'succeeded' })
  })

  test('a long message is cut to its end, between characters', async () => {
    const end = await runScript(place.call(), 'i=0; while [ $i -lt 3000 ]; do printf "äb" >&2; i=$((i+1)); done; printf END >&2; exit 1')
    if (end.outcome !== 'failed') throw new Error(end.outcome)
    expect(end.message).toMatch(/^… b?(äb)+END$/)
    expect(Buffer.byteLength(end.message)).toBeLessThan(4100)
  })

  test('marks of an earlier attempt are not this one’s', async () => {
    const first = place.call()
    expect(await runScript(first, 'echo first >&2; touch run-1/-.N1/_error; exit 1')).toMatchObject({ message: 'first' })
    expect(await runScript({ ...first, attempt: 2 }, 'exit 0')).toEqual({ outcome: 'succeeded' })
    expect(await runScript({ ...first, attempt: 3 }, 'exit 7')).toMatchObject({ message: 'exit code 7' })
  })

  test('what can’t be started says why', async () => {
    const call = place.call()
    expect(await runScript(call, ':', { cwd: '/nowhere' })).toMatchObject({
      cause: 'start',
      message: 'cannot start tests.work: the directory /nowhere is missing or closed to you',
    })
    expect(await runScript(call, ':', { stdin: '/nowhere' })).toMatchObject({
      cause: 'start',
      message: expect.stringContaining('input file'),
    })
    expect(await runScript(call, ':', { stdoutPath: '/nowhere/x' })).toMatchObject({
      cause: 'start',
      message: expect.stringContaining('stdout'),
    })
    expect(await runScript(call, ':', { env: { 'no name': '1' } })).toMatchObject({
      cause: 'start',
      message: expect.stringContaining('no name'),
    })
    expect(await place.processes.run(call, { argv: ['-x'], cwd: '/' }, UNDISTURBED)).toMatchObject({ cause: 'start' })
    expect(await runScript({ ...call, directory: '/nowhere' }, ':')).toMatchObject({
      cause: 'start',
      message: expect.stringContaining('is gone'),
    })
  })
})

describe('what the command sees', () => {
  test('hostile words, values and places arrive as they are', async () => {
    const evil = `a b'c"d$(touch pwned)\`x\`\n*?\\-;&`
    const call = place.call({ runId: `run ${evil}`.replaceAll('/', ''), loc: `-.N1 'x' $(y)` })
    const command = { argv: ['/bin/sh', '-c', 'printf "%s|%s|%s" "$1" "$EVIL" "$(cat)" >"$2"', 'sh', evil, join(call.directory, 'out')] }
    const stdin = join(call.directory, 'definition')
    const end = await place.processes.run(call, { ...command, cwd: call.directory, env: { EVIL: evil }, stdin }, UNDISTURBED)
    expect(end).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(join(call.directory, 'out'), 'utf8')).toBe(`${evil}|${evil}|${readFileSync(stdin, 'utf8')}`)
    expect(readdirSync(call.directory).sort()).toEqual(['definition', 'errors', 'out', 'outputs'])
  })

  test('no command line holds the environment, and the file that does is the owner’s alone', async () => {
    const call = place.call()
    const running = runScript(call, 'echo $$ >run-1/-.N1/pid; until [ -e run-1/-.N1/go ]; do sleep 0.05; done', {
      env: { TOKEN: 'se-cret' },
    })
    const pid = await pidIn(join(call.directory, 'pid'))
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    for (const one of [pid, parent]) expect(readFileSync(`/proc/${one}/cmdline`, 'utf8')).not.toContain('se-cret')
    const calls = join(place.root, 'run-1/.drover-calls')
    const script = readdirSync(calls).find((name) => name.endsWith('.sh'))
    expect(statSync(join(calls, script ?? '')).mode & 0o777).toBe(0o600)
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('_d_')
    writeFileSync(join(call.directory, 'go'), '')
    expect(await running).toEqual({ outcome: 'succeeded' })
  })

  test('a null logs path: stdout goes nowhere', async () => {
    expect(await runScript(place.call({ args: { logs_path: null } }), 'echo lost')).toEqual({ outcome: 'succeeded' })
    expect(readdirSync(join(place.root, 'run-1')).sort()).toEqual(['-.N1', '.drover-calls'])
  })
})

describe('ended from outside', () => {
  test('cancel ends the group, also one that ignores TERM', async () => {
    const call = place.call()
    const stopping = new AbortController()
    const script = `trap '' TERM; sleep 100 & echo $! >run-1/-.N1/child; while :; do sleep 0.1; done`
    const running = runScript(call, script, {}, { signal: stopping.signal })
    const child = await pidIn(join(call.directory, 'child'))
    stopping.abort()
    expect(await running).toEqual({ outcome: 'cancelled' })
    await until('the child is gone', 5000, () => !lives(child))
  })

  test('cancelled before it began: nothing is run', async () => {
    const io = { signal: AbortSignal.abort() }
    expect(await runScript(place.call(), 'touch ran', {}, io)).toEqual({ outcome: 'cancelled' })
    expect(readdirSync(place.root)).toEqual(['run-1'])
  })

  test('the time limit, with the worker’s last words', async () => {
    const end = await runScript(place.call({ timeoutMs: 300 }), 'echo still waiting >&2; sleep 100')
    expect(end).toMatchObject({
      cause: 'timeout',
      message: expect.stringMatching(/^did not end within .* and was stopped: still waiting$/),
    })
  })

  test('the worker is killed -9', async () => {
    const call = place.call()
    const running = runScript(call, 'echo $$ >run-1/-.N1/pid; exec sleep 100')
    process.kill(await pidIn(join(call.directory, 'pid')), 'SIGKILL')
    expect(await running).toMatchObject({ cause: 'signal', signal: 9 })
  })

  test('the program that watches over it is killed -9: the worker is ended too, the call failed', async () => {
    const call = place.call()
    const running = runScript(call, 'echo $$ >run-1/-.N1/pid; echo halfway >&2; sleep 100')
    const pid = await pidIn(join(call.directory, 'pid'))
    const watcher = Number(/^b \S+ (\d+)/.exec(journal(call)[0] ?? '')?.[1])
    process.kill(watcher, 'SIGKILL')
    expect(await running).toMatchObject({ cause: 'lost', message: 'halfway' })
    await until('the worker is gone', 5000, () => !lives(pid))
  })

  test('children left behind by a worker that ended don’t delay its end, and are ended', async () => {
    const call = place.call()
    const end = await runScript(call, 'sleep 100 & echo $! >run-1/-.N1/child')
    expect(end).toEqual({ outcome: 'succeeded' })
    const child = await pidIn(join(call.directory, 'child'))
    await until('the child is gone', 5000, () => !lives(child))
  })
})

describe('a later controller', () => {
  test('reads the end that was left, and waits for what lives', async () => {
    const ended = place.call({ loc: '-.N1' })
    const living = place.call({ loc: '-.N2' })
    const script = 'echo once >>"$1/runs"; echo x >"$1/started"; until [ -e "$1/go" ]; do sleep 0.05; done; echo said >&2; exit 5'
    const both = [ended, living].map((call) =>
      place.processes.run(call, { argv: ['/bin/sh', '-c', script, 'sh', call.directory], cwd: '/' }, UNDISTURBED),
    )
    const settled = Promise.allSettled(both)
    for (const call of [ended, living]) await written(join(call.directory, 'started'), 10_000)
    await place.processes.close()
    expect(await settled).toMatchObject([{ reason: { code: 'aborted' } }, { reason: { code: 'aborted' } }])
    writeFileSync(join(ended.directory, 'go'), '')
    await until('the end is recorded', 10_000, () => journal(ended).some((line) => line.startsWith('e -.N1:')))
    place.processes = new ProcessCalls()
    const failed = { outcome: 'failed', cause: 'exit', exitCode: 5, message: 'said' }
    expect(await place.processes.attach(ended, UNDISTURBED)).toEqual(failed)
    const waiting = place.processes.attach(living, UNDISTURBED)
    writeFileSync(join(living.directory, 'go'), '')
    expect(await waiting).toEqual(failed)
    for (const call of [ended, living]) expect(readFileSync(join(call.directory, 'runs'), 'utf8')).toBe('once\n')
    expect(await place.processes.attach(place.call({ loc: '-.N3' }), UNDISTURBED)).toBeUndefined()
    expect(await place.processes.attach({ ...ended, attempt: 2 }, UNDISTURBED)).toBeUndefined()
  })

  test('a call whose start was cut short by the close has not failed: it rejects, and is found or begun anew', async () => {
    const call = place.call()
    const running = runScript(call, 'echo once >>run-1/-.N1/runs; echo 5 >run-1/-.N1/outputs/value')
    const settled = Promise.allSettled([running])
    await place.processes.close()
    expect(await settled).toMatchObject([{ reason: { code: 'aborted' } }])
    await expect(runScript(call, 'true')).rejects.toMatchObject({ code: 'aborted' })
    place.processes = new ProcessCalls()
    const end = (await place.processes.attach(call, UNDISTURBED)) ?? (await runScript(call, 'echo once >>run-1/-.N1/runs'))
    expect(end).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(join(call.directory, 'runs'), 'utf8')).toBe('once\n')
  })
})

test('1,000 short calls, 8 at a time', async () => {
  const waiting = Array.from({ length: 1000 }, (_, index) => place.call({ loc: `-.N0.M${index}` }))
  const began = performance.now()
  let ended = 0
  const lane = async (): Promise<void> => {
    for (let call = waiting.pop(); call !== undefined; call = waiting.pop()) {
      const end = await place.processes.run(call, { argv: ['/bin/true'], cwd: '/' }, UNDISTURBED)
      if (end.outcome === 'succeeded') ended++
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  expect(ended).toBe(1000)
  console.log(`${Math.round(1_000_000 / (performance.now() - began))} calls/s`)
}, 60_000)
