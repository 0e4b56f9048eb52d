import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDryRunTransport } from '../../src/transports/dry-run-transport.ts'
import { createLocalTransport } from '../../src/transports/local-transport.ts'
import type { Transport } from '../../src/transports/transport.ts'

let at = ''
let transport: Transport
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-local-'))
  transport = createLocalTransport()
})
afterEach(async () => {
  await transport.close()
  rmSync(at, { recursive: true, force: true })
})
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const watchers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap' || name === 'FSEvent').length

test('write: modes whatever the umask, parents, in place, never through a link', async () => {
  const file = join(at, 'a/b/f')
  const write = (content: string, mode = 0o600): Promise<void> => transport.write([join(at, 'a/b')], [{ path: file, mode, content }])
  await write('one')
  expect([statSync(join(at, 'a')).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600])
  const { ino } = statSync(file)
  await write('two', 0o700)
  expect([statSync(file).ino, statSync(file).mode & 0o777, readFileSync(file, 'utf8')]).toEqual([ino, 0o700, 'two'])
  rmSync(file)
  writeFileSync(join(at, 'outside'), 'untouched')
  symlinkSync(join(at, 'outside'), file)
  await write('three')
  expect([readFileSync(join(at, 'outside'), 'utf8'), lstatSync(file).isFile(), readFileSync(file, 'utf8')]).toEqual([
    'untouched',
    true,
    'three',
  ])
})

test('write: what the system refuses is named', async () => {
  await expect(transport.write([], [{ path: '/dev/full/x', mode: 0o600, content: '' }])).rejects.toMatchObject({ code: 'staging_failed' })
  await expect(transport.write(['/proc/nope'], [])).rejects.toThrow(/cannot make directory \/proc\/nope/)
  mkdirSync(join(at, 'd'))
  await expect(transport.write([], [{ path: join(at, 'd'), mode: 0o600, content: '' }])).rejects.toThrow(join(at, 'd'))
})

test('read: pieces, beyond the end, missing', async () => {
  writeFileSync(join(at, 'f'), '0123456789')
  const pieces = await transport.read([
    { path: join(at, 'f'), offset: 3, maxBytes: 4 },
    { path: join(at, 'f'), offset: 99, maxBytes: 4 },
    { path: join(at, 'none'), offset: 0, maxBytes: 4 },
  ])
  expect(pieces.map((piece) => [Buffer.from(piece.bytes).toString(), piece.size, piece.missing])).toEqual([
    ['3456', 10, false],
    ['', 10, false],
    ['', 0, true],
  ])
})

test('watch: awaits a missing path, hears growth and replacement, ends on abort', async () => {
  const before = watchers()
  const controller = new AbortController()
  let calls = 0
  const file = join(at, 'later/deeper/f')
  transport.watch(file, () => calls++, controller.signal)
  mkdirSync(join(at, 'later/deeper'), { recursive: true })
  writeFileSync(file, 'x')
  await until(() => calls > 0)
  for (const step of [
    () => appendFileSync(file, 'y'),
    () => rmSync(file),
    () => writeFileSync(file, 'new'),
    () => appendFileSync(file, 'z'),
  ]) {
    // Calls of the step before are let through first: a change of its own is what counts.
    await new Promise((resolve) => setTimeout(resolve, 30))
    const heard = calls
    step()
    if (step.toString().includes('rmSync')) continue
    await until(() => calls > heard)
  }
  expect(watchers()).toBeGreaterThan(before)
  controller.abort()
  const heard = calls
  appendFileSync(file, 'unheard')
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([calls, watchers()]).toEqual([heard, before])
})

test('putTree: links and modes stay; what exists is a conflict', async () => {
  const from = join(at, 'from')
  mkdirSync(join(from, 'ro'), { recursive: true })
  writeFileSync(join(from, 'ro/x'), 'x', { mode: 0o755 })
  symlinkSync('ro/x', join(from, 'l'))
  chmodSync(join(from, 'ro'), 0o500)
  await transport.putTree(from, ['ro', 'ro/x', 'l'], join(at, 'to'))
  expect([statSync(join(at, 'to/ro')).mode & 0o777, statSync(join(at, 'to/ro/x')).mode & 0o777, readlinkSync(join(at, 'to/l'))]).toEqual([
    0o500,
    0o755,
    'ro/x',
  ])
  await expect(transport.putTree(from, ['l'], join(at, 'to'))).rejects.toMatchObject({ code: 'conflict' })
  await transport.remove([join(at, 'to'), join(at, 'never')])
  expect(() => statSync(join(at, 'to'))).toThrow()
})

test('getTree: globs, whole directories, nothing from outside', async () => {
  const from = join(at, 'work')
  for (const path of ['out/a.json', 'out/deep/b.json', 'out/c.txt', 'top.json', 'model/w']) {
    mkdirSync(join(from, path, '..'), { recursive: true })
    writeFileSync(join(from, path), path)
  }
  writeFileSync(join(at, 'secret'), 's')
  symlinkSync('../../secret', join(from, 'out/leak.json'))
  symlinkSync('a.json', join(from, 'out/latest.json'))
  symlinkSync(at, join(from, 'up'))
  const get = (...globs: string[]): Promise<readonly string[]> => transport.getTree(from, globs, join(at, 'got'))
  expect(await get('**/*.json')).toEqual(['out/a.json', 'out/deep/b.json', 'out/latest.json', 'top.json'])
  expect(await get('model/', 'out/*.{txt,md}')).toEqual(['model/w', 'out/c.txt'])
  expect(await get('up/**')).toEqual([])
  expect(await get('nothing')).toEqual([])
  expect(readlinkSync(join(at, 'got/out/latest.json'))).toBe('a.json')
  await expect(get('../*')).rejects.toMatchObject({ code: 'invalid_argument' })
  await expect(get('/etc/*')).rejects.toMatchObject({ code: 'invalid_argument' })
})

test('dry run performs nothing', async () => {
  const dry = createDryRunTransport()
  await dry.write([join(at, 'd')], [{ path: join(at, 'f'), mode: 0o600, content: 'x' }])
  await dry.remove([at])
  expect(dry.actions.map((action) => action.kind)).toEqual(['write', 'remove'])
  expect(() => statSync(join(at, 'd'))).toThrow()
  expect(statSync(at).isDirectory()).toBe(true)
})
