import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DroverError, InputError, toErrorJson } from '../../src/errors.ts'
import type { Drover, LogChunk, SubmitOptions, TargetView } from '../../src/jobs/drover.ts'
import { connectDrover } from '../../src/server/client.ts'
import { type SocketServer, serveOnSocket } from '../../src/server/serve.ts'
import type { TaskFile } from '../../src/task/task-spec.ts'
import { fakeChunk, fakeDrover, fakeJob } from './fake-drover.ts'

const FILE: TaskFile = {
  source: '<command>',
  execution: 'graph',
  primaryTasks: [],
  terminationDelayMs: {},
  tasks: [
    {
      target: 'local',
      numNodes: 1,
      resources: { ordered: false, candidates: [{ accelerators: [], acceleratorsOrdered: false, raw: {} }] },
      envs: {},
      secrets: { TOKEN: 'hunter2' },
      fileMounts: [],
      run: { kind: 'argv', argv: ['echo', 'a\nb', "'$()'"] },
      retries: { max: 0, when: [], backoffMs: 0 },
      graceMs: 10_000,
      after: [],
      collect: [],
      notify: {},
      baseDirectory: '/tmp',
      foreign: {},
      written: {},
    },
  ],
}

let directory: string
let socketPath: string
const open: { close(): Promise<void> }[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-http-'))
  socketPath = join(directory, 'run', 's')
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
  await rm(directory, { recursive: true })
})

async function serve(answers: Partial<Drover> = {}, version = '1.0.0', stop?: () => void) {
  const fake = fakeDrover(answers)
  const server = await serveOnSocket({ drover: fake.drover, socketPath, version, ...(stop ? { stop } : {}) })
  open.push(server)
  return { ...fake, server }
}

function client(options: Partial<Parameters<typeof connectDrover>[1]> = {}): Drover {
  const drover = connectDrover(socketPath, { version: '1.0.0', ...options })
  open.push(drover)
  return drover
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of source) all.push(value)
  return all
}

describe('every method crosses the socket with its arguments', () => {
  test.each<[name: string, call: (drover: Drover) => Promise<unknown>, method: string, args: unknown[]]>([
    ['plan', (d) => d.plan(FILE, { clientDirectory: '/my project' }), 'plan', [FILE, { clientDirectory: '/my project' }]],
    [
      'list',
      (d) => d.list({ states: ['running', 'lost'], limit: 3, maxAgeMs: 5 }),
      'list',
      [{ states: ['running', 'lost'], limit: 3, maxAgeMs: 5 }],
    ],
    ['get, hostile selector', (d) => d.get('a/../b c?d#e%2F'), 'get', ['a/../b c?d#e%2F']],
    ['cancel', (d) => d.cancel('x', { elements: [3, 7], by: 'me' }), 'cancel', ['x', { elements: [3, 7], by: 'me' }]],
    [
      'retry',
      (d) => d.retry('x', { elements: 'failed', secrets: { A: 'b' } }),
      'retry',
      ['x', { elements: 'failed', secrets: { A: 'b' } }],
    ],
    ['settle', (d) => d.settle('x', { as: 'failed', reason: 'power cut' }), 'settle', ['x', { as: 'failed', reason: 'power cut' }]],
    ['remove', (d) => d.remove(['x', 'y'], { force: true }), 'remove', [['x', 'y'], { force: true }]],
    ['fetch', (d) => d.fetch('x', { globs: ['*.txt'], to: '/o' }), 'fetch', ['x', { globs: ['*.txt'], to: '/o' }]],
    ['locate', (d) => d.locate('x', { rank: 3 }), 'locate', ['x', { rank: 3 }]],
    ['explain', (d) => d.explain('x'), 'explain', ['x']],
    ['prune', (d) => d.prune({ olderThanMs: 1, dryRun: true }), 'prune', [{ olderThanMs: 1, dryRun: true }]],
    ['targets', (d) => d.targets({ clientDirectory: '/a&b=ü' }), 'targets', [{ clientDirectory: '/a&b=ü' }]],
    ['targets of no project', (d) => d.targets({}), 'targets', [{}]],
    ['checkTarget', (d) => d.checkTarget('hpc/α', { clientDirectory: '/p' }), 'checkTarget', ['hpc/α', { clientDirectory: '/p' }]],
    ['status', (d) => d.status(), 'status', []],
  ])('%s', async (_name, call, method, args) => {
    const { calls, drover } = await serve()
    const answer = await call(client())
    expect(calls).toEqual([{ method, args }])
    expect(answer).toEqual(await call(drover))
  })

  test('submit carries the file, its secrets and a key of its own', async () => {
    const { calls } = await serve()
    const jobs = await client().submit(FILE, { clientDirectory: '/here' })
    expect(jobs.map((job) => job.id)).toEqual(['job0'])
    expect(calls[0]?.args[0]).toEqual(FILE)
    expect(calls[0]?.args[1]).toEqual({ clientDirectory: '/here', key: expect.stringMatching(/^[0-9a-z-]{20,}$/) })
    await client().submit(FILE)
    expect(new Set(calls.map(({ args }) => (args[1] as SubmitOptions).key)).size).toBe(2)
  })

  test('unlimited capabilities survive JSON', async () => {
    const capabilities = { maxNodes: Number.POSITIVE_INFINITY, maxArraySize: 5, arrays: 'packed' }
    await serve({ targets: async () => [{ name: 't', capabilities } as unknown as TargetView] })
    expect((await client().targets())[0]?.capabilities).toMatchObject({ maxNodes: Number.POSITIVE_INFINITY, maxArraySize: 5 })
  })
})

