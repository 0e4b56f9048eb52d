import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMemoryExecutor } from '../../src/workers/memory/memory-executor.ts'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { str } from '../../src/workflow/builder/port-type.ts'
import type { ExecutorSet } from '../../src/workflow/calls/worker-call.ts'
import { readJournal } from '../../src/workflow/run/journal-file.ts'
import type { JournalRecord } from '../../src/workflow/run/journal-record.ts'
import { runPaths } from '../../src/workflow/run/run-directory.ts'
import { readValue } from '../../src/workflow/values/codec.ts'
import { CRASH_INPUTS, crashGraph } from './crash-graph.ts'
import { RunHome, textOutputs } from './run-fixture.ts'

/** Calls of `ledger.step` and `ledger.echo` in this process, by location. */
function counted(calls: string[]): ExecutorSet {
  const executor = createMemoryExecutor({
    maxParallel: 4,
    workers: [
      {
        name: 'ledger',
        tasks: new Map([
          ['step', { inputs: ['x'], outputs: ['value'], run: async ({ inputs }) => new Map([['value', int(inputs) + 1n]]) }],
          ['echo', { inputs: ['x'], outputs: ['value'], run: async ({ inputs }) => new Map([['value', int(inputs)]]) }],
        ]),
      },
    ],
  })
  return singleExecutor({
    ...executor,
    invoke: async (call, io) => {
      calls.push(call.loc)
      return await executor.invoke(call, io)
    },
  })
}

function int(inputs: ReadonlyMap<string, Uint8Array>): bigint {
  const value = readValue(inputs.get('x') ?? new Uint8Array())
  return typeof value === 'bigint' ? value : 0n
}

let home: RunHome
let whole: Buffer
let expected: Readonly<Record<string, string>>
const ID = 'run'

beforeAll(async () => {
  home = new RunHome()
  const calls: string[] = []
  const end = await (await home.start(crashGraph(0), { id: ID, inputs: CRASH_INPUTS, executors: counted(calls) })).ended
  expected = textOutputs(end)
  expect(calls.length).toBe(20)
  whole = readFileSync(paths().journal)
})
afterAll(() => home[Symbol.dispose]())

function paths() {
  return runPaths(home.workflows.runs, ID)
}

/** Puts the run back as it was when its controller died with this journal. */
function leave(journal: Uint8Array): void {
  rmSync(paths().end, { force: true })
  writeFileSync(paths().journal, journal)
}

async function resume(): Promise<{ readonly outputs: Readonly<Record<string, string>>; readonly calls: readonly string[] }> {
  const calls: string[] = []
  const run = await home.workflows.resume(ID, counted(calls))
  return { outputs: textOutputs(await run.ended), calls }
}

function finished(): ReadonlySet<string> {
  const { functions } = home.workflows.inspect(ID)
  return new Set([...functions].flatMap(([loc, run]) => (run.state === 'succeeded' ? [loc] : [])))
}

/** Outputs are the same, and what had ended is not run again. */
async function expectResumed(): Promise<void> {
  const before = finished()
  const { outputs, calls } = await resume()
  expect(outputs).toEqual(expected)
  expect(calls.filter((loc) => before.has(loc))).toEqual([])
  expect(new Set(calls).size).toBe(calls.length)
}

/** Length of the journal without its last record, which says that the run ended. */
function unended(): number {
  return whole.lastIndexOf(10, whole.length - 2) + 1
}

describe('cut off', () => {
  const TAIL = 2048

  test('at every byte of its tail', { timeout: 600_000 }, async () => {
    let cuts = 0
    for (let length = Math.max(0, whole.length - TAIL); length < whole.length; length++) {
      leave(whole.subarray(0, length))
      await expectResumed()
      cuts++
    }
    expect(cuts).toBe(TAIL)
  })

  test('anywhere before', { timeout: 600_000 }, async () => {
    expect(whole.length).toBeGreaterThan(TAIL)
    const lines = [...whole.entries()].flatMap(([at, byte]) => (byte === 10 ? [at, at + 1] : []))
    const places = new Set([0, 1, 8, 9, 10, ...lines, ...Array.from({ length: 100 }, (_, k) => Math.floor((k * whole.length) / 100))])
    for (const length of [...places].filter((at) => at < whole.length)) {
      leave(whole.subarray(0, length))
      await expectResumed()
    }
  })

  test('finished nodes are those whose record is there', async () => {
    leave(whole.subarray(0, unended()))
    const { calls } = await resume()
    expect(calls).toEqual([])
    leave(whole.subarray(0, 0))
    expect((await resume()).calls.length).toBe(20)
  })
})

