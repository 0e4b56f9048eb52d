import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JobLocation } from '../../src/jobs/drover.ts'
import { localSession, remoteSession } from '../../src/jobs/enter-script.ts'
import { until } from '../../src/testing/index.ts'
import { runFakeCli } from '../cli/fake-host.ts'
import { DROVER_BIN, LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { fakeDrover } from '../server/fake-drover.ts'

const home = new LocalHome()
beforeAll(() => home.start())
afterAll(() => home.close())

const run = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory })
const VALUE = "it's\ntwo lines"

/** Submits a job of two ranks that has variables and a secret, and runs until its directories hold `go`; waits for its start. */
async function submit(name: string): Promise<string> {
  const file = join(home.directory, `${name}.yaml`)
  writeFileSync(
    file,
    `name: ${name}\nnum_nodes: 2\nenvs: {KEPT: ${JSON.stringify(VALUE)}}\nrun: echo made >made; while [ ! -e go ]; do sleep 0.05; done; exit 3\n`,
  )
  const { stdout, stderr } = await runDrover({ ...home.environment, TOKEN: 'shell-secret' }, [
    ...['run', '--detach', '-o', 'quiet', '--secret', 'TOKEN', file],
  ])
  const id = stdout.trim()
  expect(id, stderr).not.toBe('')
  await home.drover.wait(id, { until: 'started' })
  return id
}

