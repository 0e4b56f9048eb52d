import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { createTaskFile, readLog, settled, until } from '../../src/testing/index.ts'
import type { CaseTask } from '../../src/testing/task-values.ts'
import { PjmHome } from './pjm-home.ts'

const PATIENCE_MS = 40_000

async function submit(home: PjmHome, task: CaseTask): Promise<Job> {
  const [job] = await home.drover.submit(createTaskFile('fugaku', { graceMs: 2_000, ...task }))
  if (job === undefined) throw new Error('submit gave no job')
  return job
}

async function runToEnd(home: PjmHome, task: CaseTask): Promise<Job> {
  return settled(home.drover, (await submit(home, task)).id, PATIENCE_MS)
}

/** The fake's job of a job of Drover's: the one with its native id. */
async function native(home: PjmHome, job: Job): Promise<string> {
  return until(`the native id of ${job.id}`, PATIENCE_MS, () => home.pjm.jobs().find(({ name }) => name.startsWith(`d-${job.id}-`))?.id)
}

const begun = (home: PjmHome, id: string): Promise<unknown> =>
  until(`${id} runs`, PATIENCE_MS, () => (home.pjm.job(id)?.pids.length ?? 0) > 0)

describe('one home', () => {
  let home: PjmHome
  beforeAll(async () => {
    home = await PjmHome.open()
  })
  afterAll(() => home.close())

  test('a job succeeds, and its script was submitted once with these directives', async () => {
    const job = await runToEnd(home, { run: 'echo "hello $DROVER_NODE_RANK"', timeoutMs: 60_000 })
    expect(job).toMatchObject({ state: 'succeeded', exit_code: 0 })
    expect((await readLog(home.drover, job.id)).toString()).toBe('hello 0\n')
    expect(home.pjm.jobs().filter(({ name }) => name === `d-${job.id}-1`).length).toBe(1)
    expect(home.pjm.jobs().find(({ name }) => name === `d-${job.id}-1`)?.resources).toMatchObject({
      node: '1',
      rscgrp: 'small',
      elapse: '00:02:02',
    })
  })

  test('an exit code is that of the script', async () => {
    expect(await runToEnd(home, { run: 'exit 7' })).toMatchObject({ state: 'failed', exit_code: 7, cause: { kind: 'exit', code: 7 } })
  })

  test('three nodes run one process each, which know their rank', async () => {
    const job = await runToEnd(home, {
      numNodes: 3,
      setup: 'echo "setup $DROVER_NODE_RANK"',
      run: 'echo "rank $DROVER_NODE_RANK of $DROVER_NUM_NODES"; [ "$DROVER_NODE_RANK" != 1 ] || sleep 1',
    })
    expect(job).toMatchObject({ state: 'succeeded', exit_code: 0 })
    expect(job.ranks.map(({ node }) => node)).toEqual(['fpjm0', 'fpjm1', 'fpjm2'])
    const text = (await readLog(home.drover, job.id, { streams: ['stdout'] })).toString()
    expect(text.match(/rank \d of 3/g)?.toSorted()).toEqual(['rank 0 of 3', 'rank 1 of 3', 'rank 2 of 3'])
  })

  test('one of several ranks fails: its code is the job, the others are told to stop', async () => {
    const job = await runToEnd(home, { numNodes: 2, run: '[ "$DROVER_NODE_RANK" = 1 ] && exit 5; sleep 60' })
    expect(job).toMatchObject({ state: 'failed', exit_code: 5, cause: { kind: 'exit', rank: 1 } })
  })

  test('an array is one bulk job, and its elements are told apart', async () => {
    const job = await runToEnd(home, {
      array: { elements: { kind: 'count', count: 6 }, size: 6 },
      run: 'echo "element $DROVER_ARRAY_INDEX"; [ "$DROVER_ARRAY_INDEX" != 4 ] || exit 9',
    })
    expect(job).toMatchObject({ state: 'failed', exit_code: 9, elements: { succeeded: 5, failed: 1 } })
    expect(home.pjm.jobs().filter(({ name, model, id }) => name === `d-${job.id}-1` && model === 'BU' && !id.includes('[')).length).toBe(1)
    expect((await readLog(home.drover, job.id, { elements: [3], streams: ['stdout'] })).toString()).toBe('element 3\n')
  })

  test('a cancelled job is cancelled, whether it waits or runs', async () => {
    const running = await submit(home, { run: 'sleep 60' })
    await begun(home, await native(home, running))
    await home.drover.cancel(running.id)
    expect(await settled(home.drover, running.id, PATIENCE_MS)).toMatchObject({ state: 'cancelled' })
    const waiting = await submit(home, { numNodes: 9, run: 'true' })
    const id = await native(home, waiting)
    await home.drover.cancel(waiting.id)
    expect(await settled(home.drover, waiting.id, PATIENCE_MS)).toMatchObject({ state: 'cancelled' })
    expect(home.pjm.job(id)).toMatchObject({ word: 'CCL', pc: 1 })
  })

  // The ends that only PJM knows: the driver had no time to write a record.
  for (const [name, pc, how, wanted] of [
    ['the time limit, EXT with EC 0', 11, { sn: 24, reason: 'ELAPSE LIMIT EXCEEDED' }, { state: 'failed', cause: { kind: 'timeout' } }],
    ['memory', 12, { sn: 9, reason: 'LIMIT OVER MEMORY' }, { state: 'failed', cause: { kind: 'out_of_memory' } }],
    ['a node that went down', 20, {}, { state: 'failed', cause: { kind: 'node_failure' } }],
    ['a code that nobody knows', 99, {}, { state: 'failed', cause: { kind: 'driver' } }],
  ] as const) {
    test(`${name}: PJM code ${pc} is ${JSON.stringify(wanted)}`, async () => {
      const job = await submit(home, { run: 'sleep 60' })
      const id = await native(home, job)
      await begun(home, id)
      home.pjm.endWith(id, pc, how)
      const end = await settled(home.drover, job.id, PATIENCE_MS)
      expect(end).toMatchObject(wanted)
      if (pc === 99) expect(JSON.stringify(end)).toContain('PJM code 99')
    })
  }

  test('a parked job (ERR) and a held one stay open with the reason; deleted, they end', async () => {
    const job = await submit(home, { numNodes: 9, run: 'true' })
    const id = await native(home, job)
    home.pjm.setState(id, 'ERR', { reason: 'INTERNAL ERROR' })
    await until('it is told', PATIENCE_MS, async () => (await home.drover.get(job.id)).native_word === 'ERR')
    expect((await home.drover.get(job.id)).state).toBe('suspended')
    home.pjm.setState(id, 'HLD', { reason: 'ASHOLD' })
    await until('it is told', PATIENCE_MS, async () => (await home.drover.get(job.id)).native_word === 'HLD')
    expect((await home.drover.get(job.id)).state).toBe('queued')
    await home.drover.cancel(job.id)
    expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'cancelled' })
  })

  test.each([
    [0, { state: 'succeeded' }],
    [3, { state: 'failed', exit_code: 3, cause: { kind: 'exit' } }],
  ])("a script that lies there runs as it is, and ends by PJM's word alone: exit %i", async (code, wanted) => {
    const path = join(home.directory, `mine-${code}.sh`)
    const ran = join(home.directory, `ran-${code}`)
    writeFileSync(path, `#!/bin/sh\n#PJM -L node=2\n#PJM -g other\necho "$1" >${ran}\nexit ${code}\n`)
    const job = await runToEnd(home, { run: '', remoteScript: { path, args: ['a b'] } })
    expect(job).toMatchObject(wanted)
    expect(readFileSync(ran, 'utf8')).toBe('a b\n')
    expect(home.pjm.jobs().find(({ name }) => name === `d-${job.id}-1`)).toMatchObject({ nodes: 2 })
  })

  test("a refusal has PJM's words and a hint", async () => {
    home.pjm.change({ maxNodes: 24 })
    const job = await runToEnd(home, { numNodes: 32, run: 'true' })
    expect(job).toMatchObject({ state: 'failed', cause: { kind: 'rejected' } })
    expect(job.cause?.message).toContain('node=32 is greater than the upper limit (24).')
    home.pjm.change({ maxNodes: 384 })
  })

  test('too many accepted jobs: it waits, and runs when there is room', async () => {
    home.pjm.change({ acceptLimit: 0 })
    const job = await submit(home, { run: 'true' })
    await until('pjsub was tried', PATIENCE_MS, () => home.pjm.callLines().at(-1)?.startsWith('pjstat') === true)
    home.pjm.change({ acceptLimit: 1000 })
    expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'succeeded' })
  })

  test('target check asks both views', async () => {
    const lines = await home.drover.checkTarget('fugaku')
    expect(lines.filter(({ ok }) => !ok)).toEqual([])
    expect(lines.map(({ check }) => check)).toEqual(expect.arrayContaining(['pjstat', 'pjstat -H', 'limits']))
  })
})

