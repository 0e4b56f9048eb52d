import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../targets/replace-file.ts'
import type { Target } from '../targets/target.ts'
import { isName } from '../task/names.ts'

const directoryOf = (home: string): string => join(home, 'clusters')

/** Targets of all clusters that were brought up and not forgotten, by name; whether they still have their nodes is their holders' to say. */
export function readClusters(home: string): ReadonlyMap<string, Target> {
  let files: readonly string[]
  try {
    files = readdirSync(directoryOf(home))
  } catch {
    return new Map()
  }
  const targets = files.flatMap((file): readonly Target[] => {
    if (!file.endsWith('.json')) return []
    try {
      return [JSON.parse(readFileSync(join(directoryOf(home), file), 'utf8')) as Target]
    } catch {
      // It is written whole or not at all; what cannot be read is none of ours.
      return []
    }
  })
  return new Map(targets.map((target) => [target.name, target]))
}

/** Makes a cluster's name known; a former cluster of that name is forgotten. */
export function writeCluster(home: string, target: Target): void {
  if (!isName(target.name)) return
  mkdirSync(directoryOf(home), { recursive: true, mode: 0o700 })
  replaceFile(join(directoryOf(home), `${target.name}.json`), `${JSON.stringify(target)}\n`, 0o600)
}
