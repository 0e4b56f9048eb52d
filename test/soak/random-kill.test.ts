import { expect, test } from 'vitest'
import { killAtRandom } from './random-kill.ts'

test('a hundred kills of any process at random moments: every job ends with its right status', async () => {
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}`)
  expect(await killAtRandom({ rounds: 100, seed, log: console.log })).toEqual([])
})
