import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { packageCode, packageMount } from '../../src/packaging/package-code.ts'
import { stageCode } from '../../src/packaging/stage-code.ts'
import { walkDirectory } from '../../src/packaging/walk-directory.ts'
import { createLocalTransport } from '../../src/transports/local-transport.ts'
import type { Transport } from '../../src/transports/transport.ts'

let transport: Transport
const made: string[] = []
let code = ''
let root = ''

beforeAll(() => {
  transport = createLocalTransport()
})
beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'drover-pack-'))
  made.push(base)
  code = join(base, 'code')
  root = join(base, "ro'ot $x")
  mkdirSync(code)
})
afterAll(async () => {
  await transport.close()
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const put = (path: string, text = ''): void => {
  mkdirSync(dirname(join(code, path)), { recursive: true })
  writeFileSync(join(code, path), text)
}
const bundlesThere = (): string[] => readdirSync(join(root, 'bundles')).filter((name) => !name.startsWith('.'))
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'core.excludesFile=/dev/null', ...args], {
    cwd: code,
    encoding: 'utf8',
  })

test('unusual names, modes, links and empty directories survive bundle and staging', async () => {
  const names = ['new\nline', 'ümlaut', '-dash', "quo'te", 'with space', '$(x)', 'a/b/deep']
  for (const name of names) put(name, `is ${name}`)
  writeFileSync(join(code, 'tool'), '#!/bin/sh\n', { mode: 0o755 })
  symlinkSync('tool', join(code, 'link'))
  symlinkSync('/nowhere/at all', join(code, 'dangling'))
  mkdirSync(join(code, 'empty'))
  const packaged = await packageCode({ kind: 'directory', path: code }, root, transport)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  const work = join(root, 'jobs', 'j', 'work', '0')
  const stage = (): Promise<void> => stageCode({ transport, root, bundle: packaged.hash, mounts: [], workDirs: [work] })
  await stage()
  await stage()
  for (const name of names) expect(readFileSync(join(work, name), 'utf8')).toBe(`is ${name}`)
  expect(statSync(join(work, 'tool')).mode & 0o777).toBe(0o755)
  expect(readlinkSync(join(work, 'link'))).toBe('tool')
  expect(readlinkSync(join(work, 'dangling'))).toBe('/nowhere/at all')
  expect(statSync(join(work, 'empty')).isDirectory()).toBe(true)
})

test('unchanged code is not copied again; a changed byte, mode or link makes another bundle', async () => {
  put('a', '1')
  const hashes = new Set<string>()
  const pack = async (): Promise<string> => {
    const packaged = await packageCode({ kind: 'directory', path: code }, root, transport)
    if (packaged.kind !== 'bundle') throw new Error('no bundle')
    hashes.add(packaged.hash)
    return packaged.hash
  }
  const first = await pack()
  const inode = statSync(join(root, 'bundles', first, 'a')).ino
  expect(await pack()).toBe(first)
  expect(statSync(join(root, 'bundles', first, 'a')).ino).toBe(inode)
  put('a', '2')
  await pack()
  execFileSync('chmod', ['755', join(code, 'a')])
  await pack()
  symlinkSync('a', join(code, 'l'))
  await pack()
  expect(hashes.size).toBe(4)
  expect(bundlesThere().sort()).toEqual([...hashes].sort())
})

test('many clients that package the same at once make one bundle', async () => {
  put('a', '1')
  const all = await Promise.all(Array.from({ length: 6 }, () => packageCode({ kind: 'directory', path: code }, root, transport)))
  expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1)
  expect(bundlesThere()).toHaveLength(1)
  const [bundle] = bundlesThere()
  expect(readdirSync(join(root, 'bundles', bundle!))).toEqual(['a'])
})

test('leaves out what git leaves out', async () => {
  const names = ['a', 'b', 'build', 'x.log', 'keep.log']
  const line = fc.tuple(
    fc.constantFrom('', '!'),
    fc.constantFrom('', '/', '**/', 'a/', 'a/**/', '*/'),
    fc.constantFrom(...names, '*.log', '?', '[ab]', 'b*'),
    fc.constantFrom('', '/', '/**', '/*'),
  )
  const text = fc
    .array(
      line.map((parts) => parts.join('')),
      { maxLength: 5 },
    )
    .map((lines) => lines.join('\n'))
  for (const top of names)
    for (const below of names)
      if (!top.includes('.')) for (const leaf of ['x.log', 'keep.log', 'a']) if (!below.includes('.')) put(`${top}/${below}/${leaf}`)
  for (const leaf of ['x.log', 'keep.log', 'a/x.log', 'build/a/keep.log']) put(leaf)
  git('init', '-q')
  await fc.assert(
    fc.asyncProperty(text, text, async (outer, inner) => {
      writeFileSync(join(code, '.gitignore'), outer)
      writeFileSync(join(code, 'a', '.gitignore'), inner)
      const ours = (await walkDirectory(code)).filter((entry) => entry.type !== 'directory').map((entry) => entry.path)
      const theirs = git('ls-files', '-z', '--others', '--exclude-standard').split('\0').filter(Boolean).sort()
      expect(ours).toEqual(theirs)
    }),
    { numRuns: 150 },
  )
})

test('a directory inside a repository obeys the ignore files above it; .droverignore has the last word', async () => {
  put('.gitignore', '/sub/out\n*.tmp\n')
  put('sub/out/x')
  put('sub/a.tmp')
  put('sub/keep')
  put('sub/data.bin')
  put('sub/.droverignore', '*.bin\n!a.tmp\n')
  git('init', '-q')
  const paths = (await walkDirectory(join(code, 'sub'))).map((entry) => entry.path)
  expect(paths).toEqual(['.droverignore', 'a.tmp', 'keep'])
})