describe('damaged', () => {
  test('a bit that flipped is found, wherever it is: the byte where its line begins is named, or the last line does not count', {
    timeout: 600_000,
  }, async () => {
    const journal = whole.subarray(0, unended())
    const last = journal.lastIndexOf(10, journal.length - 2) + 1
    const step = Math.max(1, Math.floor(journal.length / 400))
    let refused = 0
    for (let at = 0; at < journal.length; at += step) {
      const flipped = Buffer.from(journal)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      leave(flipped)
      const start = journal.lastIndexOf(10, at - 1) + 1
      // A line that lost its end is one with the next, and both are the last where that was.
      const isTorn = at >= last || at === last - 1
      try {
        readJournal(paths().journal)
        const harmless = /^[0-9a-f]+$/i.test(flipped.toString('latin1', start, start + 8).trim()) && at < start + 8
        expect(isTorn || harmless, `byte ${at}`).toBe(true)
      } catch (error) {
        refused++
        expect(String(error), `byte ${at}`).toMatch(new RegExp(`damaged at byte ${at === 0 ? 0 : start}$`))
        await expect(home.workflows.resume(ID, counted([]))).rejects.toThrow(/damaged at byte/)
      }
    }
    expect(refused).toBeGreaterThan(50)
  })

  test('a run whose journal is damaged is in the list, with the others', async () => {
    const flipped = Buffer.from(whole.subarray(0, unended()))
    flipped[20] = (flipped[20] ?? 0) ^ 1
    leave(flipped)
    expect((await home.workflows.list()).map(({ id, state }) => [id, state])).toEqual([[ID, 'interrupted']])
  })

  test('of a newer format: refused, with what to do', async () => {
    const json = '[{"drover_workflow_journal":2}]'
    leave(Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`))
    const refused: unknown = await home.workflows.resume(ID, counted([])).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'store_newer', message: expect.stringMatching(/has format 2; this release reads 1/) })
    // Nothing was written into it, and nobody holds it.
    expect(readFileSync(paths().journal, 'utf8')).toContain('"drover_workflow_journal":2')
    leave(whole.subarray(0, unended()))
    await expectResumed()
  })

  test('with zeroes behind its end, as some file systems leave them after a power cut', async () => {
    leave(Buffer.concat([whole.subarray(0, unended()), Buffer.alloc(512)]))
    await expectResumed()
  })
})

describe('ended', () => {
  test('a controller that dies before it notes the end beside the journal: the run has ended for all who ask', async () => {
    leave(whole)
    expect((await home.workflows.summary(ID)).state).toBe('succeeded')
    await expect(home.workflows.resume(ID, counted([]))).rejects.toMatchObject({ code: 'conflict' })
    expect(JSON.parse(readFileSync(paths().end, 'utf8'))).toMatchObject({ state: 'succeeded' })
  })

  test('a value that lies in a file beside the journal is there after a crash', async () => {
    using other = new RunHome()
    const text = JSON.stringify('x'.repeat(300_000))
    const g = graph({ a: str })
    const { a } = g.inputs
    const workflow = g.output({ value: g.call(builtins.concat, { lhs: a, rhs: a }) })
    await (await other.start(workflow, { id: 'big', inputs: { a: text } })).ended
    const big = runPaths(other.workflows.runs, 'big')
    const records: readonly JournalRecord[] = readJournal(big.journal).records
    expect(JSON.stringify(records).length).toBeLessThan(10_000)
    rmSync(big.end)
    const descriptor = openSync(big.journal, 'r+')
    ftruncateSync(descriptor, readFileSync(big.journal).lastIndexOf(10, readFileSync(big.journal).length - 2) + 1)
    closeSync(descriptor)
    const end = await (await other.workflows.resume('big', other.shell())).ended
    expect(textOutputs(end)['value']).toBe(JSON.stringify('x'.repeat(600_000)))
  })
})
