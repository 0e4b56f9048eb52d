import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { ElementRow, NewJob, Store } from '../../src/store/store.ts'
import { temporaryHome } from './temp-home.ts'

async function openStore(): Promise<Store> {
  const store = await openSqliteStore(join(await temporaryHome(), 'store.db'))
  onTestFinished(() => store.close())
  return store
}

function newJob(id: string, fields: Partial<NewJob> = {}): NewJob {
  return { id, name: `name-${id}`, target: 'local', kind: 'local', priority: 0, createdAt: 1_000, task: '{}', after: [], ...fields }
}

test('a created job is read back whole, and slim in lists', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a1', { groupId: 'g', elementCount: 3, task: '{"x":1}', priority: -5 })], undefined)
  const expected = {
    id: 'a1',
    name: 'name-a1',
    target: 'local',
    kind: 'local',
    groupId: 'g',
    priority: -5,
    state: 'created',
    attempt: 1,
    createdAt: 1_000,
    updatedAt: 1_000,
    elementCount: 3,
  }
  expect(await store.job('a1')).toEqual({ ...expected, task: '{"x":1}' })
  expect(await store.jobs({})).toEqual([expected])
  expect(await store.openJobs()).toEqual([expected])
  expect(await store.attempts('a1')).toEqual([{ number: 1, state: 'created', createdAt: 1_000 }])
  expect(await store.events({ limit: 10 })).toMatchObject([{ jobId: 'a1', attempt: 1, type: 'state', data: { to: 'created' } }])
  expect(await store.job('none')).toBeUndefined()
})

test('a submit key makes its jobs once, also after they were removed', async () => {
  const store = await openStore()
  expect(await store.createJobs([newJob('a'), newJob('b')], 'key')).toEqual({ created: true, ids: ['a', 'b'] })
  expect(await store.createJobs([newJob('c'), newJob('d')], 'key')).toEqual({ created: false, ids: ['a', 'b'] })
  expect(await store.job('c')).toBeUndefined()
  await store.removeJobs(['a', 'b'])
  expect(await store.createJobs([newJob('e')], 'key')).toEqual({ created: false, ids: ['a', 'b'] })
})

test('a taken id is a conflict, and nothing of the call is kept', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  await expect(store.createJobs([newJob('b'), newJob('a')], 'key')).rejects.toMatchObject({ code: 'conflict' })
  expect(await store.job('b')).toBeUndefined()
  expect(await store.createJobs([newJob('b')], 'key')).toMatchObject({ created: true })
})

test('a transition is made only from its state and attempt, and writes nothing otherwise', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  const toRunning = {
    jobId: 'a',
    at: 2_000,
    from: 'created',
    attempt: 1,
    to: 'running',
    patch: { nativeId: '77', startedAt: 1_999 },
    attemptPatch: { directory: '/d', startedAt: 1_999 },
    ranks: [{ rank: 0, node: 'n0', state: 'running', pid: 5 }],
    events: [{ type: 'state', data: { from: 'created', to: 'running' } }],
  } as const
  const wrongAttempt = { ...toRunning, attempt: 2, patch: { reason: 'never' } }
  const unknown = { ...toRunning, jobId: 'gone' }
  expect(await store.apply([wrongAttempt, toRunning, toRunning, unknown])).toEqual([false, true, false, false])
  expect(await store.job('a')).toMatchObject({ state: 'running', nativeId: '77', updatedAt: 2_000 })
  expect((await store.job('a'))?.reason).toBeUndefined()
  expect(await store.attempts('a')).toEqual([{ number: 1, state: 'running', createdAt: 1_000, directory: '/d', startedAt: 1_999 }])
  expect(await store.ranks('a', 1)).toEqual([{ rank: 0, node: 'n0', state: 'running', pid: 5 }])
  expect((await store.events({ jobId: 'a', limit: 10 })).map((event) => event.data)).toEqual([
    { to: 'created' },
    { from: 'created', to: 'running' },
  ])
})

test('a transition without the state it starts from is refused, with all of its call', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  const changes = [
    { jobId: 'a', at: 2, patch: { reason: 'x' } },
    { jobId: 'a', at: 2, to: 'failed' as const },
  ]
  await expect(store.apply(changes)).rejects.toMatchObject({ code: 'internal' })
  expect((await store.job('a'))?.reason).toBeUndefined()
})

test('patches: undefined leaves, null clears, objects come back as they were', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  const cause = { kind: 'exit', code: 3, rank: 1, message: 'exit 3' } as const
  const patch = { cause, exitCode: 3, reason: 'held', usage: { cpuMs: 5 }, task: '{"y":2}', cancelRequestedAt: 9, cancelBy: 'user' }
  expect(await store.apply([{ jobId: 'a', at: 2, patch }])).toEqual([true])
  expect(await store.job('a')).toMatchObject({ ...patch, state: 'created' })
  await store.apply([{ jobId: 'a', at: 3, patch: { cause: null, reason: null, usage: null } }])
  const after = await store.job('a')
  expect(after).toMatchObject({ exitCode: 3, cancelBy: 'user', updatedAt: 3 })
  expect([after?.cause, after?.reason, after?.usage]).toEqual([undefined, undefined, undefined])
})

