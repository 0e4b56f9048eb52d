import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { toErrorJson } from '../../errors.ts'
import type { PruneOptions } from '../../jobs/drover.ts'

/** What was removed from the cache of calls, or would be. */
export interface PrunedCache {
  /** Keys of the results: hashes of what went into their calls. */
  readonly removed: readonly string[]
  /** Size of their files. */
  readonly bytes: number
  readonly warnings: readonly string[]
}

interface Kept {
  readonly name: string
  readonly bytes: number
  /** When it was kept or last taken, ms since 1970. */
  readonly usedAt: number
}

/** `CallCache` names a result so; while it is being written it has another name. */
const RESULT = /^[0-9a-f]{64}$/

/** A result that is still not whole after this time belongs to a process that died. */
const UNFINISHED_MS = 86_400_000

/**
 * Removes results from the directory of a `CallCache`: those not used for `olderThanMs`, then the longest unused until the rest takes
 * at most `maxBytes`; without a limit, all. Runs may use the cache meanwhile: a result is there as a whole or not at all.
 */
export function pruneCache(directory: string, { olderThanMs, maxBytes, dryRun = false }: PruneOptions, now: number): PrunedCache {
  const all = entriesOf(directory)
  const results = all.filter(({ name }) => RESULT.test(name)).sort((a, b) => a.usedAt - b.usedAt)
  const limited = olderThanMs !== undefined || maxBytes !== undefined
  let rest = results.reduce((sum, { bytes }) => sum + bytes, 0)
  const removed: string[] = []
  const warnings: string[] = []
  let bytes = 0
  for (const result of results) {
    const isOld = olderThanMs !== undefined && now - result.usedAt > olderThanMs
    if (limited && !isOld && (maxBytes === undefined || rest <= maxBytes)) continue
    if (!dryRun && !attempt(result.name, take)) continue
    removed.push(result.name)
    bytes += result.bytes
    rest -= result.bytes
  }
  const isLeft = ({ name, usedAt }: Kept): boolean => /^(new|old)-/.test(name) && now - usedAt > UNFINISHED_MS
  if (!dryRun) for (const { name } of all.filter(isLeft)) attempt(name, remove)
  return { removed, bytes, warnings }

  function attempt(name: string, act: (directory: string, name: string) => void): boolean {
    try {
      act(directory, name)
      return true
    } catch (error) {
      warnings.push(`${join(directory, name)} is not removed: ${toErrorJson(error).message}`)
      return false
    }
  }
}

/** Moved away first: nobody may find it with half of its files. */
function take(directory: string, name: string): void {
  const away = `old-${name}-${process.pid}`
  renameSync(join(directory, name), join(directory, away))
  remove(directory, away)
}

function remove(directory: string, name: string): void {
  rmSync(join(directory, name), { recursive: true, force: true })
}

function entriesOf(directory: string): readonly Kept[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name)
    const entry = statSync(path, { throwIfNoEntry: false })
    if (entry === undefined) return []
    const sizes = entry.isDirectory()
      ? readdirSync(path).map((file) => statSync(join(path, file), { throwIfNoEntry: false })?.size ?? 0)
      : []
    return [{ name, bytes: sizes.reduce((sum, size) => sum + size, 0), usedAt: entry.mtimeMs }]
  })
}
