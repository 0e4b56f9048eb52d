import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { JobExecutorOptions } from '../../src/workers/job/job-executor.ts'
import { readJobRecord, writeJobRecord } from '../../src/workers/job/job-record.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { type Checkpoints, makeCheckpoints, UNDISTURBED } from './call-fixture.ts'
import { jobExecutor, jobsOf, makeRegistry, outputOf } from './job-fixture.ts'

const home = new LocalHome()
const opened: { close(): Promise<void> }[] = []
let checkpoints: Checkpoints
let run = 0

beforeAll(async () => {
  await home.start()
  makeRegistry(home.directory)
  checkpoints = makeCheckpoints()
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})
afterAll(async () => {
  checkpoints?.[Symbol.dispose]()
  await home.close()
})

function executor(options: Partial<JobExecutorOptions> = {}): FileExecutor {
  const made = jobExecutor(home, options)
  opened.push(made)
  return made
}

const nextRun = (): string => `run-${++run}`
const callWith = (a: string, more: Parameters<Checkpoints['call']>[0] = {}): WorkerCall =>
  checkpoints.call({ runId: nextRun(), inputs: { a }, ...more })

/** Elements of one map. */
function mapOf(texts: readonly string[], runId = nextRun()): WorkerCall[] {
  return texts.map((a, index) => {
    const call = checkpoints.call({ runId, loc: `-.N3.M${index}.N2`, outputs: ['value'] })
    const input = join(checkpoints.root, runId, `input-${index}`)
    writeFileSync(input, a)
    const args = { ...call.args, inputs: { a: `${runId}/input-${index}` } }
    writeFileSync(join(call.directory, 'definition'), JSON.stringify(args))
    return { ...call, args }
  })
}