describe('errors', () => {
  test.each([
    [new InputError('unknown_job', 'no job "x"', { hint: 'see drover list' }), 404],
    [new InputError('invalid_argument', 'bad'), 400],
    [new DroverError('conflict', 'it runs', { level: 'input' }), 409],
    [new DroverError('transport_failed', 'ssh: timeout', { level: 'transport', transient: true, exitCode: 255, outputTail: 'x' }), 502],
    [new TypeError('boom'), 500],
  ])('%s has status %i and arrives whole', async (thrown, status) => {
    await serve({
      get: async () => {
        throw thrown
      },
    })
    const error = await client()
      .get('x')
      .then(
        () => undefined,
        (caught: unknown) => caught,
      )
    if (!(error instanceof DroverError)) throw new Error('expected a DroverError')
    expect(error.message).toBe(thrown.message)
    expect(toErrorJson(error)).toEqual(toErrorJson(thrown))
    expect((await raw('GET', '/v1/jobs/x')).status).toBe(status)
  })

  test('a wrong body is refused without its values', async () => {
    await serve()
    const bad = { file: { ...FILE, tasks: [{ ...FILE.tasks[0], secrets: { TOKEN: ['hunter2'] } }] } }
    const answer = await raw('POST', '/v1/jobs', JSON.stringify(bad))
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('tasks.0.secrets.TOKEN')
    expect(answer.text).not.toContain('hunter2')
  })

  test('no supervisor: supervisor_unreachable', async () => {
    await expect(client().list()).rejects.toMatchObject({ code: 'supervisor_unreachable', transient: true })
  })

  test('every answer names the version, also errors', async () => {
    await serve({}, '3.2.1')
    expect((await raw('GET', '/v1/status')).version).toBe('3.2.1')
    expect(await raw('GET', '/v9/nothing')).toMatchObject({ status: 404, version: '3.2.1' })
  })
})

async function raw(method: string, path: string, body?: string): Promise<{ status: number | undefined; text: string; version: unknown }> {
  return await new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method, path, agent: false, headers: body === undefined ? {} : { 'content-type': 'application/json' } },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('end', () =>
          resolve({ status: response.statusCode, text: Buffer.concat(pieces).toString(), version: response.headers['drover-version'] }),
        )
      },
    )
    call.on('error', reject)
    call.end(body)
  })
}

