import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type ArchiveFormat, packageDirectory } from '../../src/packaging/package-directory.ts'

const made: string[] = []
let base = ''
let code = ''

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-archive-test-'))
  made.push(base)
  code = join(base, 'my code')
  mkdirSync(code)
})
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const put = (path: string, text: string | Buffer = path, mode = 0o644): void => {
  mkdirSync(dirname(join(code, path)), { recursive: true })
  writeFileSync(join(code, path), text)
  chmodSync(join(code, path), mode)
}
const EXTRACT = `
import os, stat, sys, tarfile, zipfile
archive, to = sys.argv[1:]
if archive.endswith('.zip'):
    with zipfile.ZipFile(archive) as z:
        assert z.testzip() is None
        for i in z.infolist():
            mode = i.external_attr >> 16
            path = os.path.join(to, i.filename)
            if stat.S_ISLNK(mode): os.symlink(z.read(i).decode(), path)
            else:
                z.extract(i, to)
                os.chmod(path, stat.S_IMODE(mode))
else:
    with tarfile.open(archive) as t: t.extractall(to)
`

/** Unpacked by other people's code. */
function unpack(archive: string): string {
  const to = mkdtempSync(join(base, 'out-'))
  execFileSync('python3', ['-c', EXTRACT, archive, to])
  return to
}

describe.each<ArchiveFormat>(['zip', 'tar.gz'])('%s', (format) => {
  const pack = (name = 'x'): Promise<string> =>
    packageDirectory(code, { output: join(base, `${name}.${format}`), job: { id: 'j1', name: 'n' } })

  test('names, modes, links, empty directories and long paths survive', async () => {
    const long = `${'deep/'.repeat(40)}${'n'.repeat(120)}`
    const names = ['ümlaut', '-dash', "quo'te", 'with space', '$(x)', 'a/b/deep', 'new\nline', long, 'p'.repeat(99), `${'q'.repeat(100)}/x`]
    for (const name of names) put(name)
    put('tool', '#!/bin/sh\n', 0o755)
    put('big', Buffer.alloc(3 * 1024 ** 2 + 17, 'abc'))
    put('nothing', '')
    symlinkSync('tool', join(code, 'link'))
    symlinkSync(`/${'nowhere/'.repeat(20)}`, join(code, 'dangling'))
    mkdirSync(join(code, 'empty'))
    const out = unpack(await pack())
    for (const name of names) expect(readFileSync(join(out, name), 'utf8')).toBe(name)
    expect(statSync(join(out, 'tool')).mode & 0o777).toBe(0o755)
    expect(readFileSync(join(out, 'big')).equals(readFileSync(join(code, 'big')))).toBe(true)
    expect(statSync(join(out, 'nothing')).size).toBe(0)
    expect(readlinkSync(join(out, 'link'))).toBe('tool')
    expect(readlinkSync(join(out, 'dangling'))).toBe(`/${'nowhere/'.repeat(20)}`)
    expect(statSync(join(out, 'empty')).isDirectory()).toBe(true)
    expect(JSON.parse(readFileSync(join(out, '.drover/job.json'), 'utf8'))).toEqual({ version: 1, id: 'j1', name: 'n' })
  })

  test('the same content gives the same bytes, whatever the times', async () => {
    put('a/b')
    put('c')
    const first = readFileSync(await pack('one'))
    utimesSync(join(code, 'c'), 1, 1)
    expect(readFileSync(await pack('two')).equals(first)).toBe(true)
    put('c', 'd')
    expect(readFileSync(await pack('three')).equals(first)).toBe(false)
  })

  test("the system's own tools read it", async () => {
    put('a', 'text')
    const archive = await pack()
    if (format === 'zip') expect(execFileSync('unzip', ['-p', archive, 'a'], { encoding: 'utf8' })).toBe('text')
    else expect(execFileSync('tar', ['xOzf', archive, 'a'], { encoding: 'utf8' })).toBe('text')
  })

  test('an archive in the directory itself does not hold itself', async () => {
    put('a')
    const output = join(code, `own.${format}`)
    const first = readFileSync(await packageDirectory(code, { output }))
    expect(readFileSync(await packageDirectory(code, { output })).equals(first)).toBe(true)
    expect(readdirSync(code).sort()).toEqual(['a', `own.${format}`])
  })
})

test("ignore files count, .git is left out, and a job.json of the directory's own gives way", async () => {
  put('.gitignore', '*.o\n')
  put('a.o')
  put('.git/HEAD')
  put('.drover/job.json', '{"id": "old"}')
  const out = unpack(await packageDirectory(code, { output: join(base, 'x.zip') }))
  expect(readdirSync(out).sort()).toEqual(['.drover', '.gitignore'])
  expect(JSON.parse(readFileSync(join(out, '.drover/job.json'), 'utf8'))).toEqual({ version: 1, id: null, name: 'my code' })
})

test('what cannot be written leaves nothing behind', async () => {
  put('a')
  await expect(packageDirectory(code, { output: join(base, 'none', 'x.zip') })).rejects.toThrow(/there is no directory .*none/)
  await expect(packageDirectory(code, { output: base })).rejects.toThrow(/it is a directory/)
  await expect(packageDirectory(join(base, 'nowhere'), { output: join(base, 'x.zip') })).rejects.toThrow(/nowhere is not there/)
  await expect(packageDirectory({ kind: 'link', path: '/x' })).rejects.toThrow(/on the target/)
  await expect(packageDirectory(code, { format: 'zip', output: 'x.tgz' })).rejects.toThrow(/the format is zip/)
  expect(readdirSync(base).filter((name) => name !== 'my code')).toEqual([])
  expect(existsSync(join(base, 'x.zip'))).toBe(false)
})
