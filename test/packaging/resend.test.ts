import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readManifest } from '../../src/packaging/content-hash.ts'
import { packageCode, packageCodeAt, packageMount } from '../../src/packaging/package-code.ts'
import { shipBundle } from '../../src/packaging/ship-bundle.ts'
import { walkDirectory } from '../../src/packaging/walk-directory.ts'
import { createLocalTransport } from '../../src/transports/local-transport.ts'
import type { Transport } from '../../src/transports/transport.ts'

let local: Transport
/** What went over the transport: round trips, and the entries of each tree that was put. */
let calls: string[] = []
let sent: (readonly string[])[] = []
let transport: Transport
const made: string[] = []

const listArchive = (archive: Buffer): string[] =>
  execFileSync('tar', ['--quoting-style=literal', '-tf', '-'], { input: archive, encoding: 'utf8' })
    .split('\n')
    .slice(1, -1)
    .map((name) => name.replace(/\/$/, ''))
let code = ''
let root = ''

beforeAll(() => {
  local = createLocalTransport()
  transport = {
    ...local,
    name: 'counted',
    run: (script, options) => {
      calls.push('run')
      // An archive that goes with its script; its first name is the manifest's.
      if (Buffer.isBuffer(options?.stdin)) sent.push(listArchive(options.stdin))
      return local.run(script, options)
    },
    putTree: (source, entries, destination) => {
      calls.push('putTree')
      sent.push(entries)
      return local.putTree(source, entries, destination)
    },
  }
})
beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'drover-resend-'))
  made.push(base)
  code = join(base, 'code')
  root = join(base, "ro'ot $x")
  mkdirSync(code)
})
afterAll(async () => {
  await local.close()
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const put = (path: string, text = path): void => {
  mkdirSync(dirname(join(code, path)), { recursive: true })
  writeFileSync(join(code, path), text)
}
const pack = async (): Promise<string> => {
  calls = []
  sent = []
  const packaged = await packageCode({ kind: 'directory', path: code }, root, transport)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  return join(root, 'bundles', packaged.hash)
}
const contentOf = async (directory: string): Promise<string> =>
  (await readManifest(directory, await walkDirectory(directory, { ignoreFiles: false }))).hash
const same = async (bundle: string): Promise<void> => expect(await contentOf(bundle)).toBe(await contentOf(code))

test('unchanged: one round trip, nothing sent', async () => {
  put('a')
  await pack()
  await pack()
  expect(calls).toEqual(['run'])
})

test('changed files are sent alone; the earlier bundle stays as it was', async () => {
  for (let at = 0; at < 50; at++) put(`src/${at % 5}/f${at}`)
  put('- rf')
  put('new\nline')
  put('src/gone')
  symlinkSync('src', join(code, 'link'))
  mkdirSync(join(code, 'empty'))
  const first = await pack()
  const before = await contentOf(first)
  put('src/1/f1', 'changed')
  put('- rf', 'changed')
  put('new\nline', 'changed')
  rmSync(join(code, 'src/gone'))
  rmSync(join(code, 'link'))
  symlinkSync('empty', join(code, 'link'))
  chmodSync(join(code, 'src/2/f2'), 0o755)
  chmodSync(join(code, 'src/3'), 0o700)
  const second = await pack()
  expect(sent).toEqual([['- rf', 'link', 'new\nline', 'src', 'src/1', 'src/1/f1', 'src/2', 'src/2/f2', 'src/3']])
  expect(calls).toEqual(['run', 'putTree', 'run'])
  await same(second)
  expect(await contentOf(first)).toBe(before)
  expect(statSync(join(second, 'src/4/f4')).ino).toBe(statSync(join(first, 'src/4/f4')).ino)
  expect(readdirSync(join(root, 'bundles')).filter((name) => !name.startsWith('.')).length).toBe(2)
  expect(
    readdirSync(join(root, 'bundles'))
      .filter((name) => name.startsWith('.'))
      .sort(),
  ).toEqual(['.families', '.latest', '.manifests', '.used'])
})

test('a file becomes a directory and the other way round; what is only removed is not sent', async () => {
  put('a')
  put('b/x')
  put('c/y/z')
  put('keep')
  await pack()
  rmSync(join(code, 'a'))
  put('a/x')
  rmSync(join(code, 'b'), { recursive: true })
  put('b')
  await same(await pack())
  rmSync(join(code, 'c'), { recursive: true })
  await same(await pack())
  expect(calls).toEqual(['run', 'run'])
})

test('read-only directories', async () => {
  put('ro/a')
  put('ro/b')
  put('c')
  chmodSync(join(code, 'ro'), 0o555)
  await pack()
  chmodSync(join(code, 'ro'), 0o755)
  put('ro/a', 'changed')
  chmodSync(join(code, 'ro'), 0o555)
  const second = await pack()
  await same(second)
  for (const directory of [code, ...readdirSync(join(root, 'bundles')).map((name) => join(root, 'bundles', name))])
    if (existsSync(join(directory, 'ro'))) chmodSync(join(directory, 'ro'), 0o755)
})

test.each<[string, (first: string) => void]>([
  ['lacks a file', (first) => rmSync(join(first, 'b'))],
  ['is gone', (first) => rmSync(first, { recursive: true })],
  [
    'has a manifest of something else',
    (first) => writeFileSync(join(dirname(first), '.manifests', first.split('/').at(-1)!), 'd 700 - "x"\n'),
  ],
  ['has no manifest', (first) => rmSync(join(dirname(first), '.manifests'), { recursive: true })],
])('where the earlier bundle %s, all is sent', async (_name, spoil) => {
  put('a')
  put('b')
  put('c')
  spoil(await pack())
  put('a', 'changed')
  const second = await pack()
  await same(second)
  expect(sent.at(-1)).toEqual(['a', 'b', 'c'])
})

test('hostile ends of the commands on the target: cp without hard links, mv without -T', async () => {
  put('a')
  put('d/b')
  await pack()
  const plain: Transport = {
    ...transport,
    run: (script, options) =>
      local.run(
        `cp() { case $1 in *l) return 1 ;; esac; command cp "$@"; }\nmv() { [ "$1" != -T ] || return 1; command mv "$@"; }\n${script}`,
        options,
      ),
  }
  put('d/b', 'changed')
  const packaged = await packageCode({ kind: 'directory', path: code }, root, plain)
  if (packaged.kind === 'bundle') await same(join(root, 'bundles', packaged.hash))
})

test('several nodes: read once, the same everywhere; one that has it gets nothing', async () => {
  put('a')
  await pack()
  const places = [root, `${root}-2`, `${root}-3`].map((one) => ({ root: one, transport }))
  sent = []
  const packaged = await packageCodeAt({ kind: 'directory', path: code }, places)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  for (const place of places) expect(readFileSync(join(place.root, 'bundles', packaged.hash, 'a'), 'utf8')).toBe('a')
  expect(sent).toEqual([['a'], ['a']])
})

test.each([
  ['with the script', 'a'],
  // No name for a plain archive.
  ['by itself', 'a\nb'],
])('code that changes while it is sent %s is read again; nothing is left of the first try', async (_how, name) => {
  put(name, '1')
  let once = true
  const disturb = (): void => {
    if (once) put(name, '2')
    once = false
  }
  const disturbing: Transport = {
    ...transport,
    run: async (script, options) => {
      if (options?.stdin !== undefined) disturb()
      return await local.run(script, options)
    },
    putTree: async (...args) => {
      disturb()
      await local.putTree(...args)
    },
  }
  const packaged = await packageCode({ kind: 'directory', path: code }, root, disturbing)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  expect(readFileSync(join(root, 'bundles', packaged.hash, name), 'utf8')).toBe('2')
  expect(
    readdirSync(join(root, 'bundles'))
      .filter((entry) => entry.startsWith('.'))
      .sort(),
  ).toEqual(['.families', '.latest', '.manifests', '.used'])
  // Whatever stands under a name is what the name says.
  for (const hash of readdirSync(join(root, 'bundles')).filter((entry) => !entry.startsWith('.')))
    expect(await contentOf(join(root, 'bundles', hash))).toBe(hash)
})

test('a little goes with the script, also the first time; without tar there, or in bulk, it goes by itself', async () => {
  put('a')
  chmodSync(join(code, 'a'), 0o640)
  symlinkSync('/nowhere', join(code, 'link'))
  mkdirSync(join(code, 'ro'))
  put('ro/b')
  chmodSync(join(code, 'ro'), 0o555)
  const first = await pack()
  await same(first)
  expect(calls).toEqual(['run', 'run'])
  const noTar: Transport = { ...transport, run: (script, options) => transport.run(`command() { return 1; }\n${script}`, options) }
  chmodSync(join(code, 'ro'), 0o755)
  put('a', 'changed')
  calls = []
  const packaged = await packageCode({ kind: 'directory', path: code }, root, noTar)
  if (packaged.kind === 'bundle') await same(join(root, 'bundles', packaged.hash))
  expect(calls).toEqual(['run', 'run', 'run', 'putTree', 'run'])
  put('large', 'x'.repeat(5 * 1024 ** 2))
  await same(await pack())
  expect(calls).toEqual(['run', 'putTree', 'run'])
  for (const hash of readdirSync(join(root, 'bundles')).filter((entry) => !entry.startsWith('.')))
    chmodSync(join(root, 'bundles', hash, 'ro'), 0o755)
})

test('a bundle that was changed in place is not shipped, though the times of the file look as before', async () => {
  put('large', 'x'.repeat(5 * 1024 ** 2))
  put('b')
  const bundle = await pack()
  const hash = bundle.split('/').at(-1)!
  const { atime, mtime } = statSync(join(bundle, 'b'))
  writeFileSync(join(bundle, 'b'), 'c')
  utimesSync(join(bundle, 'b'), atime, mtime)
  await expect(shipBundle(hash, root, 'lab', [{ root: `${root}-node`, transport }])).rejects.toThrow(/has been changed/)
  writeFileSync(join(bundle, 'b'), 'b')
  await shipBundle(hash, root, 'lab', [{ root: `${root}-node`, transport }])
  await same(join(`${root}-node`, 'bundles', hash))
  rmSync(join(bundle, 'b'))
  await expect(shipBundle(hash, root, 'lab', [{ root: `${root}-other`, transport }])).rejects.toThrow(/has been changed|cannot/)
  expect(existsSync(join(`${root}-other`, 'bundles', hash))).toBe(false)
})

test('a bundle is shipped on as what it is, and only what changed of the same directory', async () => {
  const node = { root: `${root}-node`, transport }
  put('a')
  put('b')
  put('.git/HEAD')
  const packed = async (): Promise<string> => {
    const packaged = await packageCode({ kind: 'directory', path: code, keepGit: true }, root, transport)
    return packaged.kind === 'bundle' ? packaged.hash : ''
  }
  await shipBundle(await packed(), root, 'lab', [node])
  await shipBundle((await packageMount(join(code, 'b'), root, transport)).split('/').at(-2)!, root, 'lab', [node])
  put('a', 'changed')
  const changed = await packed()
  sent = []
  await shipBundle(changed, root, 'lab', [node])
  expect(sent).toEqual([['a']])
  expect(readFileSync(join(node.root, 'bundles', changed, '.git/HEAD'), 'utf8')).toBe('.git/HEAD')
  writeFileSync(join(root, 'bundles', changed, 'b'), 'spoilt')
  await expect(shipBundle(changed, root, 'lab', [{ root: `${root}-other`, transport }])).rejects.toThrow(/has been changed/)
})
