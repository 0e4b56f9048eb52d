import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pruneCache } from './prune-cache.ts'

const NOW = Date.parse('2026-03-01T00:00:00Z')
const DAY = 86_400_000
const key = (letter: string): string => letter.repeat(64)
const [a, b, c] = [key('a'), key('b'), key('c')]
let directory: string

function put(name: string, bytes: number, days: number): void {
  const path = join(directory, name)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'value'), Buffer.alloc(bytes - 1))
  writeFileSync(join(path, 'other'), 'x')
  utimesSync(path, (NOW - days * DAY) / 1000, (NOW - days * DAY) / 1000)
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cache-'))
  put(a, 100, 40)
  put(b, 200, 2)
  put(c, 400, 20)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test.each([
  ['all', {}, [a, c, b], 700],
  ['by the time since they were used', { olderThanMs: 30 * DAY }, [a], 100],
  ['by size, the longest unused first', { maxBytes: 200 }, [a, c], 500],
  ['by size, which all keep', { maxBytes: 700 }, [], 0],
  ['by both', { olderThanMs: 10 * DAY, maxBytes: 650 }, [a, c], 500],
])('%s', (_name, options, removed, bytes) => {
  expect(pruneCache(directory, { ...options, dryRun: true }, NOW)).toEqual({ removed, bytes, warnings: [] })
  expect(readdirSync(directory).length).toBe(3)
  expect(pruneCache(directory, options, NOW)).toEqual({ removed, bytes, warnings: [] })
  expect(readdirSync(directory).sort()).toEqual([a, b, c].filter((name) => !removed.includes(name)))
})

test('what another process writes just then stays; what a dead one left goes', () => {
  put('new-fresh', 10, 0.5)
  put('new-stale', 10, 2)
  put(`old-${a}-17`, 10, 2)
  writeFileSync(join(directory, 'note'), 'somebody else')
  expect(pruneCache(directory, { olderThanMs: 365 * DAY }, NOW).removed).toEqual([])
  expect(readdirSync(directory).sort()).toEqual([a, b, c, 'new-fresh', 'note'])
})

test('without a cache there is nothing to remove', () => {
  expect(pruneCache(join(directory, 'none'), {}, NOW)).toEqual({ removed: [], bytes: 0, warnings: [] })
})
