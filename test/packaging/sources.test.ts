import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { packageCode } from '../../src/packaging/package-code.ts'
import type { WorkdirPartSpec, WorkdirSpec } from '../../src/task/task-spec.ts'
import { createLocalTransport } from '../../src/transports/local-transport.ts'
import type { Transport } from '../../src/transports/transport.ts'

type Archive = Extract<WorkdirPartSpec, { kind: 'git_archive' }>

let transport: Transport
const made: string[] = []
let base = ''
let root = ''

beforeAll(() => {
  transport = createLocalTransport()
})
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-source-'))
  made.push(base)
  root = join(base, 'root')
})
afterAll(async () => {
  await transport.close()
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const put = (path: string, text = path): void => {
  mkdirSync(dirname(join(base, path)), { recursive: true })
  writeFileSync(join(base, path), text)
}
const IDENTITY = ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'protocol.file.allow=always']
const git = (directory: string, ...args: string[]): string =>
  execFileSync('git', [...IDENTITY, ...args], { cwd: join(base, directory), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
const commit = (directory: string): string => {
  git(directory, 'add', '-A')
  git(directory, 'commit', '-qm', 'x')
  return git(directory, 'rev-parse', 'HEAD')
}
const repository = (directory: string, files: readonly string[]): string => {
  for (const file of files) put(`${directory}/${file}`, file)
  git(directory, 'init', '-q', '-b', 'main')
  return commit(directory)
}
const archive = (more: Partial<Archive> = {}): Archive => ({
  kind: 'git_archive',
  path: join(base, 'repo'),
  submodules: true,
  uncommitted: 'refuse',
  untracked: 'ignore',
  include: [],
  ...more,
})

/** The bundle of a workdir: path → content, `link → text`, or `/` for a directory. */
async function bundle(workdir: WorkdirSpec): Promise<Record<string, string>> {
  const packaged = await packageCode(workdir, root, transport)
  if (packaged.kind !== 'bundle') throw new Error('no bundle')
  const at = join(root, 'bundles', packaged.hash)
  const paths = execFileSync('find', ['.', '-mindepth', '1', '(', '-type', 'f', '-o', '-type', 'l', ')'], { cwd: at, encoding: 'utf8' })
  const list = paths
    .split('\n')
    .filter(Boolean)
    .map((path) => path.slice(2))
  return Object.fromEntries(list.sort().map((path) => [path, readFileSync(join(at, path), 'utf8')]))
}

/** Everything about a repository that packaging could change. */
const stateOf = (directory: string): string =>
  execFileSync('sh', ['-c', 'find . -type f -exec stat -c "%n %s %y" {} + | sort; find . -type d | sort'], {
    cwd: join(base, directory),
    encoding: 'utf8',
  })

describe('a commit of a local repository', () => {
  test('ref, subpath, attributes; the repository stays as it is', async () => {
    repository('repo', ['a', 'src/x', 'src/sub/y', 'secret'])
    put('repo/.gitattributes', 'secret export-ignore\n')
    chmodSync(join(base, 'repo/src/x'), 0o755)
    symlinkSync('x', join(base, 'repo/src/link'))
    commit('repo')
    git('repo', 'tag', 'v1')
    put('repo/a', 'later')
    commit('repo')
    const before = stateOf('repo')
    expect(await bundle(archive())).toEqual({
      '.gitattributes': 'secret export-ignore\n',
      a: 'later',
      'src/link': 'src/x',
      'src/sub/y': 'src/sub/y',
      'src/x': 'src/x',
    })
    expect((await bundle(archive({ ref: 'v1' })))['a']).toBe('a')
    expect(Object.keys(await bundle(archive({ subpath: 'src' })))).toEqual(['link', 'sub/y', 'x'])
    // Named from a directory inside, it is the whole repository.
    expect(Object.keys(await bundle(archive({ path: join(base, 'repo/src/sub') })))).toContain('a')
    expect(stateOf('repo')).toBe(before)
    const packaged = await packageCode(archive({ subpath: 'src' }), root, transport)
    if (packaged.kind === 'bundle') expect(statSync(join(root, 'bundles', packaged.hash, 'x')).mode & 0o777).toBe(0o755)
  })

  test('changes: refused with their names, taken, or left', async () => {
    repository('repo', ['a', 'b', 'gone', 'src/x'])
    put('repo/a', 'changed')
    put('repo/staged')
    git('repo', 'add', 'staged')
    rmSync(join(base, 'repo/gone'))
    put('repo/new file')
    put('repo/.git/info/exclude', 'ignored\n')
    put('repo/ignored')
    const before = stateOf('repo')
    await expect(bundle(archive())).rejects.toThrow(/uncommitted changes: "a", "gone", "staged"/)
    await expect(bundle(archive({ uncommitted: 'ignore', untracked: 'refuse' }))).rejects.toThrow(/untracked changes: "new file"/)
    expect(await bundle(archive({ uncommitted: 'ignore' }))).toEqual({ a: 'a', b: 'b', gone: 'gone', 'src/x': 'src/x' })
    expect(await bundle(archive({ uncommitted: 'include' }))).toEqual({ a: 'changed', b: 'b', staged: 'repo/staged', 'src/x': 'src/x' })
    expect(Object.keys(await bundle(archive({ uncommitted: 'ignore', untracked: 'include' })))).toEqual([
      'a',
      'b',
      'gone',
      'new file',
      'src/x',
    ])
    // What is changed elsewhere is no matter of the part that is packaged.
    expect(await bundle(archive({ subpath: 'src' }))).toEqual({ x: 'src/x' })
    expect(stateOf('repo')).toBe(before)
  })

  test('changes belong to HEAD: another commit takes none, and does not mind them', async () => {
    const first = repository('repo', ['a'])
    put('repo/a', 'two')
    commit('repo')
    put('repo/a', 'three')
    expect(await bundle(archive({ ref: first }))).toEqual({ a: 'a' })
    await expect(bundle(archive({ ref: first, uncommitted: 'include' }))).rejects.toThrow(/HEAD is another/)
  })

  test('submodules, nested, at their places and at the commits that are recorded', async () => {
    repository('deep', ['d'])
    repository('lib', ['l'])
    git('lib', 'submodule', 'add', '-q', join(base, 'deep'), 'inner/deep')
    commit('lib')
    repository('repo', ['a', 'src/x'])
    git('repo', 'submodule', 'add', '-q', join(base, 'lib'), 'third party/lib')
    git('repo', 'submodule', 'update', '-q', '--init', '--recursive')
    commit('repo')
    const whole = await bundle(archive())
    expect(Object.keys(whole)).toEqual([
      '.gitmodules',
      'a',
      'src/x',
      'third party/lib/.gitmodules',
      'third party/lib/inner/deep/d',
      'third party/lib/l',
    ])
    expect(Object.keys(await bundle(archive({ submodules: false })))).toEqual(['.gitmodules', 'a', 'src/x'])
    expect(Object.keys(await bundle(archive({ subpath: 'third party/lib/inner' })))).toEqual(['deep/d'])
    expect(await bundle(archive({ subpath: 'src' }))).toEqual({ x: 'src/x' })
    put('repo/third party/lib/inner/deep/d', 'changed')
    await expect(bundle(archive())).rejects.toThrow(/inner\/deep .*uncommitted changes: "d"/)
    expect((await bundle(archive({ uncommitted: 'include' })))['third party/lib/inner/deep/d']).toBe('changed')
    expect((await bundle(archive({ uncommitted: 'ignore' })))['third party/lib/inner/deep/d']).toBe('d')
    git('repo/third party/lib/inner/deep', 'commit', '-qam', 'ahead')
    await expect(bundle(archive())).rejects.toThrow(/uncommitted changes: "inner\/deep"/)
    git('repo', 'clone', '-q', '.', '../bare checkout')
    await expect(bundle(archive({ path: join(base, 'bare checkout') }))).rejects.toThrow(/not checked out/)
  })

  test('files beside the commit, by patterns', async () => {
    repository('repo', ['a', '.gitignore'])
    put('repo/.gitignore', 'gen\n')
    commit('repo')
    put('repo/gen/one.json')
    put('repo/gen/deep/two.json')
    put('elsewhere/conf/c.yaml')
    const include = [{ patterns: ['gen/**/*.json'] }, { patterns: ['conf'], root: join(base, 'elsewhere') }]
    expect(Object.keys(await bundle(archive({ include })))).toEqual(['.gitignore', 'a', 'conf/c.yaml', 'gen/deep/two.json', 'gen/one.json'])
    await expect(bundle(archive({ include: [{ patterns: ['no*.json'] }] }))).rejects.toThrow(/"no\*\.json" matches nothing/)
  })

  test('a bare repository, a linked work tree, the environment of a hook', async () => {
    repository('repo', ['a'])
    git('repo', 'clone', '-q', '--bare', '.', '../bare.git')
    git('repo', 'worktree', 'add', '-q', '../tree', '-b', 'side')
    put('tree/b')
    commit('tree')
    expect(await bundle(archive({ path: join(base, 'bare.git') }))).toEqual({ a: 'a' })
    process.env['GIT_DIR'] = join(base, 'bare.git')
    try {
      expect(await bundle(archive({ path: join(base, 'tree') }))).toEqual({ a: 'a', b: 'tree/b' })
    } finally {
      delete process.env['GIT_DIR']
    }
  })

  test.each<[string, Partial<Archive>, RegExp]>([
    ['a ref that is none', { ref: 'nope' }, /there is no nope/],
    ['a ref like an option', { ref: '--output=/x' }, /no git ref/],
    ['a subpath that is none', { subpath: 'nope' }, /has no directory nope/],
    ['a subpath that is a file', { subpath: 'a' }, /has no directory a/],
  ])('%s is refused', async (_name, more, message) => {
    repository('repo', ['a'])
    await expect(bundle(archive(more))).rejects.toThrow(message)
  })

  test('no repository is named', async () => {
    put('repo/a')
    await expect(bundle(archive())).rejects.toThrow(/in no git repository/)
  })
})

describe('patterns, parts, directories', () => {
  test('patterns from a root: what was named is meant, .git is not', async () => {
    for (const path of ['a.py', 'b.txt', 'conf/x.yaml', 'conf/deep/y.yaml', 'other/a.py', '.git/config']) put(`code/${path}`)
    put('code/.gitignore', '*.py\n')
    const files = async (...patterns: string[]): Promise<string[]> =>
      Object.keys(await bundle({ kind: 'patterns', patterns, root: join(base, 'code') }))
    expect(await files('*.py', 'conf/**')).toEqual(['a.py', 'conf/deep/y.yaml', 'conf/x.yaml'])
    expect(await files('conf')).toEqual(['conf/deep/y.yaml', 'conf/x.yaml'])
    expect(await files('**/*.py')).toEqual(['a.py', 'other/a.py'])
    expect(await files('**')).toEqual(['.gitignore', 'a.py', 'b.txt', 'conf/deep/y.yaml', 'conf/x.yaml', 'other/a.py'])
    await expect(files('*.py', '*.rs')).rejects.toThrow(/"\*\.rs" matches nothing/)
  })

  test('parts in their folders, or all at the root', async () => {
    repository('repo', ['main.py'])
    put('data/d.csv')
    const parts = [
      { folder: 'app', source: archive() },
      { folder: 'in/data', source: { kind: 'directory' as const, path: join(base, 'data') } },
    ]
    expect(Object.keys(await bundle({ kind: 'parts', parts, atRoot: false }))).toEqual(['app/main.py', 'in/data/d.csv'])
    expect(Object.keys(await bundle({ kind: 'parts', parts, atRoot: true }))).toEqual(['d.csv', 'main.py'])
    put('data/main.py')
    await expect(bundle({ kind: 'parts', parts, atRoot: true })).rejects.toThrow(/app and in\/data both have main\.py/)
  })

  test('.git only when asked; ignore files count only when asked', async () => {
    repository('code', ['a'])
    put('code/.gitignore', 'b\n')
    put('code/b')
    const path = join(base, 'code')
    expect(Object.keys(await bundle({ kind: 'directory', path }))).toEqual(['.gitignore', 'a'])
    expect(Object.keys(await bundle({ kind: 'directory', path, ignoreFiles: false }))).toEqual(['.gitignore', 'a', 'b'])
    const withGit = await bundle({ kind: 'directory', path, keepGit: true })
    expect(Object.keys(withGit)).toContain('.git/HEAD')
    expect(Object.keys(withGit)).not.toContain('b')
  })

  test('.skyignore in the place of .gitignore; .droverignore beside both', async () => {
    repository('code', ['a.log', 'b.tmp', 'c', 'sub/d.log'])
    put('code/.gitignore', '*.log\n')
    put('code/.skyignore', '*.tmp\n')
    put('code/.droverignore', 'c\n')
    const path = join(base, 'code')
    expect(Object.keys(await bundle({ kind: 'directory', path }))).toEqual([
      '.droverignore',
      '.gitignore',
      '.skyignore',
      'a.log',
      'sub/d.log',
    ])
  })

  test('what git tracks is kept, although a rule names it', async () => {
    repository('code', ['out/kept/model', 'a'])
    put('code/.gitignore', 'out\n')
    put('code/out/kept/other')
    put('code/out/more')
    const path = join(base, 'code')
    expect(Object.keys(await bundle({ kind: 'directory', path }))).toEqual(['.gitignore', 'a', 'out/kept/model'])
    put('code/.droverignore', 'model\n')
    expect(Object.keys(await bundle({ kind: 'directory', path }))).toEqual(['.droverignore', '.gitignore', 'a'])
  })

  test('a link is looked up on the target', async () => {
    put('there/a')
    expect(await packageCode({ kind: 'link', path: join(base, 'there') }, root, transport)).toEqual({
      kind: 'link',
      path: join(base, 'there'),
    })
    await expect(packageCode({ kind: 'link', path: join(base, 'there/a') }, root, transport)).rejects.toThrow(/not a directory on local/)
    expect(existsSync(join(root, 'bundles'))).toBe(false)
  })
})
