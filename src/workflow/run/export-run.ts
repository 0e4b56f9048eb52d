import { copyFileSync, existsSync, linkSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DroverError } from '../../errors.ts'
import { WorkflowEngine } from '../engine/engine.ts'
import { compileProgram } from '../engine/program.ts'
import { parseGraph } from '../model/graph-codec.ts'
import { inspectRun, type NodeView } from './inspect-run.ts'
import { readJournal } from './journal-file.ts'
import { type RunDescription, readInputs, runPaths } from './run-directory.ts'
import { type RunMemory, recallRun } from './run-memory.ts'
import { TierkreisFiles } from './tierkreis-files.ts'

/**
 * Writes what a run has come to as Tierkreis's checkpoint directory, and returns that: `<directory>/<id>`. Throws DroverError
 * `conflict` where it is there already.
 */
export function exportRun(runs: string, description: RunDescription, directory: string): string {
  const target = join(directory, description.id)
  if (existsSync(target))
    throw new DroverError('conflict', `there is a directory ${target} already`, { level: 'input', hint: 'Export to another folder.' })
  const paths = runPaths(runs, description.id)
  const memory = recallRun(existsSync(paths.journal) ? readJournal(paths.journal).records : [], description.root)
  const endedAt = memory.endedAt === undefined ? undefined : new Date(memory.endedAt)
  const files = new TierkreisFiles(directory, description, { root: description.root, endedAt })
  const engine = new WorkflowEngine(compileProgram(parseGraph(readFileSync(paths.graph))), readInputs(runs, description), {
    memory: memory.root,
    retries: memory.retries,
    observer: files.observer,
    maxOpen: Number.POSITIVE_INFINITY,
  })
  for (let run = engine.next(); run !== undefined; run = engine.next()) engine.abandon(run)
  if (memory.endedAt !== undefined) {
    files.runEnded(
      memory.state,
      engine.failures.map(({ loc }) => loc),
    )
  }
  const log = join(description.root, description.id, 'logs')
  if (existsSync(log)) copyFileSync(log, join(target, 'logs'))
  // A run of builtins alone has said nothing; readers look for the file.
  else writeFileSync(join(target, 'logs'), '', { mode: 0o600 })
  copyLinked(target)
  setTimes(target, files, memory, inspectRun(runs, description).nodes)
  return target
}

/** On another file system than the run's a file can't be linked: it is copied, for an export must last when the run is removed. */
function copyLinked(target: string): void {
  const copies = new Map<string, string>()
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isSymbolicLink() || !existsSync(path)) continue
    const from = realpathSync(path)
    const copy = copies.get(from)
    rmSync(path)
    if (copy === undefined) copyFileSync(from, path)
    else linkSync(copy, path)
    copies.set(from, path)
  }
}

/** Tierkreis reads when a node started and ended from the times of its files `nodedef` and `_done`. */
function setTimes(target: string, files: TierkreisFiles, { startedAt, endedAt }: RunMemory, nodes: readonly NodeView[]): void {
  const views = new Map<string, NodeView>()
  const note = (view: NodeView): void => {
    views.set(files.directoryOf(view.loc), view)
    for (const inner of view.inner) note(inner)
  }
  for (const view of nodes) note(view)
  const end = files.directoryOf('-')
  for (const name of readdirSync(target)) {
    const directory = join(target, name)
    const view = views.get(directory)
    setTime(join(directory, 'nodedef'), view?.started_at ?? startedAt)
    setTime(join(directory, '_done'), directory === end ? endedAt : (view?.ended_at ?? startedAt))
  }
}

function setTime(path: string, at: string | number | undefined): void {
  const time = at === undefined ? undefined : new Date(at)
  if (time !== undefined && existsSync(path)) utimesSync(path, time, time)
}
