import { expect, test } from 'vitest'
import { CRASH_INPUTS, CRASH_OUTPUTS, crashGraph, writeLedgerWorker } from './crash-graph.ts'
import { killAtRandom } from './kill-controllers.ts'
import { RunHome, textOutputs, treeOf } from './run-fixture.ts'

test('undisturbed', async () => {
  using home = new RunHome()
  writeLedgerWorker(home)
  const end = await (await home.start(crashGraph(), { inputs: CRASH_INPUTS })).ended
  expect(end.failed).toEqual([])
  expect(Object.fromEntries(Object.entries(textOutputs(end)).map(([port, text]) => [port, JSON.parse(text)]))).toEqual(CRASH_OUTPUTS)
})

test.each(['drover', 'tierkreis'] as const)('layout %s: a controller killed a dozen times', async (layout) => {
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  expect(await killAtRandom({ kills: 12, layout, seed, log: () => {} }), `seed ${seed}`).toEqual([])
})

test('with the layout of Tierkreis the directory of a killed run is that of an undisturbed one', async () => {
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  const trees: Readonly<Record<string, string>>[] = []
  const keep = (directory: string): void => {
    trees.push(treeOf(directory))
  }
  const inputs = { ...CRASH_INPUTS, low: '7', high: '7' }
  // By the command, as the one that is killed: it writes the inputs in its own way.
  expect(await killAtRandom({ kills: 0, layout: 'tierkreis', inputs, id: 'same', seed, log: () => {}, onEnd: keep })).toEqual([])
  const faults = await killAtRandom({ kills: 4, layout: 'tierkreis', inputs, id: 'same', seed, log: () => {}, onEnd: keep })
  expect(faults, `seed ${seed}`).toEqual([])
  const [calm = {}, killed = {}] = trees
  expect(Object.keys(calm).length).toBeGreaterThan(500)
  expect(Object.keys(killed).sort(), `seed ${seed}`).toEqual(Object.keys(calm).sort())
  expect(killed, `seed ${seed}`).toEqual(calm)
})