describe('a submit without an answer', () => {
  test.each(['made', 'not made'] as const)('%s: one job runs, once', async (made) => {
    const home = await PjmHome.open()
    try {
      const runs = join(home.directory, 'runs')
      if (made === 'made') home.pjm.submitThenHang()
      else home.pjm.submitHangsUnmade()
      const job = await submit(home, { run: `echo run >>${runs}` })
      await until('pjsub hangs', PATIENCE_MS, () => home.pjm.calls('pjsub') > 0)
      await home.supervisorKill9()
      home.pjm.recover({ lost: true })
      await home.restart()
      expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'succeeded' })
      expect(readFileSync(runs, 'utf8')).toBe('run\n')
      expect(home.pjm.jobs().length).toBe(1)
    } finally {
      await home.close()
    }
  })
})

describe('disputed behaviour: either way the same ends', () => {
  test.each([
    ['an ended id gives a header only', { oneEndedId: 'header' }, ''],
    ['an ended id is an error', { oneEndedId: 'error' }, ''],
    ['errors on stdout, end 0', { oneEndedId: 'error', errorStream: 'stdout', errorCode: 0 }, ''],
    ['the history lags', { historyDelayMs: 1500 }, ''],
    ['long words and a banner, INFO with a dot', { words: 'long', banner: ['Welcome', '[notice] maintenance'], infoDot: true }, ''],
    ['names are cut in CSV', { csvNamesCut: true }, ''],
    ['tables, in which names are cut', {}, '    pjstat: table\n'],
    ['blocks', {}, '    pjstat: blocks\n'],
    ['another rank variable, output of ranks on stdout', { rankVariable: 'OMPI_COMM_WORLD_RANK', rankOutput: 'stdout' }, ''],
    ['x86 with a file of hosts', { machine: 'x86', rankVariable: 'PMI_RANK' }, '    machine: x86\n    mpiexec_per_node: ppn\n'],
    ['ended sub-jobs stay in the active view', { endedSubJobs: 'active', parentState: 'runout' }, ''],
    ['an older system: counts before all', { pjstat: 'fx10' }, '    pjstat: table\n'],
    ['ended sub-jobs are nowhere until the bulk ends', { endedSubJobs: 'nowhere' }, ''],
  ] as const)('%s', async (_, fake, target) => {
    const home = await PjmHome.open({ fake, target })
    try {
      const timedOut = await submit(home, { run: 'sleep 60' })
      const two = await submit(home, { numNodes: 2, run: 'exit $((3 * DROVER_NODE_RANK))' })
      const array = await submit(home, {
        array: { elements: { kind: 'count', count: 3 }, size: 3 },
        run: '[ "$DROVER_ARRAY_INDEX" = 1 ] && sleep 60; true',
      })
      const [id, bulk] = [await native(home, timedOut), await native(home, array)]
      await begun(home, id)
      home.pjm.endWith(id, 11, { sn: 24, reason: 'ELAPSE LIMIT EXCEEDED' })
      await begun(home, `${bulk}[1]`)
      home.pjm.endWith(`${bulk}[1]`, 12, { sn: 9, reason: 'LIMIT OVER MEMORY' })
      expect(await settled(home.drover, timedOut.id, PATIENCE_MS)).toMatchObject({ state: 'failed', cause: { kind: 'timeout' } })
      expect(await settled(home.drover, two.id, PATIENCE_MS)).toMatchObject({
        state: 'failed',
        exit_code: 3,
        cause: { kind: 'exit', rank: 1 },
      })
      expect(await settled(home.drover, array.id, PATIENCE_MS)).toMatchObject({
        state: 'failed',
        cause: { kind: 'out_of_memory' },
        elements: { succeeded: 2, failed: 1 },
      })
    } finally {
      await home.close()
    }
  })
})

