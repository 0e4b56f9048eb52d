import { chmod, copyFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { NewJob } from '../../src/store/store.ts'
import { startChild } from './child.ts'
import { temporaryHome } from './temp-home.ts'

function newJob(id: string, task = '{}'): NewJob {
  return { id, name: 'n', target: 'local', kind: 'local', priority: 0, createdAt: 1, task, after: [] }
}

/** A closed store with some jobs in it. */
async function filledStore(jobs = 200): Promise<string> {
  const path = join(await temporaryHome(), 'store.db')
  const store = await openSqliteStore(path, { droverVersion: '1.2.3' })
  await store.createJobs(
    Array.from({ length: jobs }, (_, n) => newJob(`j${n}`, 'x'.repeat(500))),
    undefined,
  )
  await store.close()
  return path
}

test('two processes race on every job: each transition is made once', async () => {
  const jobs = 400
  const path = await filledStore(jobs)
  const children = [startChild('open-child.ts', [path]), startChild('open-child.ts', [path])]
  for (const child of children) expect(await child.next()).toBe('open')
  for (const child of children) child.say(`race ${jobs}`)
  const made = (await Promise.all(children.map((child) => child.next()))) as number[]
  expect(made[0]! + made[1]!).toBe(jobs)
  const store = await openSqliteStore(path)
  const events = (await store.events({ limit: 10 * jobs })).filter((event) => event.data.by !== undefined)
  expect(new Set(events.map((event) => event.jobId)).size).toBe(jobs)
  expect(events).toHaveLength(jobs)
  await store.close()
})

test('processes that create one store at the same time all open it', async () => {
  const path = join(await temporaryHome(), 'a', 'store.db')
  const children = Array.from({ length: 6 }, () => startChild('open-child.ts', [path]))
  expect(await Promise.all(children.map((child) => child.next()))).toEqual(Array(6).fill('open'))
})

test('what was committed is there after a kill in mid-work', async () => {
  const path = await filledStore(2_000)
  const child = startChild('open-child.ts', [path])
  expect(await child.next()).toBe('open')
  child.say('race 2000')
  const store = await openSqliteStore(path)
  while ((await store.counts()).running === undefined) await new Promise((resolve) => setImmediate(resolve))
  await child.kill()
  await store.close()
  const again = await openSqliteStore(path)
  const running = (await again.counts()).running ?? 0
  const events = (await again.events({ limit: 10_000 })).filter((event) => event.data.by !== undefined)
  expect(running).toBeGreaterThan(0)
  expect(events).toHaveLength(running)
  await again.close()
})

test('file 0600, directory 0700, also when the file was readable before; long paths', async () => {
  const home = join(await temporaryHome(), 'h'.repeat(200), 'home')
  const path = join(home, 'store.db')
  const first = await openSqliteStore(path)
  await first.createJobs([newJob('a')], undefined)
  for (const name of await readdir(home)) expect([name, (await stat(join(home, name))).mode & 0o777]).toEqual([name, 0o600])
  expect((await stat(home)).mode & 0o777).toBe(0o700)
  await first.close()
  await chmod(path, 0o644)
  await (await openSqliteStore(path)).close()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const tooLong = join(home, ...Array(3).fill('x'.repeat(200)), 'store.db')
  await expect(openSqliteStore(tooLong)).rejects.toMatchObject({ code: 'store_unusable', message: expect.stringContaining('longer than') })
})

test('a store of a newer Drover: both versions named, nothing changed', async () => {
  const path = await filledStore()
  const database = new DatabaseSync(path)
  database.exec(`insert into schema_version values (99, '7.1.0', 0)`)
  database.close()
  const before = await readFile(path)
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: 'store_newer',
    level: 'config',
    message: expect.stringMatching(/version 99, written by Drover 7\.1\.0; this Drover reads up to 1/),
    details: { hint: expect.stringContaining('Use Drover 7.1.0') },
  })
  expect((await readFile(path)).equals(before)).toBe(true)
})

test('damaged pages: what quick_check said, and the file as it was', async () => {
  const path = await filledStore()
  const bytes = await readFile(path)
  // The pages after the schema's: trees and their content.
  bytes.fill(0x5a, 4096 * 4, 4096 * 12)
  await writeFile(path, bytes)
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: 'store_unusable',
    message: expect.stringMatching(/store\.db: PRAGMA quick_check said: .+/),
    details: { hint: expect.stringMatching(/left untouched.*exit records.*cp -p/) },
  })
  expect((await readFile(path)).equals(bytes)).toBe(true)
})