test('a retry ends the old attempt and begins the next in one change', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  await store.apply([{ jobId: 'a', at: 2, from: 'created', to: 'running' }])
  const retry = {
    jobId: 'a',
    at: 3,
    from: 'running',
    to: 'created',
    newAttempt: { number: 2 },
    attemptPatch: { state: 'failed', exitCode: 1, cause: { kind: 'exit', message: 'exit 1' } },
    events: [{ type: 'retry', data: {} }],
  } as const
  expect(await store.apply([{ ...retry, newAttempt: { number: 3 } }, retry, retry])).toEqual([false, true, false])
  expect(await store.job('a')).toMatchObject({ state: 'created', attempt: 2 })
  expect(await store.attempts('a')).toEqual([
    { number: 1, state: 'failed', createdAt: 1_000, exitCode: 1, cause: { kind: 'exit', message: 'exit 1' } },
    { number: 2, state: 'created', createdAt: 3 },
  ])
  expect((await store.events({ jobId: 'a', limit: 9 })).at(-1)).toMatchObject({ type: 'retry', attempt: 1 })
})

test('elements: facts add up within an attempt, a newer attempt replaces, an older one is ignored', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a', { elementCount: 2 })], undefined)
  const write = (...elements: ElementRow[]) => store.apply([{ jobId: 'a', at: 2, elements }])
  await write({ position: 1, attempt: 1, state: 'running', startedAt: 5 }, { position: 0, attempt: 1, state: 'running' })
  await write({ position: 1, attempt: 1, state: 'failed', exitCode: 2, causeKind: 'exit', endedAt: 9 })
  const failed = { position: 1, attempt: 1, state: 'failed', exitCode: 2, causeKind: 'exit', startedAt: 5, endedAt: 9 }
  expect(await store.elements('a', ['failed'])).toEqual([failed])
  expect(await store.elements('a', [])).toEqual([])
  expect(await store.elements('a')).toEqual([{ position: 0, attempt: 1, state: 'running' }, failed])
  await write({ position: 1, attempt: 2, state: 'queued' })
  await write({ position: 1, attempt: 1, state: 'succeeded' })
  expect(await store.elements('a', ['queued', 'running'])).toEqual([
    { position: 0, attempt: 1, state: 'running' },
    { position: 1, attempt: 2, state: 'queued' },
  ])
  expect(await store.elementCounts(['a', 'none'])).toEqual(new Map([['a', { running: 1, queued: 1 }]]))
})

test('element counts equal the elements after any sequence of rows', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  const states = ['queued', 'running', 'succeeded', 'failed', 'lost'] as const
  let seed = 7
  const random = (n: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % n
  }
  for (let round = 0; round < 50; round++) {
    const elements = Array.from({ length: 20 }, () => ({ position: random(30), attempt: 1 + random(3), state: states[random(5)]! }))
    await store.apply([{ jobId: 'a', at: round, elements }])
    const counted: Record<string, number> = {}
    for (const { state } of await store.elements('a')) counted[state] = (counted[state] ?? 0) + 1
    expect((await store.elementCounts(['a'])).get('a')).toEqual(counted)
  }
})

test('ranks keep what a later, poorer row does not know', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  await store.apply([{ jobId: 'a', at: 2, ranks: [{ rank: 1, node: 'n1', state: 'running', pid: 42, startedAt: 1 }] }])
  await store.apply([{ jobId: 'a', at: 3, ranks: [{ rank: 1, node: 'n1', state: 'failed', exitCode: 143, killedByPeer: true }] }])
  expect(await store.ranks('a', 1)).toEqual([
    { rank: 1, node: 'n1', state: 'failed', pid: 42, startedAt: 1, exitCode: 143, killedByPeer: true },
  ])
})

