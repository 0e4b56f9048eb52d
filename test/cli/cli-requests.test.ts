import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DroverError, InputError } from '../../src/errors.ts'
import type { Drover, Job } from '../../src/jobs/drover.ts'
import type { TaskFile } from '../../src/task/task-spec.ts'
import { fakeChunk, fakeDrover, fakeJob } from '../server/fake-drover.ts'
import { memoryOutput, runFakeCli } from './fake-host.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-cli-'))
  await writeFile(join(directory, 'task.yaml'), 'name: train\nrun: echo hi\n')
  await writeFile(join(directory, 'two.yaml'), 'name: a\nrun: echo a\n---\nname: b\nrun: echo b\nafter: a\n')
  await writeFile(join(directory, 'bad.yaml'), 'name: x\nrunn: echo hi\n')
})
afterAll(async () => await rm(directory, { recursive: true }))

describe('arguments become requests', () => {
  test.each<[line: string, method: string, args: unknown[]]>([
    ['list', 'list', [{}]],
    [
      'list --state running,failed -s lost --name a --target t --limit 3',
      'list',
      [{ states: ['running', 'failed', 'lost'], name: 'a', target: 't', limit: 3 }],
    ],
    ['list --since 2h', 'list', [{ maxAgeMs: 7_200_000 }]],
    ['list --state ended --all', 'list', [{ states: ['succeeded', 'failed', 'cancelled'], limit: Number.MAX_SAFE_INTEGER }]],
    ['show last', 'get', ['last']],
    ['cancel x', 'cancel', ['x', { by: 'user' }]],
    ['cancel x --elements 3,7-9', 'cancel', ['x', { by: 'user', elements: [3, 7, 8, 9] }]],
    ['retry x --failed', 'retry', ['x', { elements: 'failed' }]],
    ['retry x --secret TOKEN --secret A=b=c', 'retry', ['x', { secrets: { TOKEN: 'from-environment', A: 'b=c' } }]],
    ['settle x --as failed --reason gone', 'settle', ['x', { as: 'failed', reason: 'gone' }]],
    ['rm x y --force', 'remove', [['x', 'y'], { force: true }]],
    ['fetch x *.txt --to out', 'fetch', ['x', { globs: ['*.txt'], to: '/somewhere/out' }]],
    ['explain x', 'explain', ['x']],
    ['shell x 2 -o json', 'locate', ['x', { rank: 2 }]],
    ['forward x 80:8080 --rank 1 -o json', 'locate', ['x', { rank: 1 }]],
    ['prune --older-than 30d --max-size 10GB --dry-run', 'prune', [{ olderThanMs: 2_592_000_000, maxBytes: 10_737_418_240, dryRun: true }]],
    ['target list', 'targets', [{ clientDirectory: '/somewhere' }]],
    ['target check local', 'checkTarget', ['local', { clientDirectory: '/somewhere' }]],
    ['wait x', 'wait', ['k3v9x2', { until: 'settled', signal: expect.any(AbortSignal) }]],
    [
      'logs x --rank 0-1 --stream setup --attempt 2 --tail 5',
      'logs',
      ['k3v9x2', { ranks: [0, 1], streams: ['setup'], attempt: 2, tail: 5, follow: false }],
    ],
    ['logs x -f', 'logs', ['k3v9x2', { follow: true, signal: expect.any(AbortSignal) }]],
  ])('%s', async (line, method, args) => {
    const { drover, calls } = fakeDrover()
    const run = await runFakeCli(drover, line.split(' '))
    expect(run.stderr + run.code).toBe(`${run.stderr}0`)
    expect(calls.find((call) => call.method === method)?.args).toEqual(args)
  })

  test('run: every flag reaches the task', async () => {
    const { drover, calls } = fakeDrover()
    const flags = [
      ...[
        '--on',
        'local',
        '--name',
        'n',
        '--num-nodes',
        '2',
        '--cpus',
        '2',
        '--memory',
        '3GB',
        '--gpus',
        'H100:2',
        '--env',
        'A=1',
        '--secret',
        'TOKEN',
      ],
      ...[
        '--setup',
        'echo s',
        '--array',
        '0-9:3',
        '--max-parallel',
        '2',
        '--retries',
        '1',
        '--retry-when',
        'timeout,exit:17',
        '--backoff',
        '5s',
        '--timeout',
        '1h',
      ],
      ...['--grace', '3s', '--collect', '*.out', '--priority', '7', '--processes-per-node', '2', '--cpus-per-process', '1'],
    ]
    const run = await runFakeCli(drover, ['run', ...flags, '--no-wait-submit', '-o', 'quiet', '--', 'echo', '-o', 'json', 'a b'])
    expect(run).toEqual({ code: 0, stdout: 'job0\n', stderr: '' })
    const file = calls.find((call) => call.method === 'submit')?.args[0] as TaskFile
    expect(file.tasks[0]).toMatchObject({
      name: 'n',
      numNodes: 2,
      run: { kind: 'argv', argv: ['echo', '-o', 'json', 'a b'] },
      envs: { A: '1' },
      secrets: { TOKEN: 'from-environment' },
      setup: 'echo s',
      array: { size: 4, maxParallel: 2 },
      retries: { max: 1, when: [{ kind: 'timeout' }, { exitCode: 17 }], backoffMs: 5000 },
      timeoutMs: 3_600_000,
      graceMs: 3000,
      collect: ['*.out'],
      processesPerNode: 2,
      cpusPerProcess: 1,
      resources: { candidates: [{ cpus: { value: 2 }, accelerators: [{ type: 'H100', count: 2 }], priority: 7 }] },
    })
  })

  test('run reads a file, several documents, and standard input', async () => {
    const { drover, calls } = fakeDrover()
    for (const file of ['task.yaml', 'two.yaml', '-']) await runFakeCli(drover, ['run', file, '--no-wait-submit'], { directory })
    const names = calls.filter((call) => call.method === 'submit').map((call) => (call.args[0] as TaskFile).tasks.map((task) => task.name))
    expect(names).toEqual([['train'], ['a', 'b'], [undefined]])
  })

  test('run --dry-run plans and submits nothing', async () => {
    const { drover, calls } = fakeDrover()
    const run = await runFakeCli(drover, ['run', 'task.yaml', '--dry-run'], { directory })
    expect(calls.map((call) => call.method)).toEqual(['plan', 'close'])
    expect(run.stdout).toContain('run.sh (0700)')
  })
})

