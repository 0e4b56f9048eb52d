import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { acquireLease, isStillMine, type Lease, type LeaseWorld, readLease, releaseLease } from '../../src/store/lease.ts'
import { startChild } from './child.ts'
import { temporaryHome } from './temp-home.ts'

/** A process of another time or place. Processes alive are `pid:startTime`. */
function world(host: string, bootId: string, pid: number, alive: readonly string[]): LeaseWorld {
  return {
    identity: async () => ({ host, bootId, pid, startTime: '1' }),
    startTime: async (wanted) => alive.find((process) => process.startsWith(`${wanted}:`))?.split(':')[1],
  }
}

const REQUEST = { socket: '/s', droverVersion: '9' }

async function acquire(home: string, from?: LeaseWorld): Promise<Lease> {
  const outcome = await acquireLease(home, REQUEST, from)
  expect(outcome.kind).toBe('acquired')
  return outcome.lease
}

test('twelve processes at once: one wins, and after its death one of the others', async () => {
  const home = join(await temporaryHome(), 'new')
  const children = Array.from({ length: 12 }, () => startChild('lease-child.ts', [home]))
  await Promise.all(children.map((child) => child.next()))
  let left = children
  for (let generation = 1; generation <= 3; generation++) {
    for (const child of left) child.say('go')
    const answers = await Promise.all(left.map((child) => child.next()))
    const winners = left.filter((_, n) => Reflect.get(answers[n] as object, 'won') !== undefined)
    expect(winners).toHaveLength(1)
    expect(answers).toContainEqual({ won: generation })
    const { pid } = winners[0]!.process
    expect(answers.filter((answer) => Reflect.get(answer as object, 'lost') === pid)).toHaveLength(left.length - 1)
    expect(await readLease(home)).toMatchObject({ kind: 'held', lease: { pid, generation } })
    expect((await readdir(home)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    await winners[0]!.kill()
    left = left.filter((child) => child !== winners[0])
  }
})

test('released and taken again and again by racing processes: never two holders', async () => {
  const home = await temporaryHome()
  const children = Array.from({ length: 4 }, () => startChild('lease-child.ts', [home]))
  await Promise.all(children.map((child) => child.next()))
  for (let round = 0; round < 25; round++) {
    for (const child of children) child.say('go')
    const answers = (await Promise.all(children.map((child) => child.next()))) as { readonly won?: number }[]
    const winner = answers.findIndex((answer) => answer.won !== undefined)
    expect(answers.filter((answer) => answer.won !== undefined)).toEqual([{ won: 2 * round + 1 }])
    for (const child of children) child.say('mine')
    expect((await Promise.all(children.map((child) => child.next()))).filter((mine) => mine === true)).toHaveLength(1)
    children[winner]!.say('release')
    await children[winner]!.next()
    expect(await readLease(home)).toMatchObject({ kind: 'free' })
  }
  expect((await readdir(home)).filter((name) => name.startsWith('lease'))).toHaveLength(1)
})

test.each([
  ['the process is gone', 'h', 'boot1', []],
  ['its id was given to another process', 'h', 'boot1', ['5:777']],
  ['the host was booted since', 'h', 'boot2', ['5:1']],
] as const)('taken over when %s', async (_, host, boot, alive) => {
  const home = await temporaryHome()
  const first = await acquire(home, world('h', 'boot1', 5, []))
  expect(await readLease(home, world('h', 'boot1', 5, ['5:1']))).toMatchObject({ kind: 'held', generation: 1 })
  expect(isStillMine(home, first.generation)).toBe(true)
  const second = await acquire(home, world(host, boot, 6, alive))
  expect(second).toMatchObject({ generation: 2, pid: 6, boot_id: boot })
  expect([isStillMine(home, first.generation), isStillMine(home, second.generation)]).toEqual([false, true])
  await releaseLease(home, first)
  expect(isStillMine(home, second.generation)).toBe(true)
})

test('held by a living process of this host: named, and left alone', async () => {
  const home = await temporaryHome()
  await acquire(home, world('h', 'b', 5, []))
  expect(await acquireLease(home, REQUEST, world('h', 'b', 6, ['5:1']))).toMatchObject({ kind: 'held', lease: { pid: 5, generation: 1 } })
  expect(await readLease(home, world('h', 'b', 6, ['5:1']))).toMatchObject({ kind: 'held' })
})

test('held on another host: named, never fought, whatever runs here', async () => {
  const home = await temporaryHome()
  const first = await acquire(home, world('login1', 'b', 5, []))
  const there = world('login2', 'c', 6, [])
  await expect(acquireLease(home, REQUEST, there)).rejects.toMatchObject({
    code: 'supervisor_elsewhere',
    message: expect.stringMatching(/login1.*process 5/),
    details: { hint: expect.stringContaining('ssh login1') },
  })
  expect(await readLease(home, there)).toMatchObject({ kind: 'elsewhere' })
  expect(isStillMine(home, first.generation)).toBe(true)
  await releaseLease(home, first)
  expect(await acquire(home, there)).toMatchObject({ host: 'login2', generation: 3 })
})

test.each([
  ['empty', ''],
  ['cut off', '{"version":1,"generation":4,"ho'],
  ['no JSON', '\u0000\u0000\u0000'],
  [
    'of another generation',
    '{"generation":3,"host":"h","boot_id":"b","pid":1,"start_time":"1","socket":"","drover_version":"","released":false}',
  ],
])('a damaged lease (%s) is succeeded', async (_, text) => {
  const home = await temporaryHome()
  await writeFile(join(home, 'lease.4.json'), text)
  expect(await readLease(home)).toEqual({ kind: 'unreadable', generation: 4 })
  expect((await acquire(home)).generation).toBe(5)
})

test('a lease of a later format still names its holder', async () => {
  const home = await temporaryHome()
  const record = {
    version: 2,
    generation: 7,
    host: 'h',
    boot_id: 'b',
    pid: 5,
    start_time: '1',
    socket: '/x',
    drover_version: '12',
    released: false,
    more: {},
  }
  await writeFile(join(home, 'lease.7.json'), JSON.stringify(record))
  expect(await readLease(home, world('h', 'b', 6, ['5:1']))).toMatchObject({ kind: 'held', lease: { socket: '/x', drover_version: '12' } })
})

test('files: 0600 in a 0700 directory, abandoned temporary ones removed, young ones and others left', async () => {
  const home = join(await temporaryHome(), 'deep', 'home')
  await mkdir(home, { recursive: true })
  await writeFile(join(home, '.lease.00ff.tmp'), '')
  await writeFile(join(home, '.lease.00fe.tmp'), '')
  await writeFile(join(home, 'lease.json'), 'mine')
  await utimes(join(home, '.lease.00ff.tmp'), 1, 1)
  await acquire(home)
  expect((await readdir(home)).sort()).toEqual(['.lease.00fe.tmp', 'lease.1.json', 'lease.json'])
  expect((await stat(join(home, 'lease.1.json'))).mode & 0o777).toBe(0o600)
  const made = join(home, 'made')
  await acquire(made)
  expect((await stat(made)).mode & 0o777).toBe(0o700)
})

test('a home that is not there is free, and not mine', async () => {
  const home = join(await temporaryHome(), 'none')
  expect(await readLease(home)).toEqual({ kind: 'free', generation: 0 })
  expect(isStillMine(home, 1)).toBe(false)
})
