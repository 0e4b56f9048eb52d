import { expect, test } from 'vitest'
import { killAtRandom } from '../soak/random-kill.ts'

test('ten kills at random moments: every job ends with its right status', { timeout: 300_000 }, async () => {
  const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  const lines = [`seed ${seed}`]
  const faults = await killAtRandom({ rounds: 10, seed, log: (line) => lines.push(line) })
  expect(faults, lines.join('\n')).toEqual([])
})
