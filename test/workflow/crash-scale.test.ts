import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('scale-run.ts', import.meta.url))

async function run(what: 'map' | 'idle', count: number): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, what, String(count)], { maxBuffer: 1 << 20 })
  return JSON.parse(stdout)
}

test('a map of 100,000: below 500 MB, and a node costs what it costs among 1,000', { timeout: 180_000 }, async () => {
  // The first thousands are also what it takes to load and to warm up.
  const small = await run('map', 10_000)
  const large = await run('map', 100_000)
  expect(large['peakBytes']).toBeLessThan(500 * 1024 * 1024)
  const perNode = (large['ms'] ?? 0) / 100_000
  expect(perNode).toBeLessThan(2 * ((small['ms'] ?? 0) / 10_000))
  const least = await run('map', 1_000)
  expect(perNode).toBeLessThan(2 * ((least['ms'] ?? 0) / 1_000))
})

test('3,000 tasks in flight: below 1 % of a core', { timeout: 120_000 }, async () => {
  const { inFlight, share, state } = await run('idle', 3_000)
  expect([inFlight, state]).toEqual([3_000, 'succeeded'])
  expect(share).toBeLessThan(0.01)
})
