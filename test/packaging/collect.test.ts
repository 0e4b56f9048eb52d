import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { collectBundles } from '../../src/packaging/collect-bundles.ts'
import { packageCode } from '../../src/packaging/package-code.ts'
import { stageCode } from '../../src/packaging/stage-code.ts'
import { LEAST_UNUSED_BUNDLES_MS } from '../../src/targets/parse-config.ts'
import { createTaskFile, settled } from '../../src/testing/index.ts'
import { createLocalTransport } from '../../src/transports/local-transport.ts'
import type { Transport } from '../../src/transports/transport.ts'
import { LocalHome } from '../conformance/local-home.ts'

const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS
let transport: Transport
const made: string[] = []
let code = ''
let root = ''

beforeAll(() => {
  transport = createLocalTransport()
})
beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'drover-collect-'))
  made.push(base)
  code = join(base, 'code')
  root = join(base, "ro'ot $x")
  mkdirSync(code)
})
afterAll(async () => {
  await transport.close()
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const pack = async (text: string): Promise<string> => {
  writeFileSync(join(code, 'a'), text)
  const packaged = await packageCode({ kind: 'directory', path: code }, root, transport)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  return packaged.hash
}
const bundle = (hash: string, at = root): string => join(at, 'bundles', hash)
/** As if it had been used so long ago. */
const age = (hash: string, ms: number, at = root): void => {
  const when = new Date(Date.now() - ms)
  utimesSync(join(at, 'bundles/.used', hash), when, when)
}
const collect = (kept: readonly string[] = [], by: Transport = transport): Promise<readonly string[]> =>
  collectBundles({ root, transport: by }, async () => new Set(kept), WEEK_MS)

test('only what nobody refers to and nobody has used for the time is removed, with all that tells of it', async () => {
  const [unused, kept, young] = [await pack('1'), await pack('2'), await pack('3')]
  age(unused, 8 * DAY_MS)
  age(kept, 8 * DAY_MS)
  age(young, 6 * DAY_MS)
  expect(await collect([kept])).toEqual([unused])
  expect(existsSync(bundle(unused))).toBe(false)
  for (const hash of [kept, young]) expect(existsSync(bundle(hash, root))).toBe(true)
  for (const room of ['.manifests', '.families', '.used'])
    expect(readdirSync(join(root, 'bundles', room)).sort()).toEqual([kept, young].sort())
  expect(readdirSync(join(root, 'bundles')).filter((name) => name.startsWith('.away'))).toEqual([])
  expect(await collect([kept])).toEqual([])
})

test('the bundle that a later one was made of goes; the later one stays whole; the next is made of that', async () => {
  writeFileSync(join(code, 'b'), 'shared')
  const [first, second] = [await pack('1'), await pack('2')]
  age(first, 8 * DAY_MS)
  expect(await collect()).toEqual([first])
  expect(readFileSync(join(bundle(second), 'b'), 'utf8')).toBe('shared')
  age(second, 8 * DAY_MS)
  expect(await collect()).toEqual([second])
  expect(readdirSync(join(root, 'bundles/.latest'))).toEqual([])
  expect(readFileSync(join(bundle(await pack('3')), 'b'), 'utf8')).toBe('shared')
})

test.each<[string, (hash: string) => Promise<void>]>([
  ['packaging it again', async () => void (await pack('1'))],
  ['staging from it', (hash) => stageCode({ transport, root, bundle: hash, mounts: [], workDirs: [join(root, 'w')] })],
  [
    'mounting from it',
    (hash) => stageCode({ transport, root, mounts: [{ destination: 'm', source: `${bundle(hash)}/a` }], workDirs: [join(root, 'w')] }),
  ],
])('%s is a use', async (_name, use) => {
  const hash = await pack('1')
  age(hash, 8 * DAY_MS)
  await use(hash)
  expect(await collect()).toEqual([])
  expect(existsSync(bundle(hash))).toBe(true)
})

test('one whose use was never noted is noted now, and kept', async () => {
  const hash = await pack('1')
  rmSync(join(root, 'bundles/.used'), { recursive: true })
  expect(await collect()).toEqual([])
  age(hash, 8 * DAY_MS)
  expect(await collect()).toEqual([hash])
})

test('one that is used while it is being taken away is put back', async () => {
  const hash = await pack('1')
  age(hash, 8 * DAY_MS)
  const disturbed: Transport = {
    ...transport,
    run: (script, options) => transport.run(`mv() { command mv "$@"; case $2 in .away*) touch .used/* ;; esac; }\n${script}`, options),
  }
  expect(await collect([], disturbed)).toEqual([])
  expect(readFileSync(join(bundle(hash), 'a'), 'utf8')).toBe('1')
  expect(existsSync(join(root, 'bundles/.manifests', hash))).toBe(true)
})

test('a job that is staged while its bundle is looked at waits for it', async () => {
  const hash = await pack('1')
  const away = `${root}/bundles/.away-${hash}-1`
  const disturbed: Transport = {
    ...transport,
    run: (script, options) =>
      transport.run(
        `mv "$OLD" "$AWAY"\nsleep() { mv "$AWAY" "$OLD"; }\n${script}`
          .replaceAll('$OLD', bundle(hash).replace('$', '\\$'))
          .replaceAll('$AWAY', away.replace('$', '\\$')),
        options,
      ),
  }
  await stageCode({ transport: disturbed, root, bundle: hash, mounts: [], workDirs: [join(root, 'w')] })
  expect(readFileSync(join(root, 'w/a'), 'utf8')).toBe('1')
})

test('never sooner than an hour after the use, whatever is asked; read-only directories; what a killed client left', async () => {
  mkdirSync(join(code, 'ro'))
  writeFileSync(join(code, 'ro/f'), '')
  chmodSync(join(code, 'ro'), 0o555)
  const hash = await pack('1')
  chmodSync(join(code, 'ro'), 0o755)
  age(hash, LEAST_UNUSED_BUNDLES_MS / 2)
  const soon = (): Promise<readonly string[]> => collectBundles({ root, transport }, async () => new Set(), 0)
  const left = ['.part-1', `.${hash}-x`].map((name) => join(root, 'bundles', name))
  for (const directory of left) mkdirSync(directory)
  const [old, young] = left
  const when = new Date(Date.now() - 2 * DAY_MS)
  utimesSync(old!, when, when)
  expect(await soon()).toEqual([])
  expect([existsSync(old!), existsSync(young!)]).toEqual([false, true])
  age(hash, LEAST_UNUSED_BUNDLES_MS * 2)
  expect(await soon()).toEqual([hash])
  expect(existsSync(bundle(hash))).toBe(false)
})

test('where there is nothing, nothing is made; a host that cannot look is named', async () => {
  expect(await collect()).toEqual([])
  expect(existsSync(root)).toBe(false)
  const hash = await pack('1')
  age(hash, 8 * DAY_MS)
  const poor: Transport = {
    ...transport,
    run: (script, options) => transport.run(`find() { echo "no -mmin" >&2; return 1; }\n${script}`, options),
  }
  await expect(collect([], poor)).rejects.toThrow(/cannot collect bundles in .*no -mmin/)
  expect(existsSync(bundle(hash))).toBe(true)
})

describe('with jobs', () => {
  test('drover rm and prune collect; what a job of the store refers to stays, and can be run again', async () => {
    const home = await new LocalHome().start()
    try {
      const submit = async (text: string): Promise<string> => {
        writeFileSync(join(code, 'a'), text)
        const [job] = await home.drover.submit(createTaskFile('local', { workdir: { kind: 'directory', path: code }, run: 'cat a' }))
        await settled(home.drover, job?.id ?? '', 60_000)
        return job?.id ?? ''
      }
      const there = (): string[] => readdirSync(join(home.home, 'bundles')).filter((name) => !name.startsWith('.'))
      const first = await submit('1')
      const [hash = ''] = there()
      const again = await submit('1')
      const other = await submit('2')
      const all = there()
      expect(all.length).toBe(2)
      for (const one of all) age(one, 8 * DAY_MS, home.home)
      expect(await home.drover.remove([first])).toMatchObject({ warnings: [] })
      expect(there().sort()).toEqual(all.sort())
      await home.drover.remove([again])
      expect(there()).toEqual(all.filter((one) => one !== hash))
      await home.drover.retry(other)
      expect(await settled(home.drover, other, 60_000)).toMatchObject({ state: 'succeeded', attempt: 2 })
      for (const one of there()) age(one, 8 * DAY_MS, home.home)
      await home.drover.prune({ olderThanMs: 0 })
      expect(there()).toEqual([])
    } finally {
      await home.close()
    }
  }, 120_000)
})