test("a site's own front end, without a history: states and ends all the same", async () => {
  const target = '    active_command: [pjstat]\n    history: false\n    states: {RUNNING: RUN}\n'
  const home = await PjmHome.open({ fake: { pjstat: 'wisteria' }, target })
  try {
    const go = join(home.directory, 'go')
    const job = await submit(home, { run: `while [ ! -e ${go} ]; do sleep 0.1; done; exit 6` })
    await until('its word is known', PATIENCE_MS, async () => (await home.drover.get(job.id)).native_word === 'RUNNING')
    writeFileSync(go, '')
    expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'failed', exit_code: 6 })
  } finally {
    await home.close()
  }
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'pjdel begins with %s: the job and the element are cancelled, the others go on',
  async (deleteSignal) => {
    const home = await PjmHome.open({ fake: { deleteSignal } })
    try {
      const job = await submit(home, { numNodes: 2, run: 'sleep 60' })
      const array = await submit(home, {
        array: { elements: { kind: 'count', count: 3 }, size: 3 },
        run: '[ "$DROVER_ARRAY_INDEX" = 1 ] && sleep 60; true',
      })
      await begun(home, await native(home, job))
      await begun(home, `${await native(home, array)}[1]`)
      await home.drover.cancel(job.id)
      await home.drover.cancel(array.id, { elements: [1] })
      expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'cancelled' })
      expect(await settled(home.drover, array.id, PATIENCE_MS)).toMatchObject({ elements: { succeeded: 2, cancelled: 1 } })
    } finally {
      await home.close()
    }
  },
)

