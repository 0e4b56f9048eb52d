import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CRASH_INPUTS, crashGraph, writeLedgerWorker } from './crash-graph.ts'
import { RunHome } from './run-fixture.ts'

test('by default only calls of workers have a definition, and only what they read lies beside them', async () => {
  using home = new RunHome()
  writeLedgerWorker(home)
  const checkpoints = join(home.base, 'checkpoints')
  const run = await home.start(crashGraph(0), { id: 'r', inputs: CRASH_INPUTS, checkpoints })
  expect((await run.ended).state).toBe('succeeded')
  const directory = join(checkpoints, 'r')
  const nodes = readdirSync(directory).filter((name) => name.startsWith('-'))
  const called = new Set(home.calls())
  expect(nodes.filter((name) => existsSync(join(directory, name, 'definition'))).sort()).toEqual([...called].sort())
  for (const name of nodes.filter((each) => !called.has(each))) expect(readdirSync(join(directory, name))).toEqual(['outputs'])
  // The others: one file for each value that a call read.
  expect(nodes.length).toBeLessThanOrEqual(2 * called.size)
})