describe('the socket', () => {
  test('only its owner can open it, and a stale one is replaced', async () => {
    const first = await serve()
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory, 'run'))).mode & 0o777).toBe(0o700)
    await first.server.close()
    await expect(stat(socketPath)).rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(socketPath, '')
    await serve()
    expect(await client().list()).toHaveLength(1)
  })

  test('a client starts the supervisor where none listens, once', async () => {
    let starts = 0
    const start = async () => {
      starts += 1
      await serve()
    }
    const drover = client({ start })
    expect(await drover.list()).toHaveLength(1)
    expect(await drover.list()).toHaveLength(1)
    expect(starts).toBe(1)
  })

  test('a newer client replaces an older supervisor; an older client is served', async () => {
    let old: SocketServer | undefined
    ;({ server: old } = await serve({}, '1.0.0'))
    const replace = async () => {
      await old?.close()
      await serve({ list: async () => [] }, '1.1.0')
    }
    const start = async () => {}
    expect(await client({ version: '0.9.0', start, replace }).list()).toHaveLength(1)
    expect(await client({ version: '1.1.0', start, replace }).list()).toHaveLength(0)
  })

  test('stop is refused where the supervisor is part of a program', async () => {
    await serve()
    expect((await raw('POST', '/v1/supervisor/stop')).status).toBe(400)
  })

  test('a submit whose answer was lost is sent again with the same key', async () => {
    const keys: unknown[] = []
    const { mkdir } = await import('node:fs/promises')
    await mkdir(join(directory, 'run'))
    const broken = createServer((incoming) => {
      let text = ''
      incoming.on('data', (piece: Buffer) => {
        text += piece.toString()
      })
      incoming.on('end', () => {
        keys.push(JSON.parse(text).options.key)
        incoming.socket.destroy()
        broken.close()
      })
    })
    await new Promise<void>((resolve) => broken.listen(socketPath, resolve))
    const start = async () => {
      await serve({
        submit: async (_file, options) => {
          keys.push(options?.key)
          return [fakeJob()]
        },
      })
    }
    await client({ start }).submit(FILE)
    expect(keys).toHaveLength(2)
    expect(keys[0]).toBe(keys[1])
  })
})