describe('faults', () => {
  test('PJM down and hung, answers cut off and torn: nothing is concluded; the end is true', async () => {
    const home = await PjmHome.open()
    try {
      const go = join(home.directory, 'go')
      const job = await submit(home, { run: `while [ ! -e ${go} ]; do sleep 0.1; done; exit 4` })
      const id = await native(home, job)
      await begun(home, id)
      for (const fault of ['H,JOB_ID,ST\n,1', '', 'Segmentation fault\n']) {
        const before = home.pjm.calls('pjstat')
        home.pjm.garble('pjstat', fault, fault === '' ? 1 : 0)
        await until('it was asked', PATIENCE_MS, () => home.pjm.calls('pjstat') > before + 1)
        expect((await home.drover.get(job.id)).state).toBe('running')
      }
      home.pjm.outage('down')
      const before = home.pjm.calls('pjstat')
      await until('it was asked', PATIENCE_MS, () => home.pjm.calls('pjstat') > before + 1)
      expect((await home.drover.get(job.id)).state).toBe('running')
      writeFileSync(go, '')
      // The record is enough: the manager is still down.
      expect(await settled(home.drover, job.id, PATIENCE_MS)).toMatchObject({ state: 'failed', exit_code: 4 })
      home.pjm.recover()
      expect(existsSync(go)).toBe(true)
    } finally {
      await home.close()
    }
  })

  test('an id given out again to another job is not taken for ours', async () => {
    const home = await PjmHome.open()
    try {
      const job = await submit(home, { run: 'sleep 60' })
      const id = await native(home, job)
      await begun(home, id)
      await home.drover.wait(job.id, { until: 'started' })
      home.pjm.reuseIds(Number(id))
      const other = await submit(home, { run: 'sleep 60' })
      await begun(home, await native(home, other))
      await until('it is lost or waits for proof', PATIENCE_MS, async () => {
        const seen = await home.drover.get(job.id)
        return seen.state !== 'running' || /not|proof|known/.test(seen.reason ?? '')
      })
      expect(['running', 'lost', 'finishing']).toContain((await home.drover.get(job.id)).state)
      // The id is the other's now: ending ours must not end it.
      await home.drover.cancel(job.id)
      await until('it was asked whose the id is', PATIENCE_MS, () => home.pjm.callLines().some((line) => /^pjstat .* \d+ $/.test(line)))
      expect(home.pjm.calls('pjdel')).toBe(0)
      expect(home.pjm.job(id)?.word).toBe('RUN')
      await home.drover.cancel(other.id)
      expect(await settled(home.drover, other.id, PATIENCE_MS)).toMatchObject({ state: 'cancelled' })
    } finally {
      await home.close()
    }
  })
})
