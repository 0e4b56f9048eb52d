import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../../src/testing/index.ts'
import { DROVER_BIN, LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'
import { type CheckpointTree, writeCheckpointTree } from '../workflow/checkpoint-tree.ts'

// Checkpoint directories that Drover writes, read by Tierkreis's own storage classes and by its visualizer: what they say of them is
// what they say of the directories that real Tierkreis wrote of the same graphs (test/fixtures/tierkreis/checkpoints).

interface Recorded extends CheckpointTree {
  readonly name: string
  readonly inputs: Readonly<Record<string, unknown>>
  readonly raised: string | null
}

const script = fileURLToPath(new URL('./tierkreis-storage.py', import.meta.url))
const envScript = fileURLToPath(new URL('./tierkreis-env.sh', import.meta.url))
const fixtures = new URL('../fixtures/tierkreis/checkpoints/', import.meta.url)
const recorded = readdirSync(fixtures)
  .filter((name) => name.startsWith('2.1.1-'))
  .map((name) => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')) as Recorded)
const runs = recorded.map((one, index) => [one.name, `00000000-0000-0000-0000-${String(index + 1).padStart(12, '0')}`, one] as const)

const WORKERS = {
  double:
    '#!/bin/sh\necho "doubling"\ncat "$input_text_file" "$input_text_file" > "$output_value_file"\necho "two lines" > "$output_note_file"\n',
  broken: '#!/bin/sh\necho "no luck" >&2\nexit 3\n',
}

/** Where the directories lie: what real Tierkreis wrote, ours, and ours exported from the default layout. */
const ways = ['ours', 'exported'] as const
const roots = { theirs: '', ours: '', exported: '' }
let base: string
let home: LocalHome
let python: string
let workers: string

beforeAll(async () => {
  const plain = process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1'
  const made = execFileSync(envScript, [`${plain}-viz`, '2.1.1', 'tierkreis-visualization==0.1.9'], { encoding: 'utf8' }).trim()
  python = join(made, 'bin/python')
  base = mkdtempSync(join(tmpdir(), 'drover-tkr-storage-'))
  for (const name of ['theirs', ...ways] as const) {
    roots[name] = join(base, name)
    mkdirSync(roots[name])
  }
  workers = join(base, 'workers')
  for (const [name, text] of Object.entries(WORKERS)) {
    mkdirSync(join(workers, name), { recursive: true })
    writeFileSync(join(workers, name, 'main.sh'), text, { mode: 0o755 })
  }
  home = new LocalHome()
  for (const [name, id, one] of runs) {
    writeCheckpointTree(one, roots.theirs, id)
    const graph = join(base, `${name}.json`)
    writeFileSync(graph, one.files['.N-1/outputs/body']?.text ?? '')
    const inputs = Object.entries(one.inputs).flatMap(([port, value]) => ['-i', `${port}=${JSON.stringify(value)}`])
    const run = ['workflow', 'run', graph, '--id', id, '--name', name, ...inputs, '--registry', workers, '-o', 'json']
    const outcomes = [
      await runDrover(home.environment, [...run, '--layout', 'tierkreis', '--checkpoints', roots.ours], { cwd: base }),
      await runDrover({ ...home.environment, DROVER_HOME: join(base, 'other-home') }, run, { cwd: base }),
    ]
    for (const { code, stderr } of outcomes)
      expect({ code, stderr }).toEqual({ code: one.raised === null ? 0 : 3, stderr: expect.any(String) })
    const exporting = ['workflow', 'export', id, roots.exported]
    expect(await runDrover({ ...home.environment, DROVER_HOME: join(base, 'other-home') }, exporting, { cwd: base })).toMatchObject({
      code: 0,
    })
  }
}, 600_000)
afterAll(async () => {
  await home?.close()
  rmSync(base, { recursive: true, force: true })
})

function callPython(...args: string[]): unknown {
  const env = { ...process.env, HOME: base }
  const text = execFileSync(python, [script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 200_000 })
  return JSON.parse(text.trim().split('\n').at(-1) ?? '')
}

interface Read {
  started_at?: string
  readonly nodes: Record<string, { errors: string }>
}

/** A worker's stdout is in the run's log alone here; Tierkreis copies it to `<loc>/logs` too, which it reads as errors. */
function withoutStdout(read: Read): Read {
  for (const node of Object.values(read.nodes)) node.errors = node.errors.replace('doubling\n', '')
  return read
}

test('there are runs of every kind', () => {
  expect(runs.map(([name]) => name)).toEqual(['chain-shell-worker', 'failed-shell-worker', 'loop', 'map'])
})

describe.each(ways)("Tierkreis's storage reads a directory %s", (way) => {
  test.each(runs)('%s', (name, id) => {
    const [ours, theirs] = [roots[way], roots.theirs].map((root) => (callPython(root, id) as Record<string, Read>)[id] as Read)
    expect(Math.abs(Date.parse(ours?.started_at ?? '') - Date.now())).toBeLessThan(600_000)
    delete ours?.started_at
    delete theirs?.started_at
    expect(ours && withoutStdout(ours)).toEqual(theirs && withoutStdout(theirs))
    expect(Object.values(ours?.nodes ?? {}).length).toBeGreaterThan(name.includes('shell') ? 3 : 20)
  })
})

describe("Tierkreis's own controller goes on with a directory of Drover's", () => {
  test.each(ways)(
    '%s: a task that is started again, a shell worker',
    (way) => {
      const id = runs.find(([name]) => name === 'chain-shell-worker')?.[1] ?? ''
      const root = join(base, `restart-${way}`)
      execFileSync('cp', ['-a', roots[way], root])
      expect(callPython('--restart', root, id, '-.N2', workers)).toEqual({
        invalid: ['-.N3', '-.N4'],
        before: false,
        finished: true,
        outputs: { value: 'abab', note: { __tkr_bytes__: true, bytes: Buffer.from('two lines\n').toString('base64') } },
      })
    },
    300_000,
  )
})

describe("Tierkreis's visualizer", () => {
  const servers: { readonly process: ChildProcess; readonly url: string }[] = []
  const serve = async (root: string): Promise<string> => {
    const args = ['-m', 'uvicorn', 'tierkreis_visualization.app:get_filestorage_app', '--factory', '--host', '127.0.0.1', '--port', '0']
    const env = { ...process.env, HOME: base, TIERKREIS_PATH: root }
    const child = spawn(python, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const line of createInterface({ input: child.stderr })) {
      const url = /running on (http:\S+)/.exec(line)?.[1]
      if (url === undefined) continue
      child.stderr.resume()
      servers.push({ process: child, url })
      return url
    }
    throw new Error('the visualizer did not start')
  }
  const get = async (url: string, path: string): Promise<unknown> => {
    // A connection of its own: the server ends those that are idle, at its own moment.
    const response = await fetch(`${url}/api/workflows${path}`, { headers: { connection: 'close' } })
    const text = await response.text()
    return { status: response.status, body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text, withoutTime) : text }
  }
  const urls = { theirs: '', ours: '', exported: '' }
  beforeAll(async () => {
    for (const name of ['theirs', ...ways] as const) urls[name] = await serve(roots[name])
  }, 120_000)
  afterAll(async () => {
    for (const { process: child } of servers) {
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      await closed
    }
  })

  const PATHS: Readonly<Record<string, readonly string[]>> = {
    'chain-shell-worker': [
      '/graphs?locs=-',
      '/nodes/-',
      '/nodes/-/outputs',
      '/nodes/-.N2/outputs',
      '/nodes/-.N2/outputs/note',
      '/nodes/-.N3/logs',
      '/nodes/-.N2/errors',
    ],
    'failed-shell-worker': ['/graphs?locs=-', '/nodes/-.N2/errors', '/nodes/-.N2/logs', '/nodes/-.N1/outputs/value', '/nodes/-/errors'],
    loop: ['/graphs?locs=-&locs=-.N3&locs=-.N3.L0&locs=-.N3.L2', '/nodes/-.N3/outputs', '/nodes/-.N3.L1.N2/outputs/value'],
    map: ['/graphs?locs=-&locs=-.N4&locs=-.N4.M0&locs=-.N4.M2', '/nodes/-.N4/outputs', '/nodes/-.N4.M1/outputs/value'],
  }

  test.each(ways)('lists the runs: %s', async (way) => {
    const ours = await get(urls[way], '/')
    expect(ours).toEqual(await get(urls.theirs, '/'))
    expect(ours).toMatchObject({ status: 200, body: runs.map(([name, id]) => ({ id, name })) })
  })

  test('follows a run that goes on, whose controller is killed, and that is resumed', async () => {
    const id = randomUUID()
    const states = async (): Promise<readonly string[]> => {
      const answer = (await get(urls.ours, `/${id}/nodes/-`)) as { readonly body?: { readonly nodes?: readonly { status: string }[] } }
      return answer.body?.nodes?.map(({ status }) => status) ?? []
    }
    const chain = recorded.find(({ name }) => name === 'chain-shell-worker')
    rmSync(join(base, 'open'), { force: true })
    const graph = join(base, 'gated.json')
    writeFileSync(graph, chain?.files['.N-1/outputs/body']?.text?.replace('double.run', 'gate.run') ?? '')
    mkdirSync(join(workers, 'gate'), { recursive: true })
    const wait = `while [ ! -e "${base}/open" ]; do sleep 0.05; done\n`
    writeFileSync(join(workers, 'gate/main.sh'), WORKERS.double.replace('echo "doubling"\n', wait), { mode: 0o755 })
    const args = ['workflow', 'run', graph, '--id', id, '-i', 'text="ab"', '--registry', workers]
    const controller = spawn(process.execPath, [DROVER_BIN, ...args, '--layout', 'tierkreis', '--checkpoints', roots.ours], {
      cwd: base,
      env: home.environment,
      stdio: 'ignore',
    })
    const ended = once(controller, 'exit')
    onTestFinished(() => {
      controller.kill('SIGKILL')
      writeFileSync(join(base, 'open'), '')
      rmSync(join(roots.ours, id), { recursive: true, force: true })
    })
    await until('the start of the worker', 60_000, async () => (await states())[2] === 'Started')
    expect(await states()).toEqual(['Finished', 'Finished', 'Started', 'Not started', 'Not started'])
    controller.kill('SIGKILL')
    await ended
    writeFileSync(join(base, 'open'), '')
    const { code, stdout } = await runDrover(home.environment, ['workflow', 'resume', id, '-o', 'json'], { cwd: base })
    expect({ code, end: JSON.parse(stdout) }).toMatchObject({ code: 0, end: { state: 'succeeded', outputs: { value: 'abab' } } })
    expect(await states()).toEqual(Array(5).fill('Finished'))
    expect(callPython(roots.ours, id)).toMatchObject({ [id]: { errors: '', nodes: { '-.N2': { outputs: { value: 'abab' } } } } })
  }, 120_000)

  describe.each(ways)('%s', (way) => {
    test.each(runs)('%s', async (name, id) => {
      for (const path of PATHS[name] ?? []) {
        const [ours, theirs] = [await get(urls[way], `/${id}${path}`), await get(urls.theirs, `/${id}${path}`)]
        expect(ours, path).toEqual(theirs)
        expect(ours, path).toMatchObject({ status: name.startsWith('chain') && path.endsWith('/errors') ? 404 : 200 })
      }
      expect(await get(urls[way], `/${id}/logs`)).toMatchObject({
        status: 200,
        body: expect.stringContaining(way === 'ours' ? 'START' : ''),
      })
    })
  })
})

/** Times differ; whether there is one does not. */
function withoutTime(key: string, value: unknown): unknown {
  return /_time$/.test(key) && typeof value === 'string' && value !== '' ? 'TIME' : value
}