test.each([
  ['cut off', (path: string) => truncate(path, 4096 * 3 + 100), /quick_check|malformed/],
  [
    'damaged header',
    async (path: string) => writeFile(path, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8_000, 7)])),
    /quick_check|not a database/,
  ],
  ['no database', (path: string) => writeFile(path, 'hello'), /not a database/],
  ['long text', (path: string) => writeFile(path, 'hello '.repeat(10_000)), /not a database/],
  [
    'of another program',
    async (path: string) => {
      await truncate(path, 0)
      const database = new DatabaseSync(path)
      database.exec('create table other (x)')
      database.close()
    },
    /another program/,
  ],
] as const)('%s: store_unusable, and the file as it was', async (_, damage, message) => {
  const path = await filledStore()
  await damage(path)
  const before = await readFile(path)
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: 'store_unusable',
    level: 'config',
    message: expect.stringMatching(message),
  })
  expect((await readFile(path)).equals(before)).toBe(true)
})

test('damage met while running is told with what quick_check says', async () => {
  const path = await filledStore(2_000)
  const copy = `${path}.copy`
  await copyFile(path, copy)
  const store = await openSqliteStore(copy)
  const bytes = await readFile(copy)
  bytes.fill(0x5a, 4096 * 20)
  await writeFile(copy, bytes)
  await expect(store.jobs({ limit: 2_000 })).rejects.toMatchObject({
    code: 'store_unusable',
    message: expect.stringContaining('quick_check'),
  })
  await store.close().catch(() => undefined)
})

test('an empty file becomes a store', async () => {
  const path = join(await temporaryHome(), 'store.db')
  await writeFile(path, '')
  const store = await openSqliteStore(path)
  expect(await store.jobs({})).toEqual([])
  await store.close()
})

test('no space: no_space, nothing half written, and usable again when there is room', async () => {
  const path = await filledStore(1)
  const { size } = await stat(path)
  const full = await openSqliteStore(path, { maxBytes: size + 20_000 })
  const many = [newJob('small'), ...Array.from({ length: 50 }, (_, n) => newJob(`big${n}`, 'x'.repeat(5_000)))]
  await expect(full.createJobs(many, 'key')).rejects.toMatchObject({ code: 'no_space', transient: true })
  expect(await full.job('small')).toBeUndefined()
  expect((await full.apply([{ jobId: 'j0', at: 2, from: 'created', to: 'queued' }]))[0]).toBe(true)
  await full.close()
  const roomy = await openSqliteStore(path)
  expect(await roomy.createJobs(many, 'key')).toMatchObject({ created: true })
  await roomy.close()
})

test('network file system: exclusive, no shared-memory file, data kept across both kinds', async () => {
  const path = await filledStore(3)
  const network = await openSqliteStore(path, { detectFilesystem: async () => 'network', busyTimeoutMs: 50 })
  await network.createJobs([newJob('n')], undefined)
  expect((await readdir(join(path, '..'))).filter((name) => /-(shm|wal)$/.test(name))).toEqual([])
  const second = openSqliteStore(path, { detectFilesystem: async () => 'network', busyTimeoutMs: 50 })
  await expect(second).rejects.toMatchObject({
    code: 'store_unusable',
    transient: true,
    message: expect.stringContaining('another process holds it'),
  })
  await network.close()
  const local = await openSqliteStore(path, { detectFilesystem: async () => 'local' })
  expect((await local.jobs({})).length).toBe(4)
  await local.close()
})

test('directories and files without permission: no_permission', async () => {
  const home = await temporaryHome()
  const uid = process.getuid?.() === 0 ? 65_534 : undefined
  await chmod(home, 0o755)
  const readOnly = join(home, 'ro')
  await mkdir(readOnly)
  await chmod(readOnly, 0o555)
  const cases = [join(readOnly, 'store.db'), join(readOnly, 'below', 'store.db')]
  for (const path of cases) {
    const child = startChild('open-child.ts', [path], uid === undefined ? {} : { uid })
    expect([path, await child.next()]).toEqual([path, { code: 'no_permission' }])
  }
  await writeFile(join(home, 'file'), '')
  await expect(openSqliteStore(join(home, 'file', 'store.db'))).rejects.toMatchObject({ code: 'store_unusable' })
})

test('a statement on a closed store fails loudly', async () => {
  const store = await openSqliteStore(await filledStore(1))
  await store.close()
  await store.close()
  await expect(store.job('j0')).rejects.toThrow()
  await expect(store.apply([{ jobId: 'j0', at: 1 }])).rejects.toThrow()
})