describe('streams', () => {
  test('logs arrive byte for byte, with rank, element and file', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    const chunks: LogChunk[] = [
      fakeChunk('', { bytes, rank: 3, stream: 'stderr', file: '2/3.err', offset: 512, attempt: 2 }),
      fakeChunk('', { bytes: Buffer.alloc(0) }),
      { attempt: 1, element: 9, stream: 'driver', file: '1/driver.log', offset: 0, bytes: Buffer.from('x\n') },
    ]
    async function* logs() {
      yield* chunks
    }
    const { calls } = await serve({ logs })
    const got = await collect(client().logs('x', { ranks: [3], tail: 5, cursors: { '1/0.out': 7 } }))
    expect(got.map((chunk) => ({ ...chunk, bytes: [...chunk.bytes] }))).toEqual(
      chunks.map((chunk) => ({ ...chunk, bytes: [...chunk.bytes] })),
    )
    expect(calls.find((call) => call.method === 'logs')?.args[1]).toMatchObject({ ranks: [3], tail: 5, cursors: { '1/0.out': 7 } })
  })

  test('an error in the middle of a log reaches the reader after what came before', async () => {
    async function* logs() {
      yield fakeChunk('before\n')
      throw new DroverError('transport_failed', 'ssh: gone', { level: 'transport' })
    }
    await serve({ logs })
    const seen: string[] = []
    const read = async () => {
      for await (const chunk of client().logs('x')) seen.push(Buffer.from(chunk.bytes).toString())
    }
    await expect(read()).rejects.toMatchObject({ code: 'transport_failed', message: 'ssh: gone' })
    expect(seen).toEqual(['before\n'])
  })

  test('a reader that stops ends the source; an abort ends the stream quietly', async () => {
    let ended = 0
    async function* events(query?: { signal?: AbortSignal }) {
      try {
        yield { seq: 1, job: 'x', attempt: 1, at: '', type: 'state', data: {} }
        await new Promise((resolve) => query?.signal?.addEventListener('abort', resolve, { once: true }))
      } finally {
        ended += 1
      }
    }
    await serve({ events: events as Drover['events'] })
    const drover = client()
    for await (const _ of drover.events()) break
    await expect.poll(() => ended).toBe(1)
    const abort = new AbortController()
    const seen: number[] = []
    for await (const event of drover.events({ signal: abort.signal })) {
      seen.push(event.seq)
      abort.abort()
    }
    expect(seen).toEqual([1])
    await expect.poll(() => ended).toBe(2)
  })

  test('elements arrive as they end; a job that is no array has none', async () => {
    const elements = { total: 2, queued: 0, running: 2, succeeded: 0, failed: 0, cancelled: 0, lost: 0, first_failed: [] }
    async function* ends() {
      yield { position: 1, state: 'failed' as const, attempt: 1, exit_code: 3, signal: null, cause: 'exit' }
      yield { position: 0, state: 'lost' as const, attempt: 1, exit_code: null, signal: null, cause: 'unknown' }
    }
    await serve({ get: async (job) => fakeJob(job === 'many' ? { elements } : {}), elements: ends })
    const seen: unknown[] = []
    for await (const element of client().elements('many')) seen.push(element)
    expect(seen).toEqual([
      { position: 1, state: 'failed', attempt: 1, exit_code: 3, signal: null, cause: 'exit' },
      { position: 0, state: 'lost', attempt: 1, exit_code: null, signal: null, cause: 'unknown' },
    ])
    await expect(client().elements('one')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  test('a wait that the client gives up ends at the supervisor too', async () => {
    let given: AbortSignal | undefined
    await serve({
      wait: async (_selector, options) => {
        given = options?.signal
        await new Promise((_, reject) =>
          given?.addEventListener('abort', () => reject(new DroverError('aborted', 'aborted', { level: 'internal' }))),
        )
        return fakeJob()
      },
    })
    const abort = new AbortController()
    const waiting = client().wait('x', { signal: abort.signal })
    await expect.poll(() => given !== undefined).toBe(true)
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
    await expect.poll(() => given?.aborted).toBe(true)
  })

  test('a follower and a waiter go on where they were after the supervisor was replaced', async () => {
    const text = 'line one\n'
    const hang = (signal: AbortSignal | undefined) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new DroverError('aborted', '', { level: 'internal' }))))
    async function* first(_selector: string, query?: { signal?: AbortSignal }) {
      yield fakeChunk(text)
      await hang(query?.signal)
    }
    const old = await serve({ logs: first as Drover['logs'], wait: async (_, options) => (await hang(options?.signal)) as never })
    const asked: unknown[] = []
    let started: Promise<unknown> | undefined
    const start = async () => {
      started ??= serve({
        logs: async function* (_selector, query) {
          asked.push(query?.cursors)
          yield fakeChunk('two\n', { offset: text.length })
        },
      })
      await started
    }
    const drover = client({ start })
    const waiting = drover.wait('x')
    const seen: string[] = []
    for await (const chunk of drover.logs('x', { follow: true })) {
      seen.push(Buffer.from(chunk.bytes).toString())
      if (seen.length === 1) await old.server.close()
    }
    expect(seen).toEqual([text, 'two\n'])
    expect(asked).toEqual([{ '1/0.out': text.length }])
    expect((await waiting).state).toBe('succeeded')
  })

  test('a slow reader slows the source: memory stays flat', async () => {
    let made = 0
    const payload = Buffer.alloc(64 * 1024, 'x')
    async function* logs() {
      for (let index = 0; index < 2000; index += 1) {
        made += 1
        yield fakeChunk('', { bytes: payload, offset: index * payload.length })
      }
    }
    await serve({ logs })
    let read = 0
    for await (const _ of client().logs('x')) {
      read += 1
      if (read === 10) {
        await new Promise((resolve) => setTimeout(resolve, 150))
        // What the kernel and the two streams' buffers hold, and no more.
        expect(made).toBeLessThan(100)
      }
    }
    expect(read).toBe(2000)
  })
})
