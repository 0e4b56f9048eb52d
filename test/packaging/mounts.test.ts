import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { compileMountScript } from '../../src/packaging/mount-script.ts'
import type { FileMountSpec } from '../../src/task/task-spec.ts'

const made: string[] = []
let base = ''
let bin = ''
let server: Server
let site = ''
let content = 'one'

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/data?t=s3cret%20x') response.end(content)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-mounts-'))
  made.push(base)
  bin = join(base, 'bin')
  mkdirSync(bin)
  mkdirSync(join(base, 'work'))
  mkdirSync(join(base, 'home'))
})
afterAll(() => {
  server.close()
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

/** A node that has these tools, and those written into `bin`. */
function onPath(...tools: string[]): string {
  for (const tool of ['sh', 'mkdir', 'mv', 'rm', 'ls', 'grep', 'cat', ...tools]) {
    const found = (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((directory) => join(directory, tool))
      .find(existsSync)
    if (found !== undefined && !existsSync(join(bin, tool))) symlinkSync(found, join(bin, tool))
  }
  return bin
}
function fake(tool: string, script: string): void {
  writeFileSync(join(bin, tool), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, tool), 0o755)
}
const mount = (destination: string, uri: string): FileMountSpec => ({ destination, source: { kind: 'uri', uri } })

/** Not by spawnSync: the server answers in this very process. */
async function bring(mounts: readonly FileMountSpec[], tools: readonly string[], secrets: Record<string, string> = {}) {
  const script = `${compileMountScript(mounts, secrets)}\necho setup`
  const child = spawn('/bin/sh', ['-c', script], {
    cwd: join(base, 'work'),
    env: { PATH: onPath(...tools), HOME: join(base, 'home'), GIT_CONFIG_NOSYSTEM: '1', GIT_ALLOW_PROTOCOL: 'file', ...secrets },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (piece) => {
    stdout += piece
  })
  child.stderr.on('data', (piece) => {
    stderr += piece
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, stdout, stderr }
}

test.each(['curl', 'wget'])('a download by %s: below the home, in the work directory, and again', async (tool) => {
  if (spawnSync(tool, ['--version']).error !== undefined) {
    console.warn(`${tool} is not installed here: its case is not run`)
    return
  }
  content = 'one'
  const mounts = [mount('~/a b/data', `${site}/data?t=s3cret%20x`), mount('data', `${site}/data?t=s3cret%20x`)]
  expect(await bring(mounts, [tool], { TOKEN: 's3cret' })).toEqual({ code: 0, stdout: 'setup\n', stderr: '' })
  content = 'two'
  expect((await bring(mounts, [tool], { TOKEN: 's3cret' })).code).toBe(0)
  expect(readFileSync(join(base, 'home/a b/data'), 'utf8')).toBe('two')
  expect(readFileSync(join(base, 'work/data'), 'utf8')).toBe('two')
  const missing = await bring([mount('none', `${site}/none`)], [tool])
  expect(missing).toMatchObject({ code: 125, stdout: '' })
  expect(missing.stderr).toContain('drover: staging: cannot download ./none')
  expect(readdirSync(join(base, 'work'))).toEqual(['data'])
})

test('a repository: cloned, brought up to date, never over something else', async () => {
  const repository = join(base, 'repo')
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: repository })
  mkdirSync(repository)
  git('init', '-q', '-b', 'main')
  writeFileSync(join(repository, 'a'), 'one')
  git('add', '.')
  git('commit', '-qm', 'x')
  git('tag', 'v1')
  const mounts = [mount('r', `git+file://${repository}#main`), mount('old', `git+file://${repository}#v1`)]
  expect(await bring(mounts, ['git'])).toMatchObject({ code: 0, stderr: '' })
  writeFileSync(join(repository, 'a'), 'two')
  git('commit', '-qam', 'y')
  expect(await bring(mounts, ['git'])).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(join(base, 'work/r/a'), 'utf8')).toBe('two')
  expect(readFileSync(join(base, 'work/old/a'), 'utf8')).toBe('one')
  mkdirSync(join(base, 'work/taken'))
  writeFileSync(join(base, 'work/taken/mine'), 'mine')
  const taken = await bring([mount('taken', `git+file://${repository}`)], ['git'])
  expect(taken.stderr).toContain('something else is there')
  expect(readdirSync(join(base, 'work/taken'))).toEqual(['mine'])
})

test("buckets: by the remote of the user's own, else by the node's credentials", async () => {
  fake('rclone', `[ "$1" = listremotes ] && { echo "gs:"; exit 0; }\nprintf '%s\\n' "$@" >> '${base}/called'`)
  expect(await bring([mount('/abs', 's3://b/it s'.replace(' ', '%20')), mount('g', 'gs://b/x')], [])).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(join(base, 'called'), 'utf8').split('\n')).toEqual([
    ...['copyto', '--stats', '0', '--', ':s3,provider=AWS,env_auth=true:b/it%20s', '/abs'],
    ...['copyto', '--stats', '0', '--', 'gs:b/x', './g', ''],
  ])
  const unknown = await bring([mount('h', 'oci://b')], [])
  expect(unknown).toMatchObject({ code: 125, stdout: '' })
  expect(unknown.stderr).toContain('drover: staging: cannot bring ./h: rclone has no remote oci')
})

test.each([
  ['rclone', mount('a', 's3://b')],
  ['git', mount('a', 'git+https://h/r')],
  ['curl or wget', mount('a', 'https://h/x')],
])('a node without %s is told of it, before anything is brought', async (tool, one) => {
  const outcome = await bring([one], [])
  expect(outcome).toMatchObject({ code: 125, stdout: '' })
  expect(outcome.stderr).toMatch(new RegExp(`^drover: staging: file_mounts needs ${tool}`))
})
