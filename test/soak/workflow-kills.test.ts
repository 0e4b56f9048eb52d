import { expect, test } from 'vitest'
import { killAtRandom } from '../workflow/kill-controllers.ts'

test.each(['drover', 'tierkreis'] as const)('layout %s: a hundred kills of a workflow controller at random moments', async (layout) => {
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}`)
  const begun = Date.now()
  expect(await killAtRandom({ kills: 100, layout, seed, log: console.log })).toEqual([])
  console.log(
    `100 controllers killed with the layout ${layout}: outputs as undisturbed, no call twice; ${Math.round((Date.now() - begun) / 1000)} s`,
  )
})