describe('drover shell on this machine', () => {
  let id = ''
  beforeAll(async () => {
    id = await submit('shelled')
  })

  test('one command has the place, the variables and the rank of the job; its code is passed on', async () => {
    const script =
      'printf "%s|" "$KEPT" "$TOKEN" "$DROVER_NODE_RANK" "$SKYPILOT_NODE_RANK" "$DROVER_NUM_NODES" "$DROVER_WORK_DIR" "$PWD"; exit 7'
    const outcome = await run('shell', 'shelled', '1', '--', 'sh', '-c', script)
    const directory = join(home.home, 'jobs', id, 'work/1')
    expect(outcome).toEqual({ code: 7, stdout: [VALUE, 'shell-secret', 1, 1, 2, directory, directory, ''].join('|'), stderr: '' })
  })

  test('words reach the command as they are', async () => {
    const words = ["a'b", 'c d', '', '$HOME', '-x', 'zwei\nLinien', '\\n%s', '--']
    const outcome = await run('shell', id, '--', 'printf', '<%s>', ...words)
    expect(outcome.stdout).toBe(words.map((word) => `<${word}>`).join(''))
  })

  test('a command that a signal ended gives 128 + n', async () => {
    expect((await run('shell', id, '--', 'sh', '-c', 'kill -TERM $$')).code).toBe(143)
  })

  test('a TERM to drover reaches the command', async () => {
    const script = 'trap "echo told; exit 4" TERM; echo up; while :; do sleep 0.05; done'
    const child = spawn(process.execPath, [DROVER_BIN, 'shell', id, '--', 'sh', '-c', script], {
      env: home.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    await until('the command to be up', 10_000, () => said.includes('up'))
    const gone = once(child, 'close')
    child.kill('SIGTERM')
    expect((await gone)[0]).toBe(4)
    expect(said).toBe('up\ntold\n')
  })

  test('the shell reads what is typed', async () => {
    const child = spawn(process.execPath, [DROVER_BIN, 'shell', id], { env: home.environment, stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.end('echo "$DROVER_NODE_RANK in $PWD"; exit 5\n')
    const pieces: Buffer[] = []
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
    const [code] = (await once(child, 'close')) as [number]
    expect(Buffer.concat(pieces).toString()).toContain(`0 in ${join(home.home, 'jobs', id, 'work/0')}`)
    expect(code).toBe(5)
  })

  test('-o json prints what would be run, without secrets, and runs nothing', async () => {
    const { stdout, code } = await run('shell', id, '-o', 'json', '--', 'touch', 'ran')
    const { argv } = JSON.parse(stdout) as { argv: string[] }
    expect(code).toBe(0)
    expect(argv[0]).toBe('sh')
    expect(stdout).not.toContain('shell-secret')
    expect((await run('shell', id, '--', 'ls')).stdout).toBe('made\n')
  })

  test.each([
    [['shell', 'shelled', '2'], 'has no rank 2: its ranks are 0 to 1'],
    [['shell', 'shelled', 'x'], 'rank "x"'],
    [['shell', 'shelled', '--'], 'after -- stands a command'],
    [['shell', 'nobody'], 'no job "nobody"'],
    [['forward', 'shelled', '80', '--rank', '2'], 'has no rank 2'],
    [['forward', 'shelled', '0'], 'it takes PORT'],
    [['forward', 'shelled', '1:2:3'], 'it takes PORT'],
    [['forward', 'shelled', '1:70000'], 'it takes PORT'],
  ])('%j is refused', async (words, message) => {
    const { code, stderr } = await run(...words)
    expect(stderr).toContain(message)
    expect(code).toBe(125)
  })

  test('a port of a job on this machine is here already', async () => {
    const { code, stderr } = await run('forward', id, '9000:9001')
    expect(stderr).toContain('127.0.0.1:9001 already')
    expect(code).toBe(0)
    expect(JSON.parse((await run('forward', id, '9000', '-o', 'json')).stdout)).toEqual({ argv: [] })
  })

  test('after the end: the place, the rank, a notice, no secret; then the place is gone', async () => {
    for (const rank of [0, 1]) writeFileSync(join(home.home, 'jobs', id, `work/${rank}/go`), '')
    await home.drover.wait(id)
    const outcome = await run('shell', id, '1', '--', 'sh', '-c', 'echo "$DROVER_NODE_RANK ${KEPT-none} ${TOKEN-none}"; cat made')
    expect(outcome).toMatchObject({ code: 0, stdout: '1 none none\nmade\n' })
    expect(outcome.stderr).toContain('has ended (failed)')
    rmSync(join(home.home, 'jobs', id), { recursive: true })
    const gone = await run('shell', id, '--', 'true')
    expect(gone.code).toBe(125)
    expect(gone.stderr).toContain(`${join(home.home, 'jobs', id, 'work/0')} is not there`)
  })
})

test('a job that has not started has no place yet', async () => {
  const file = join(home.directory, 'waiting.yaml')
  writeFileSync(file, 'name: before\nrun: sleep 600\n---\nname: later\nafter: before\nrun: echo\n')
  await run('run', '--detach', file)
  const outcome = await run('shell', 'later', '--', 'true')
  expect(outcome.stderr).toMatch(/has not started \((created|queued)\)[\s\S]*drover explain/)
  expect(outcome.code).toBe(125)
  await home.drover.cancel('before')
  // Its condition can no longer hold: it ends without ever having had a place.
  await home.drover.wait('later')
  expect((await run('forward', 'later', '80')).stderr).toContain('never started (')
})

test('an array has the place that its elements share', async () => {
  const file = join(home.directory, 'array.yaml')
  writeFileSync(file, 'name: many\narray: 3\nrun: while [ ! -e go ]; do sleep 0.05; done\n')
  await run('run', '--detach', file)
  await home.drover.wait('many', { until: 'started' })
  const outcome = await run('shell', 'many', '--', 'sh', '-c', 'echo "$DROVER_NODE_RANK of $SKYPILOT_NUM_JOBS"; touch go')
  expect(outcome).toMatchObject({ code: 0, stdout: '0 of 3\n', stderr: '' })
  expect((await home.drover.wait('many')).state).toBe('succeeded')
})

test('the prologue of the target acts on the command', async () => {
  const other = new LocalHome()
  const config = join(other.base, '.config', 'drover')
  try {
    mkdirSync(config, { recursive: true })
    writeFileSync(
      join(config, 'config.yaml'),
      'targets: {local: {kind: local, prologue: "greet() { echo hello $1; }; export FROM=prologue"}}\n',
    )
    await other.start()
    const { stdout: id } = await runDrover(other.environment, ['run', '--detach', '-o', 'quiet', '--', 'true'])
    await other.drover.wait(id.trim())
    const said = await runDrover(other.environment, ['shell', id.trim(), '--', 'greet', 'you'])
    expect(said).toMatchObject({ code: 0, stdout: 'hello you\n' })
  } finally {
    await other.close()
  }
})

describe('the word given to ssh', () => {
  const program = `printf '<%s>' "it's" '!$x' "a\\nb" '%d' "é"\nexit 4\n`
  test.each(['sh', 'bash', 'dash', 'fish', 'tcsh'])('read by %s it runs the program', async (shell) => {
    const collect = async (argv: readonly string[]): Promise<string> => {
      const [name = '', ...args] = argv
      const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const pieces: Buffer[] = []
      child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
      const [code] = (await once(child, 'close')) as [number]
      return `${Buffer.concat(pieces)} ${code}`
    }
    let found: string
    try {
      found = await collect([shell, '-c', remoteSession(program)])
    } catch (error) {
      console.log(`not shown for ${shell}: ${String(error)}`)
      return
    }
    expect(found).toBe(await collect(localSession(program)))
    expect(found).toBe(`<it's><!$x><a\\nb><%d><é> 4`)
  })
})

test.each<[part: Partial<JobLocation>, notice: string]>([
  [{ container: true }, 'drover: job k3v9x2 runs in a container: this is localhost, outside of it\n'],
  [{ ended: true, state: 'queued' }, 'drover: attempt 1 of job k3v9x2 has ended (the job is queued): '],
])('what the place %j lacks is said', async (part, notice) => {
  const base = fakeDrover().drover
  const { drover } = fakeDrover({ locate: async () => ({ ...(await base.locate('x')), enter: '', ...part }) })
  const outcome = await runFakeCli(drover, ['shell', 'x', '--', 'exit', '9'], { environment: home.environment })
  expect(outcome.stderr).toContain(notice)
  expect(outcome.code).toBe(9)
})

test('a port in use is named', async () => {
  const { requireFree } = await import('../../src/cli/commands/forward.ts')
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(requireFree(port)).rejects.toThrow(`port ${port} of this machine is in use`)
  server.close()
  await once(server, 'close')
  await requireFree(port)
})