test('lists: newest first, filtered, merged over states', async () => {
  const store = await openStore()
  const jobs = Array.from({ length: 20 }, (_, n) =>
    newJob(`j${String(n).padStart(2, '0')}`, {
      name: n % 2 ? 'odd' : 'even',
      target: n < 10 ? 'x' : 'y',
      createdAt: n,
      groupId: `g${n % 3}`,
    }),
  )
  await store.createJobs(jobs, undefined)
  for (const n of [1, 4, 15]) await store.apply([{ jobId: `j${String(n).padStart(2, '0')}`, at: 50, from: 'created', to: 'failed' }])
  const ids = async (filter: Parameters<Store['jobs']>[0]) => (await store.jobs(filter)).map((job) => job.id)
  expect(await ids({ limit: 3 })).toEqual(['j19', 'j18', 'j17'])
  expect(await ids({ states: ['failed'] })).toEqual(['j15', 'j04', 'j01'])
  expect(await ids({ states: ['failed', 'created', 'failed'], limit: 5 })).toEqual(['j19', 'j18', 'j17', 'j16', 'j15'])
  expect(await ids({ states: [] })).toEqual([])
  expect(await ids({ name: 'odd', target: 'x', since: 3, until: 9 })).toEqual(['j07', 'j05', 'j03'])
  expect(await ids({ groupId: 'g2', limit: 2 })).toEqual(['j17', 'j14'])
  expect((await store.openJobs()).map((job) => job.id)).not.toContain('j15')
  expect(await store.counts()).toEqual({ created: 17, failed: 3 })
})

test('an open job stays open when lost, and opens again by a retry', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a')], undefined)
  const open = async () => (await store.openJobs()).length
  await store.apply([{ jobId: 'a', at: 1, from: 'created', to: 'lost' }])
  expect(await open()).toBe(1)
  await store.apply([{ jobId: 'a', at: 1, from: 'lost', to: 'failed' }])
  expect(await open()).toBe(0)
  await store.apply([{ jobId: 'a', at: 1, from: 'failed', to: 'created', newAttempt: { number: 2 } }])
  expect(await open()).toBe(1)
})

test('findJobs: ids by prefix, then names newest first, each once', async () => {
  const store = await openStore()
  await store.createJobs(
    [
      newJob('abc1'),
      newJob('abc2'),
      newJob('abd'),
      newJob('x1', { name: 'abc', createdAt: 1 }),
      newJob('x2', { name: 'abc', createdAt: 2 }),
      newJob('abc', { name: 'abc', createdAt: 3 }),
    ],
    undefined,
  )
  const ids = async (text: string, limit = 10) => (await store.findJobs(text, limit)).map((job) => job.id)
  expect(await ids('abc')).toEqual(['abc', 'abc1', 'abc2', 'x2', 'x1'])
  expect(await ids('abc', 2)).toEqual(['abc', 'abc1'])
  expect(await ids('ab%')).toEqual([])
  expect(await ids('ABC')).toEqual([])
  expect(await ids('')).toEqual([])
})

test('removed jobs take all that is theirs along; sequence numbers are never given twice', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a'), newJob('b', { after: [{ upstream: 'a', condition: 'ok' }] })], undefined)
  await store.apply([
    { jobId: 'b', at: 2, ranks: [{ rank: 0, node: 'n', state: 'running' }], elements: [{ position: 0, attempt: 1, state: 'running' }] },
    { jobId: 'b', at: 2, events: [{ type: 'warning', data: {} }] },
  ])
  expect(await store.dependents('a')).toEqual([{ jobId: 'b', upstream: 'a', condition: 'ok' }])
  await store.removeJobs(['a'])
  expect(await store.dependencies('b')).toEqual([{ jobId: 'b', upstream: 'a', condition: 'ok' }])
  const last = (await store.events({ limit: 10 })).at(-1)!.seq
  await store.removeJobs(['b', 'unknown'])
  expect([await store.events({ limit: 10 }), await store.attempts('b'), await store.ranks('b', 1), await store.elements('b')]).toEqual([
    [],
    [],
    [],
    [],
  ])
  expect([await store.dependencies('b'), await store.elementCounts(['b'])]).toEqual([[], new Map()])
  await store.createJobs([newJob('c')], undefined)
  expect((await store.events({ limit: 10 }))[0]!.seq).toBeGreaterThan(last)
})

test('events: after a number, of one job or all, oldest first', async () => {
  const store = await openStore()
  await store.createJobs([newJob('a'), newJob('b')], undefined)
  await store.apply([{ jobId: 'a', at: 5, events: [1, 2, 3].map((n) => ({ type: 'observed', data: { n, text: 'ü\u0000"' } })) }])
  const all = await store.events({ limit: 100 })
  expect(all.map((event) => event.seq)).toEqual([...all.map((event) => event.seq)].sort((a, b) => a - b))
  const after = all[2]!.seq
  expect((await store.events({ jobId: 'a', after, limit: 1 })).map((event) => event.data)).toEqual([{ n: 2, text: 'ü\u0000"' }])
  expect(await store.events({ jobId: 'b', after, limit: 5 })).toEqual([])
})

test('hostile text comes back unchanged', async () => {
  const store = await openStore()
  const hostile = `'; drop table jobs; -- "$(x)" \n\t%_ ${'ä'.repeat(100_000)}`
  await store.createJobs([newJob('a', { name: hostile, task: JSON.stringify(hostile) })], hostile)
  expect((await store.findJobs(hostile, 2))[0]?.name).toBe(hostile)
  expect((await store.createJobs([newJob('b')], hostile)).created).toBe(false)
})