describe.each(['shared', 'staged'] as const)('files %s', (files) => {
  test('one call is one job; its output is in place, its record names the job', async () => {
    const call = callWith('seven')
    expect(await executor({ files }).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(outputOf(call)).toBe('seven!')
    expect(existsSync(join(call.directory, '_done'))).toBe(true)
    expect(readFileSync(join(call.root, call.runId, 'logs'), 'utf8')).toBe('seven\n')
    const record = await readJobRecord(call.directory)
    const job = await home.drover.get(record?.job ?? '')
    expect(job).toMatchObject({ state: 'succeeded', name: record?.name })
    expect(record).toMatchObject({ attempt: 1, element: null, files, ended: true })
  })

  test('an array of fifty is one job; each element ends as it ended', async () => {
    const before = (await jobsOf(home.drover)).length
    const texts = Array.from({ length: 50 }, (_, index) => (index % 10 === 3 ? `fail${index}` : `v${index}`))
    const calls = mapOf(texts)
    const made = executor({ files })
    const ends = await Promise.all(calls.map((call) => made.run(call, UNDISTURBED)))
    const jobs = (await jobsOf(home.drover)).slice(before)
    expect(jobs).toMatchObject([{ elements: { total: 50, succeeded: 45, failed: 5 } }])
    for (const [index, end] of ends.entries()) {
      const call = calls[index] as WorkerCall
      if (index % 10 === 3) {
        const message = `cannot do fail${index}\nelement ${index} of job ${jobs[0]?.id}: exit: ended with 3 (see: drover explain ${jobs[0]?.id})`
        expect(end).toEqual({ outcome: 'failed', cause: 'exit', message, exitCode: 3 })
        expect(readFileSync(join(call.directory, 'errors'), 'utf8')).toBe(`cannot do fail${index}\n`)
        expect(outputOf(call)).toBeUndefined()
      } else {
        expect(end).toEqual({ outcome: 'succeeded' })
        expect(outputOf(call)).toBe(`v${index}!`)
      }
    }
  })

  test('a script in the inner folder of a worker learns of its call by variables, hostile values and all', async () => {
    const folder = join(home.directory, 'registry', 'vars', 'tkr_vars_impl')
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'main.sh'),
      '{ cat "$input_a_file"; printf "|%s|%s" "$input_a_value" "$function_name"; } >"$output_value_file"\n',
    )
    const text = 'it\'s $(id) `x` \\ "q"\nü'
    const call = callWith(text, { worker: 'vars' })
    expect(await executor({ files }).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(outputOf(call)).toBe(`${text}|${text}|work`)
  })

  test('a worker that marks _error and ends with 0 has failed, in its own words', async () => {
    const call = callWith('mark')
    expect(await executor({ files }).run(call, UNDISTURBED)).toMatchObject({ outcome: 'failed', cause: 'task', message: 'told: mark' })
  })

  test('input and output outside of the checkpoints directory', async () => {
    const input = join(home.directory, 'elsewhere-in')
    const output = join(home.directory, 'elsewhere-out')
    rmSync(output, { force: true })
    writeFileSync(input, 'far')
    const call = checkpoints.call({ runId: nextRun() })
    const args = { ...call.args, inputs: { a: input }, outputs: { value: output } }
    writeFileSync(join(call.directory, 'definition'), JSON.stringify(args))
    const copying = [
      'sh',
      '-c',
      `d=$TKR_DIR/$1; p() { sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p" "$d"; }; cd "$TKR_DIR"; cat "$(p a)" "$(p a)" >"$(p value)"`,
      'worker',
    ]
    expect(await executor({ files, command: copying }).run({ ...call, args }, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(readFileSync(output, 'utf8')).toBe('farfar')
  })
})

describe.each(['shared', 'staged'] as const)('several processes, files %s', (files) => {
  const task = { launcher: { kind: 'distributed', spawn: true }, processes_per_node: 2, cpus_per_process: 1 } as const

  test('only the first writes the call’s outputs, though the others write later', async () => {
    const call = callWith('rank')
    expect(await executor({ files, task }).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(outputOf(call)).toBe('rank 0 of 2!')
  })

  test('unless the worker sees to it itself', async () => {
    const call = callWith('rank')
    expect(await executor({ files, task, ranks: 'all' }).run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(outputOf(call)).toBe('rank 1 of 2!')
  })
})

describe('ends', () => {
  test('a signal, a time limit, an exit of a job of its own', async () => {
    const made = executor()
    const [died, slow, failed] = await Promise.all([
      made.run(callWith('die'), UNDISTURBED),
      made.run({ ...callWith('sleep'), timeoutMs: 1500 }, UNDISTURBED),
      made.run(callWith('fail'), UNDISTURBED),
    ])
    expect(died).toMatchObject({ outcome: 'failed', cause: 'signal', signal: 9 })
    expect(slow).toMatchObject({ outcome: 'failed', cause: 'timeout', message: expect.stringContaining('timeout') })
    expect(failed).toMatchObject({
      outcome: 'failed',
      cause: 'exit',
      exitCode: 3,
      message: expect.stringMatching(/^cannot do fail\njob \w+: exit/),
    })
  })

  test('an aborted call is cancelled with its processes; another element of its array runs on', async () => {
    const abort = new AbortController()
    const calls = mapOf(['sleep', 'wait'])
    const made = executor()
    const ends = calls.map((call, index) => made.run(call, index === 0 ? { signal: abort.signal } : UNDISTURBED))
    const pidFile = join(calls[0]?.directory ?? '', 'pid')
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '', { timeout: 20_000 }).toBe(true)
    const pid = Number(readFileSync(pidFile, 'utf8'))
    abort.abort()
    expect(await ends[0]).toEqual({ outcome: 'cancelled' })
    expect(home.alive(pid)).toBe(false)
    writeFileSync(join(checkpoints.root, 'go'), '')
    expect(await ends[1]).toEqual({ outcome: 'succeeded' })
    rmSync(join(checkpoints.root, 'go'))
  })

  test('a job that a person cancelled is a failure that says so', async () => {
    const call = callWith('sleep')
    const end = executor().run(call, UNDISTURBED)
    await expect.poll(async () => (await readJobRecord(call.directory))?.job, { timeout: 20_000 }).toEqual(expect.any(String))
    await home.drover.cancel((await readJobRecord(call.directory))?.job ?? '')
    expect(await end).toMatchObject({ outcome: 'failed', cause: 'job', message: expect.stringContaining('was cancelled by user') })
  })

  test('a task that is refused does not start, and says why', async () => {
    const made = executor({ task: { resources: { cpus: 100_000 } } })
    const refused = { outcome: 'failed', cause: 'start', message: expect.stringContaining('100000 cores') }
    expect(await made.run(callWith('x'), UNDISTURBED)).toMatchObject(refused)
    expect(await made.check('tests', [])).toMatch(/^worker "tests" cannot run as jobs on target "local": .*100000 cores/)
    expect(await executor().check('tests', [])).toBeUndefined()
    expect(await executor({ target: 'nowhere' }).check('tests', [])).toContain('nowhere')
  })
})

describe('a controller that dies', () => {
  test('after the submit: the next one attaches; the job ran once', async () => {
    const calls = mapOf(['wait', 'wait', 'wait'])
    const first = executor()
    const gone = calls.map((call) => first.run(call, UNDISTURBED))
    for (const end of gone) end.catch(() => undefined)
    await expect.poll(async () => (await readJobRecord(calls[2]?.directory ?? ''))?.job, { timeout: 20_000 }).toEqual(expect.any(String))
    await first.close()
    for (const end of gone) await expect(end).rejects.toMatchObject({ code: 'aborted' })
    const before = (await jobsOf(home.drover)).length
    const next = executor()
    const ends = calls.map((call) => next.attach(call, UNDISTURBED))
    writeFileSync(join(checkpoints.root, 'go'), '')
    expect(await Promise.all(ends)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }, { outcome: 'succeeded' }])
    rmSync(join(checkpoints.root, 'go'))
    expect((await jobsOf(home.drover)).length).toBe(before)
    // What ended before is told again.
    expect(await executor().attach(calls[0] as WorkerCall, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
  })

  test.each([1, 3])('between submit and record, %i calls: the job is found by its name', async (count) => {
    const calls = mapOf(Array.from({ length: count }, () => 'x'))
    const first = executor()
    await Promise.all(calls.map((call) => first.run(call, UNDISTURBED)))
    const before = (await jobsOf(home.drover)).length
    for (const call of calls) {
      const { ageMs: _, ...record } = (await readJobRecord(call.directory)) ?? expect.fail('no record')
      await writeJobRecord(call.directory, { ...record, job: null, ended: false })
    }
    const next = executor()
    // As `run` too: a controller may have died before it noted that it had started the call.
    const [one, ...others] = calls
    expect(await next.run(one as WorkerCall, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect(await Promise.all(others.map((call) => next.attach(call, UNDISTURBED)))).toEqual(others.map(() => ({ outcome: 'succeeded' })))
    expect((await jobsOf(home.drover)).length).toBe(before)
  })

  test('before the submit: nothing of it lives, and its own key is used', async () => {
    const call = callWith('again')
    await writeJobRecord(call.directory, {
      attempt: 1,
      key: 'workflow:k',
      name: 'none-such',
      job: null,
      element: null,
      files: 'shared',
      ended: false,
    })
    const made = executor()
    expect(await made.attach(call, UNDISTURBED)).toBeUndefined()
    expect(await made.run(call, UNDISTURBED)).toEqual({ outcome: 'succeeded' })
    expect((await readJobRecord(call.directory))?.key).toBe('workflow:k')
  })

  test('an ended call that is run anew is a new job', async () => {
    const call = callWith('twice')
    const made = executor()
    await made.run(call, UNDISTURBED)
    const first = await readJobRecord(call.directory)
    await made.run(call, UNDISTURBED)
    expect((await readJobRecord(call.directory))?.job).not.toBe(first?.job)
  })

  test('the supervisor is killed while calls run: they end as if it had not been', async () => {
    const call = callWith('wait')
    const drover = await home.client()
    opened.push(drover)
    const made = executor({ drover })
    const end = made.run(call, UNDISTURBED)
    await expect.poll(async () => (await readJobRecord(call.directory))?.job, { timeout: 20_000 }).toEqual(expect.any(String))
    const array = mapOf(['wait', 'wait'])
    const ends = array.map((each) => made.run(each, UNDISTURBED))
    await expect.poll(async () => (await readJobRecord(array[1]?.directory ?? ''))?.job, { timeout: 20_000 }).toEqual(expect.any(String))
    await home.supervisorKill9()
    await home.start()
    writeFileSync(join(checkpoints.root, 'go'), '')
    expect(await Promise.all([end, ...ends])).toEqual([{ outcome: 'succeeded' }, { outcome: 'succeeded' }, { outcome: 'succeeded' }])
    rmSync(join(checkpoints.root, 'go'))
  })
})
