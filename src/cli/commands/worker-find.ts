import { existsSync, readdirSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import { findLauncher } from '../../workers/shell/find-launcher.ts'
import { findWorker, type PythonWorker } from '../../workers/uv/find-worker.ts'
import type { Cli } from '../cli.ts'

/** What a worker is written as: that decides which executor calls it. */
export type WorkerKind = 'python' | 'typescript' | 'script'

/** A worker that was found. */
export interface FoundWorker {
  readonly name: string
  readonly kind: WorkerKind
  /** Absolute path of the program, or of `main.py`. */
  readonly path: string
  /** The folder it was found in; null: on PATH. */
  readonly registry: string | null
  /** Of a Python worker. */
  readonly python?: PythonWorker
}

/** Where workers are looked for. */
export interface WorkerPlaces {
  readonly registries: readonly string[]
  readonly searchPath: string
}

/** Registries given with `--registry`, else `workers` and `tkr/workers` of the current directory where they are. */
export function workerPlaces(cli: Cli, flags: { readonly registry?: readonly string[] }): WorkerPlaces {
  const { PATH: searchPath = '' } = cli.host.environment
  const inDirectory = (name: string): string => resolve(cli.host.directory, name)
  if (flags.registry === undefined) return { registries: ['workers', 'tkr/workers'].map(inDirectory).filter(isDirectory), searchPath }
  const registries = flags.registry.map(inDirectory)
  const missing = registries.find((registry) => !isDirectory(registry))
  if (missing !== undefined) throw new InputError('missing_file', `--registry: ${missing} is no folder`)
  return { registries, searchPath }
}

/** Finds one worker; throws `InputError` where there is none, with what is wrong and what to do. */
export async function findOne(name: string, places: WorkerPlaces): Promise<FoundWorker> {
  const python = places.registries.length === 0 ? 'no registry' : await findWorker(name, places.registries)
  const launcher = findLauncher(name, places)
  // A folder may hold both: the program is what a shell executor takes, Python is Tierkreis's default.
  if (typeof python !== 'string') {
    const registry = places.registries.find((folder) => python.main.startsWith(join(folder, name))) ?? null
    return { name, kind: 'python', path: python.main, registry, python }
  }
  if ('path' in launcher) {
    const { path } = launcher
    const registry = places.registries.find((folder) => path.startsWith(join(folder, name))) ?? null
    return { name, kind: isTypeScript(path) ? 'typescript' : 'script', path, registry }
  }
  const known = await findAll(places)
  const near = nearestName(
    name,
    known.map((worker) => worker.name),
  )
  const isThere = places.registries.some((registry) => existsSync(join(registry, name)))
  throw new InputError('missing_file', isThere ? `worker "${name}" cannot be called: ${launcher.missing}` : `no worker "${name}"`, {
    hint: isThere
      ? python
      : near !== undefined
        ? `Did you mean "${near}"?`
        : `Looked in ${places.registries.join(', ') || 'no registry (there is no folder "workers" here: name one with --registry)'} and for tkr-${name.replaceAll('_', '-')} on PATH.`,
  })
}

/** All workers of the registries, then programs named `tkr-…` on PATH; each name once, the first place counts. */
export async function findAll(places: WorkerPlaces): Promise<readonly FoundWorker[]> {
  const found = new Map<string, FoundWorker>()
  const onlyRegistries = { ...places, searchPath: '' }
  for (const registry of places.registries) {
    for (const name of readdirSync(registry).toSorted()) {
      if (name.startsWith('.') || found.has(name)) continue
      const python = await findWorker(name, [registry])
      const launcher = findLauncher(name, { ...onlyRegistries, registries: [registry] })
      if (typeof python !== 'string') found.set(name, { name, kind: 'python', path: python.main, registry, python })
      else if ('path' in launcher) {
        found.set(name, { name, kind: isTypeScript(launcher.path) ? 'typescript' : 'script', path: launcher.path, registry })
      }
    }
  }
  for (const directory of places.searchPath.split(delimiter).filter((one) => one.startsWith('/'))) {
    if (!isDirectory(directory)) continue
    for (const file of readdirSync(directory).toSorted()) {
      const name = /^tkr[-_](.+)$/.exec(file)?.[1]
      // The builtins run in the controller.
      if (name === undefined || name === 'builtins' || found.has(name) || found.has(name.replaceAll('-', '_'))) continue
      const launcher = findLauncher(name, { registries: [], searchPath: directory })
      if ('path' in launcher)
        found.set(name, { name, kind: isTypeScript(launcher.path) ? 'typescript' : 'script', path: launcher.path, registry: null })
    }
  }
  return [...found.values()]
}

/** Whether a main file of TypeScript or JavaScript lies beside the program. */
function isTypeScript(path: string): boolean {
  if (!path.endsWith('/main.sh')) return false
  return ['main.ts', 'main.mts', 'main.js', 'main.mjs'].some((name) => existsSync(join(path, '..', name)))
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