describe('run prints what the task prints', () => {
  const following = (chunks: ReturnType<typeof fakeChunk>[], job: Partial<Job> = {}): Partial<Drover> => ({
    wait: async () => fakeJob(job),
    get: async () => fakeJob(job),
    async *logs() {
      yield* chunks
    },
  })

  test('bytes pass untouched; stderr stays stderr', async () => {
    const { drover } = fakeDrover(
      following([fakeChunk('hi'), fakeChunk('oops\n', { stream: 'stderr', file: '1/0.err' }), fakeChunk('\n', { offset: 2 })]),
    )
    expect(await runFakeCli(drover, ['run', '--', 'echo', 'hi'])).toEqual({ code: 0, stdout: 'hi\n', stderr: 'oops\n' })
  })

  test('several ranks: whole lines with the rank before them', async () => {
    const rank = { node: 'n', pid: null, state: 'succeeded', exit_code: 0, signal: null, killed_by_peer: false } as const
    const chunks = [
      fakeChunk('a1\na', { rank: 0 }),
      fakeChunk('b1\n', { rank: 1, file: '1/1.out' }),
      fakeChunk('2\nend', { rank: 0, offset: 4 }),
    ]
    const { drover } = fakeDrover(
      following(chunks, {
        ranks: [
          { rank: 0, ...rank },
          { rank: 1, ...rank },
        ],
      }),
    )
    expect((await runFakeCli(drover, ['run', '--', 'x'])).stdout).toBe('[0] a1\n[1] b1\n[0] a2\n[0] end\n')
  })

  test.each<[string, Partial<Job>, number]>([
    ['the exit code of the task', { state: 'failed', exit_code: 3, cause: { kind: 'exit', code: 3, message: 'exit code 3' } }, 3],
    ['a signal', { state: 'failed', exit_code: 137 }, 137],
    ['lost is never success', { state: 'lost', exit_code: null }, 125],
    ['a cancelled job whose script ended with 0 is no success', { state: 'cancelled', exit_code: 0 }, 125],
  ])('exit code: %s', async (_name, job, code) => {
    const { drover } = fakeDrover(following([fakeChunk('x\n')], job))
    const run = await runFakeCli(drover, ['run', '--', 'x'])
    expect(run.code).toBe(code)
    expect(run.stdout).toBe('x\n')
    expect(run.stderr).toContain('drover explain k3v9x2')
  })

  test('several jobs: the first failure in time decides', async () => {
    const at = (id: string) =>
      fakeJob(
        id === 'job0'
          ? { id, state: 'failed', exit_code: 4, ended_at: '2026-01-02T03:04:09.000Z' }
          : { id, state: 'failed', exit_code: 5, ended_at: '2026-01-02T03:04:08.000Z' },
      )
    const { drover } = fakeDrover({ wait: async (id) => at(id), get: async (id) => at(id) })
    const run = await runFakeCli(drover, ['run', 'two.yaml', '-o', 'json'], { directory })
    expect(run.code).toBe(5)
    expect(JSON.parse(run.stdout)).toHaveLength(2)
  })

  test('Ctrl-C detaches: the job runs on, the way back is said, exit 130', async () => {
    const abort = new AbortController()
    const { drover, calls } = fakeDrover({
      wait: (_id, options) =>
        new Promise((_, reject) =>
          options?.signal?.addEventListener('abort', () => reject(new DroverError('aborted', 'aborted', { level: 'internal' }))),
        ),
      async *logs() {
        yield fakeChunk('hi\n')
        abort.abort(130)
      },
    })
    const run = await runFakeCli(drover, ['run', '--', 'sleep', '9'], { interruption: () => abort.signal })
    expect(run.code).toBe(130)
    expect(run.stderr).toContain('drover logs -f job0')
    expect(calls.map((call) => call.method)).not.toContain('cancel')
  })

  test('a progress line only on a terminal, taken away before output', async () => {
    const stderr = memoryOutput(true)
    const sweep = {
      state: 'running',
      exit_code: null,
      ended_at: null,
      elements: { total: 10, queued: 2, running: 3, succeeded: 4, failed: 1, cancelled: 0, lost: 0, first_failed: [] },
    } as const
    const { drover } = fakeDrover({
      get: async () => fakeJob(sweep),
      wait: async () => {
        await expect.poll(() => stderr.text()).toContain('5/10 done')
        return fakeJob()
      },
      logs: async function* () {},
    })
    await runFakeCli(drover, ['run', '--', 'x'], { stderr })
    expect(stderr.text()).toContain('5/10 done, 3 running, 1 failed')
    expect(stderr.text().endsWith('\r\u001b[K')).toBe(true)
  })
})

