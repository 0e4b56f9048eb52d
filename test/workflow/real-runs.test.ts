import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMemoryExecutor } from '../../src/workers/memory/memory-executor.ts'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { createRunDirectory, type Layout, runsDirectory } from '../../src/workflow/run/run-directory.ts'
import { openRun, type RunEnd } from '../../src/workflow/run/workflow-run.ts'
import { decodeJson } from '../../src/workflow/values/json-decoder.ts'
import { NEWEST_DIALECT } from '../../src/workflow/values/value-dialect.ts'
import { oracleWorker } from './oracle-worker.ts'

/*
 * Graphs that real Tierkreis has run, with what came out (test/fixtures/tierkreis/runs/README.md), in both layouts.
 */
interface RecordedRun {
  readonly name: string
  readonly version: string
  readonly about: string
  readonly graph: string
  readonly inputs: Readonly<Record<string, Recorded>>
  readonly outcome: 'succeeded' | 'failed' | 'raised' | 'unfinished'
  readonly outputs?: Readonly<Record<string, Recorded>>
  readonly error?: { readonly locs: readonly string[]; readonly messages: Readonly<Record<string, string>> }
  readonly calls: readonly string[]
}
type Recorded = { readonly text: string } | { readonly base64: string }

/** Where Drover means to differ: what Tierkreis does there is of no use to anybody. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'partial-body-output': 'partial application works',
  'map-empty-twice': 'a map of an empty map is empty',
  'map-port-star': 'a map takes the elements of a named port',
  'ifelse-lazy-input-reference': 'a branch may be an input',
  'input-without-node-noted': 'edges from node -1 ask nothing of the last node',
}
/** The controller ends with an exception; here a node fails. */
const RAISED_BY_GRAPH = new Set(['fail-cycle', 'fail-no-output-node', 'fail-unknown-input', 'const-bytes-not-utf8', 'node-does-not-exist'])

const directory = new URL('../fixtures/tierkreis/runs/', import.meta.url)
const recorded = readdirSync(directory)
  .filter((version) => /^\d/.test(version))
  .flatMap((version) => readdirSync(new URL(`${version}/`, directory)).map((file) => new URL(`${version}/${file}`, directory)))
  .map((file) => JSON.parse(readFileSync(file, 'utf8')) as RecordedRun)

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'drover-real-runs-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }), 240_000)

function bytesOf(content: Recorded): Buffer {
  return 'text' in content ? Buffer.from(content.text) : Buffer.from(content.base64, 'base64')
}

async function runRecorded(run: RecordedRun, layout: Layout): Promise<RunEnd> {
  const runs = runsDirectory(home)
  const root = layout === 'tierkreis' ? join(home, 'checkpoints') : runs
  const description = createRunDirectory(
    runs,
    {
      id: `${run.version}-${run.name}-${layout}`,
      name: run.name,
      created_at: new Date().toISOString(),
      layout,
      root,
      on_failure: 'continue',
      max_parallel: 100,
      rules: [],
      executors: null,
      source: null,
    },
    Buffer.from(run.graph),
    new Map(Object.entries(run.inputs).map(([port, content]) => [port, bytesOf(content)])),
  )
  const executors = singleExecutor(createMemoryExecutor({ workers: [oracleWorker()] }))
  return (await openRun(description, { runs, executors, version: 'test' })).ended
}

/** Values as the newest release writes them: older ones differ in blanks alone. */
function read(bytes: Uint8Array): unknown {
  try {
    return decodeJson(bytes, NEWEST_DIALECT)
  } catch {
    return bytes
  }
}

for (const layout of ['drover', 'tierkreis'] as const) {
  describe(`layout ${layout}`, () => {
    const same = recorded.filter(({ name, outcome }) => !(name in DIFFERENT) && outcome !== 'unfinished')
    test.concurrent.each(same.map((run) => [run.version, run.name, run] as const))('%s %s', async (_version, _name, run) => {
      if (run.outcome === 'raised') {
        const ended = await runRecorded(run, layout).catch((error: unknown) => error)
        if (RAISED_BY_GRAPH.has(run.name)) expect(ended).toBeInstanceOf(Error)
        else expect((ended as RunEnd).state).toBe(run.name.startsWith('const-bytes') ? 'succeeded' : 'failed')
        return
      }
      const end = await runRecorded(run, layout)
      expect(end.state).toBe(run.outcome)
      if (run.outputs === undefined) {
        const failed = Object.fromEntries(end.failed.map(({ node, message }) => [node, message.split(' at W/')[0]]))
        const expected = Object.fromEntries((run.error?.locs ?? []).map((loc) => [loc, wordsOf(run.error?.messages[loc] ?? '')]))
        expect(Object.fromEntries(Object.entries(failed).map(([loc, message]) => [loc, wordsOf(message ?? '')]))).toEqual(expected)
        return
      }
      const outputs = [...(end.outputs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
      const expected = Object.entries(run.outputs).sort(([a], [b]) => (a < b ? -1 : 1))
      expect(outputs.map(([port]) => port)).toEqual(expected.map(([port]) => port))
      for (const [k, [port, content]] of expected.entries()) {
        const found = Buffer.from(outputs[k]?.[1].bytes ?? [])
        if (run.version === '2.0.9') expect(read(found), port).toEqual(read(bytesOf(content)))
        else expect(found, port).toEqual(bytesOf(content))
      }
    })
  })
}

test('every case that differs is one that was recorded', () => {
  const names = new Set(recorded.map(({ name }) => name))
  expect(Object.keys(DIFFERENT).filter((name) => !names.has(name))).toEqual([])
})

/** Without the places that real messages name, and with blanks alike. */
function wordsOf(message: string): string {
  return message.split(' at W/')[0]?.replace(/\s+/g, ' ').replace(/\.$/, '').trim() ?? ''
}