test('git: branch, tag, full and short commit; clear words for a wrong ref', async () => {
  put('a', 'one')
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-qm', 'x')
  git('tag', 'v1')
  const commit = git('rev-parse', 'HEAD').trim()
  put('a', 'two')
  git('commit', '-qam', 'y')
  for (const [ref, text] of [
    ['main', 'two'],
    ['v1', 'one'],
    [commit, 'one'],
    [commit.slice(0, 8), 'one'],
    [undefined, 'two'],
  ] as const) {
    const packaged = await packageCode({ kind: 'git', url: `file://${code}`, ...(ref === undefined ? {} : { ref }) }, root, transport)
    if (packaged.kind !== 'bundle') throw new Error('no bundle')
    expect(readFileSync(join(root, 'bundles', packaged.hash, 'a'), 'utf8')).toBe(text)
    expect(existsSync(join(root, 'bundles', packaged.hash, '.git'))).toBe(false)
  }
  await expect(packageCode({ kind: 'git', url: `file://${code}`, ref: 'nope' }, root, transport)).rejects.toThrow(/at nope: .*nope/)
  await expect(packageCode({ kind: 'git', url: '--upload-pack=x' }, root, transport)).rejects.toThrow(/no git url/)
})

test('mounts: a file and a directory, never through a link', async () => {
  put('conf', 'c')
  const file = await packageMount(join(code, 'conf'), root, transport)
  const work = join(root, 'w')
  const outside = join(root, 'outside')
  mkdirSync(work, { recursive: true })
  writeFileSync(outside, 'untouched')
  symlinkSync(outside, join(work, 'conf'))
  await stageCode({
    transport,
    root,
    mounts: [
      { destination: 'conf', source: file },
      { destination: join(work, 'x y', 'c'), source: file },
    ],
    workDirs: [work],
  })
  expect(lstatSync(join(work, 'conf')).isSymbolicLink()).toBe(false)
  expect(readFileSync(join(work, 'x y', 'c'), 'utf8')).toBe('c')
  expect(readFileSync(outside, 'utf8')).toBe('untouched')
})

test('a name that is not UTF-8 is refused with its bytes, and can be left out; one with U+FFFD itself is fine', async () => {
  put('sub/fine \uFFFD')
  expect((await walkDirectory(code)).map(({ path }) => path)).toEqual(['sub', 'sub/fine \uFFFD'])
  writeFileSync(Buffer.concat([Buffer.from(`${code}/sub/caf`), Buffer.from([0xe9]), Buffer.from("'.txt")]), '')
  const failure = packageCode({ kind: 'directory', path: code }, root, transport)
  await expect(failure).rejects.toThrow(`the name $'caf\\xe9\\x27.txt' in ${code}/sub is not UTF-8`)
  put('.droverignore', "caf*'.txt\n")
  expect((await walkDirectory(code)).map(({ path }) => path)).toEqual(['.droverignore', 'sub', 'sub/fine \uFFFD'])
})

test('a missing directory is named', async () => {
  await expect(packageCode({ kind: 'directory', path: join(code, 'none') }, root, transport)).rejects.toThrow(/none is not there/)
})

test('leaves out what git leaves out: escapes, classes, odd names, what is tracked all the same', async () => {
  const names = ['a', '!a', '#a', 'a ', '[a]', 'a*b', '\\a', 'ab', 'A', '-', ']', 'é', 'a.b', 'x y']
  const piece = fc.constantFrom(...names, '*', '**', '***', '?', '[ab]', '[!a]', '[^a]', '[a-', '[]a]', '[]-a]', '[[:alpha:]]', '[[:foo:]]')
  const odd = fc.constantFrom(
    '\\!a',
    '\\#a',
    'a\\ ',
    '\\a',
    'a\\',
    '\\*',
    '\\[a\\]',
    'a  ',
    ' a',
    'a\t',
    '[\\]]',
    '[a\\-b]',
    '[b-a]',
    '[/]',
    'a[/]b',
    '/',
    '//',
    '!',
    '!!a',
    '\\',
    '[\\!a]',
    '**a',
    'a**',
    '/**',
    '**/',
  )
  const line = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('', '!', '/', '!/'),
        fc.array(fc.oneof(piece, odd), { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '/', '/**', '/*', ' ', '\r'),
      )
      .map(([front, parts, end]) => `${front}${parts.join('/')}${end}`),
    fc.tuple(piece, piece, odd).map((parts) => parts.join('')),
    odd,
  )
  const text = fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n'))
  for (const top of names) for (const below of names) put(names.indexOf(top) % 2 === 0 ? `${top}/${below}` : top)
  for (const deep of ['a/deep/a', 'a/deep/[a]', '[a]/deep/!a/x y']) if (!existsSync(join(code, deep))) put(deep)
  git('init', '-q')
  git('add', '-f', '--', 'a/a', 'a/x y', '!a')
  await fc.assert(
    fc.asyncProperty(text, text, async (outer, inner) => {
      writeFileSync(join(code, '.gitignore'), outer)
      writeFileSync(join(code, 'a', '.gitignore'), inner)
      const ours = (await walkDirectory(code)).filter((entry) => entry.type !== 'directory').map((entry) => entry.path)
      const theirs = git('ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0').filter(Boolean)
      expect(ours).toEqual([...new Set(theirs)].sort())
    }),
    { numRuns: 200 },
  )
})
