import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { type CaseTask, createTaskFile, readLog, settled, until } from '../../src/testing/index.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { PbsHome, type PbsHomeOptions } from './pbs-home.ts'

const LONG = 40_000

let home: PbsHome

async function submit(task: CaseTask): Promise<Job> {
  const [job] = await home.drover.submit(createTaskFile('hpc', task))
  return job!
}
const end = (job: Job): Promise<Job> => settled(home.drover, job.id, LONG)
const run = async (task: CaseTask): Promise<Job> => end(await submit(task))
const out = async (job: Job): Promise<string> => (await readLog(home.drover, job.id)).toString()
const reaches = (job: Job, state: Job['state']): Promise<Job> =>
  until(`${job.id} is ${state}`, LONG, async () => {
    const seen = await home.drover.get(job.id)
    return seen.state === state ? seen : undefined
  })
const native = (job: Job) => home.pbs.job(job.native_id ?? '')
const started = (job: Job): Promise<Job> =>
  until(`${job.id} runs its script`, LONG, async () => {
    const seen = await home.drover.get(job.id)
    return seen.state === 'running' && (await out(seen)).includes('up') ? seen : undefined
  })

async function withHome(options: PbsHomeOptions, body: () => Promise<void>): Promise<void> {
  const before = home
  home = await PbsHome.open(options)
  try {
    await body()
  } finally {
    await home.close()
    home = before
  }
}