describe('JSON purity: exactly one document on stdout', () => {
  const failing = async () => {
    throw new InputError('unknown_job', 'no job "helo"')
  }
  test.each<[string, number]>([
    ['list -o json', 0],
    ['show x -o json', 0],
    ['explain x -o json', 0],
    ['logs x -o json', 0],
    ['wait x y -o json', 0],
    ['cancel x -o json', 0],
    ['rm x -o json', 0],
    ['prune --older-than 1d -o json', 0],
    ['target list -o json', 0],
    ['target check local -o json', 0],
    ['supervisor status -o json', 0],
    ['version -o json', 0],
    ['completion bash -o json', 0],
    ['run -o json -- echo hi', 0],
    ['plan -o json -- echo hi', 0],
    ['list --nonsense -o json', 125],
    ['lst -o json', 125],
    ['list --limit zero --output=json', 125],
    ['run no-such-file.yaml -o json', 125],
    ['cancel -o json', 125],
    ['list --state sleeping -ojson', 125],
  ])('%s', async (line, code) => {
    const { drover } = fakeDrover()
    const run = await runFakeCli(drover, line.split(' '))
    expect(run.code).toBe(code)
    const json = JSON.parse(run.stdout) as Record<string, unknown>
    if (code === 125)
      expect(json).toEqual({ error: expect.objectContaining({ code: expect.any(String), level: 'input', message: expect.any(String) }) })
  })

  test('one selector gives an object, several an array', async () => {
    const { drover } = fakeDrover()
    expect(JSON.parse((await runFakeCli(drover, ['cancel', 'x', '-o', 'json'])).stdout)).toMatchObject({ state: 'cancelled' })
    expect(JSON.parse((await runFakeCli(drover, ['cancel', 'x', 'y', '-o', 'json'])).stdout)).toHaveLength(2)
  })

  test('a log that breaks off is still one document, with the error in it', async () => {
    const { drover } = fakeDrover({
      async *logs() {
        yield fakeChunk('one\ntw')
        yield fakeChunk('', { bytes: Buffer.from([0xff, 0x0a]), offset: 6 })
        throw new DroverError('transport_failed', 'gone', { level: 'transport' })
      },
    })
    const run = await runFakeCli(drover, ['logs', 'x', '-o', 'json'])
    expect(run.code).toBe(125)
    expect(JSON.parse(run.stdout)).toMatchObject({
      lines: [
        { text: 'one', rank: 0 },
        { text: 'tw\ufffd', base64: 'dHf/' },
      ],
      error: { code: 'transport_failed' },
    })
  })

  test('the nearest names are offered', async () => {
    const { drover } = fakeDrover({ get: failing })
    expect((await runFakeCli(drover, ['show', 'helo'])).stderr).toContain('Did you mean "hello"?')
    expect((await runFakeCli(drover, ['lst'])).stderr).toContain('Did you mean "list"?')
    expect((await runFakeCli(drover, ['list', '--stat', 'x'])).stderr).toContain('--state')
    expect((await runFakeCli(drover, ['run', 'bad.yaml'], { directory })).stderr).toMatch(/bad\.yaml:2:1: .*runn.*\n.*run/)
  })

  test('no colours and no control characters outside a terminal', async () => {
    const evil = fakeJob({ state: 'queued', reason: 'a\u001b[31mb\nc' })
    const { drover } = fakeDrover({ list: async () => [evil], get: async () => evil })
    for (const line of [['list'], ['show', 'x']]) expect((await runFakeCli(drover, line)).stdout).not.toContain('\u001b')
  })
})

describe('help', () => {
  test('every command has help, and it costs no supervisor', async () => {
    const { COMMAND_NAMES } = await import('../../src/cli/command-names.ts')
    for (const name of COMMAND_NAMES) {
      const { drover, calls } = fakeDrover()
      const run = await runFakeCli(drover, ['help', name])
      expect([name, run.code, calls.length]).toEqual([name, 0, 0])
      expect(run.stdout).toContain(name === 'help' ? 'Usage' : `Usage: ${name}`)
    }
  })
})