describe.each(['release', 'head'] as const)('jobs on the %s', { timeout: 120_000 }, (build) => {
  beforeAll(async () => {
    home = await PbsHome.open({ fake: { build } })
  })
  afterAll(() => home.close())

  test('a job succeeds, with its logs; the driver has its own', async () => {
    const job = await run({ run: 'echo out; echo err >&2' })
    expect(job).toMatchObject({ state: 'succeeded', exit_code: 0 })
    expect(job.native_id).toMatch(/^\d+\.pbshead$/)
    expect(await out(job)).toBe('out\n')
    await until('PBS has copied its own log', LONG, () => {
      try {
        return readFileSync(`${home.attemptDir(job)}/logs/pbs.log`, 'utf8') === ''
      } catch {
        return false
      }
    })
  })

  test('exit 3, and a signal', async () => {
    expect(await run({ run: 'exit 3' })).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 3 }, exit_code: 3 })
    expect(await run({ run: 'kill -SEGV $$' })).toMatchObject({ state: 'failed', cause: { kind: 'signal', signal: 11 } })
  })

  test('walltime of PBS: timeout, although nothing was written down', async () => {
    const job = await started(await submit({ run: 'trap "" TERM; echo up; sleep 300', options: { walltime: '00:10:00' } } as CaseTask))
    home.pbs.advance(700_000)
    home.pbs.advance(60_000)
    expect(await end(job)).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
    expect(native(job)).toMatchObject({ exitStatus: -29 })
  })

  test('memory limit: out_of_memory', async () => {
    const job = await started(await submit({ run: 'echo up; sleep 300' }))
    home.pbs.exceedMemory(job.native_id!)
    expect(await end(job)).toMatchObject({ state: 'failed', cause: { kind: 'out_of_memory' } })
  })

  test('a job that waits is cancelled; one that runs is, too, and leaves no process', async () => {
    const waiting = await reaches(await submit({ run: 'true', options: { hold: true } } as CaseTask), 'queued')
    const running = await started(await submit({ run: 'echo up; sleep 300' }))
    await until('it has a native id', LONG, async () => (await home.drover.get(waiting.id)).native_id !== null)
    const pids = native(running)!.pids
    await home.drover.cancel(waiting.id)
    await home.drover.cancel(running.id)
    expect(await end(waiting)).toMatchObject({ state: 'cancelled' })
    expect(await end(running)).toMatchObject({ state: 'cancelled' })
    await until('its processes have gone', LONG, () => pids.every((pid) => !home.alive(pid)))
    // One id to each qdel.
    expect(home.pbs.callLines().filter((line) => /^qdel .* .*/.test(line))).toEqual([])
    expect(home.pbs.crashed).toBe(false)
  })

  test('an array with failures: one job of PBS, its elements told apart', async () => {
    const before = home.pbs.calls('qsub')
    const job = await run({
      run: 'echo e$DROVER_ARRAY_INDEX; exit $((DROVER_ARRAY_INDEX % 2))',
      array: { elements: { kind: 'count', count: 4 }, size: 4 },
    } as unknown as CaseTask)
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 1 } })
    expect(job.native_id).toMatch(/^\d+\[\]\.pbshead$/)
    const { elements } = await home.drover.get(job.id)
    expect(elements).toMatchObject({ succeeded: 2, failed: 2 })
    expect(home.pbs.calls('qsub') - before).toBe(1)
  })

  test('an array of one element is a job that is none', async () => {
    const job = await run({
      run: 'echo e$DROVER_ARRAY_INDEX',
      array: { elements: { kind: 'count', count: 1 }, size: 1 },
    } as unknown as CaseTask)
    expect(job).toMatchObject({ state: 'succeeded' })
    expect(job.native_id).toMatch(/^\d+\.pbshead$/)
    expect(await out(job)).toBe('e0\n')
  })

  test('two nodes, each with its rank', async () => {
    const job = await run({
      run: 'echo "rank $DROVER_NODE_RANK of $DROVER_NUM_NODES"; [ "$DROVER_NODE_RANK" = 0 ] || exit 4',
      numNodes: 2,
      setup: 'echo set up',
    })
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'exit', code: 4, rank: 1 } })
    expect(native(job)?.hosts).toEqual(['node1', 'node2'])
    const logs = await Promise.all(
      [0, 1].map(async (rank) => (await readLog(home.drover, job.id, { ranks: [rank], streams: ['stdout'] })).toString()),
    )
    expect(logs).toEqual(['rank 0 of 2\n', 'rank 1 of 2\n'])
  })

  test('a refusal has the words of qsub and the fix', async () => {
    const job = await run({ run: 'true', options: { queue: 'nope' } } as CaseTask)
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'rejected', message: expect.stringContaining('Unknown queue') } })
  })

  test('dependencies are those of PBS; one that cannot be met any more fails', async () => {
    const jobs = await home.drover.submit(
      createTaskFile(
        'hpc',
        { name: 'first', run: 'echo up; while [ ! -e go ]; do sleep 0.1; done; exit 3' },
        { name: 'never', run: 'true', after: [{ task: 'first', condition: 'ok' }] } as unknown as CaseTask,
        { name: 'always', run: 'true', after: [{ task: 'first', condition: 'any' }] } as unknown as CaseTask,
      ),
    )
    const [first, never, always] = jobs
    await started(first!)
    await until(
      'the dependents are with PBS',
      LONG,
      () =>
        home.pbs.callLines().filter((line) => line.startsWith('qsub')).length > 0 &&
        home.pbs.jobs().filter((job) => job.state === 'H').length >= 2,
    )
    const directory = `${home.root}/jobs/${first!.id}/work/0`
    writeFileSync(`${directory}/go`, '')
    expect(await end(first!)).toMatchObject({ state: 'failed', exit_code: 3 })
    expect(await end(never!)).toMatchObject({ state: 'failed', cause: { kind: 'dependency' } })
    expect(await end(always!)).toMatchObject({ state: 'succeeded' })
  })

  test('target check, and why a job waits', async () => {
    const check = await runDrover(home.environment, ['target', 'check', 'hpc'])
    expect(check.stdout).toContain('PBS 23.06.06')
    const job = await submit({
      run: 'true',
      options: { select: { host: 'node1' } },
      resources: {
        ordered: false,
        candidates: [{ cpus: { value: 64, orMore: false }, accelerators: [], acceleratorsOrdered: false, raw: {} }],
      },
    } as unknown as CaseTask)
    const seen = await until('the reason', LONG, async () => {
      const { reason, state } = await home.drover.get(job.id)
      return state === 'queued' && reason?.includes('Can Never Run') ? reason : undefined
    })
    expect(seen).toContain('ncpus')
    const explained = await runDrover(home.environment, ['explain', job.id])
    expect(explained.stdout).toContain('will ever have what it asks for')
    await home.drover.cancel(job.id)
    await end(job)
  })
})

describe('vanished', { timeout: 120_000 }, () => {
  test.each([true, false])('history %s: what has ended with records is known by them', async (history) => {
    await withHome({ fake: { history } }, async () => {
      expect(await run({ run: 'exit 0' })).toMatchObject({ state: 'succeeded' })
      expect(await run({ run: 'exit 5' })).toMatchObject({ state: 'failed', exit_code: 5 })
    })
  })

  test.each([true, false])('history %s: deleted by another hand', async (history) => {
    await withHome({ fake: { history } }, async () => {
      const job = await reaches(await submit({ run: 'true', options: { hold: true } } as CaseTask), 'queued')
      const id = await until('its id', LONG, async () => (await home.drover.get(job.id)).native_id ?? undefined)
      await runPbs('qdel', id)
      if (history) expect(await end(job)).toMatchObject({ state: 'cancelled' })
      else {
        // Nobody knows how it ended: after the grace it is lost, and never an end.
        const seen = await until('it is looked for', LONG, async () => {
          const now = await home.drover.get(job.id)
          return now.state === 'finishing' || now.state === 'lost' ? now : undefined
        })
        expect(['finishing', 'lost']).toContain(seen.state)
      }
    })
  })

  test('an id given out again to another job is not taken for ours', async () => {
    await withHome({}, async () => {
      const job = await started(await submit({ run: 'echo up; sleep 300' }))
      home.pbs.reuseIds(1)
      await runPbs('qsub', '-N', 'other', '--', '/bin/sleep', '1')
      await until('the other job is over', LONG, () => home.pbs.job('1')?.state === 'F')
      const seen = await until('ours is looked for', LONG, async () => {
        const now = await home.drover.get(job.id)
        return now.state === 'running' ? undefined : now
      })
      expect(['finishing', 'lost']).toContain(seen.state)
    })
  })
})

describe('once', { timeout: 120_000 }, () => {
  test('the answer of qsub is lost: the job is found by its name', async () => {
    await withHome({}, async () => {
      home.pbs.loseNextSubmitAnswer()
      const job = await run({ run: 'echo once' })
      expect(job).toMatchObject({ state: 'succeeded' })
      expect(await out(job)).toBe('once\n')
      expect(home.pbs.jobs()).toHaveLength(1)
    })
  })

  test('the server hangs during qsub and the supervisor dies: one job', async () => {
    await withHome({}, async () => {
      await run({ run: 'true' })
      home.pbs.outage('hung')
      const before = home.pbs.calls('qsub')
      const job = await submit({ run: 'echo once' })
      await until('qsub waits', LONG, () => home.pbs.calls('qsub') > before)
      await home.supervisorKill9()
      home.pbs.recover()
      await home.start()
      expect(await end(job)).toMatchObject({ state: 'succeeded' })
      expect(home.pbs.jobs()).toHaveLength(2)
    })
  })

  test('no server at the submit: tried again', async () => {
    await withHome({}, async () => {
      await run({ run: 'true' })
      home.pbs.outage('stopped')
      const before = home.pbs.calls('qsub')
      const job = await submit({ run: 'true' })
      await until('a try', LONG, () => home.pbs.calls('qsub') > before)
      expect(['failed', 'cancelled', 'lost']).not.toContain((await home.drover.get(job.id)).state)
      home.pbs.recover()
      expect(await end(job)).toMatchObject({ state: 'succeeded' })
    })
  })
})

test('a server stopped, and answers torn: nothing is concluded; the end is true', { timeout: 120_000 }, async () => {
  await withHome({}, async () => {
    const job = await started(await submit({ run: 'echo up; while [ ! -e go ]; do sleep 0.1; done; exit 6' }))
    const asked = async (): Promise<void> => {
      const before = home.pbs.calls('qselect') + home.pbs.calls('qstat')
      await until('it was asked', LONG, () => home.pbs.calls('qselect') + home.pbs.calls('qstat') > before + 2)
      expect((await home.drover.get(job.id)).state).toBe('running')
    }
    home.pbs.outage('stopped')
    await asked()
    home.pbs.recover()
    home.pbs.garble('qstat', '{ "Jobs": { gar', 4)
    await asked()
    home.pbs.garble('qstat', Buffer.from([0xff, 0xfe, 0x0a]), 4)
    await asked()
    home.pbs.truncateNextOutput('qstat', 40)
    await asked()
    writeFileSync(`${home.root}/jobs/${job.id}/work/0/go`, '')
    expect(await end(job)).toMatchObject({ state: 'failed', exit_code: 6 })
  })
})

/** A command of the fake, by another hand; its server is in this process, which must not wait for it. */
function runPbs(command: string, ...argv: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(command, [...argv], { env: home.environment, cwd: home.base }, (error) => (error ? reject(error) : resolve()))
  })
}
