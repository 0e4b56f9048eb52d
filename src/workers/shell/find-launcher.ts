import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { nearestName } from '../../task/nearest-name.ts'

/** Where programs of workers are looked for. */
export interface LauncherPlaces {
  /** Folders with a file or a folder per worker; none: only `searchPath`. */
  readonly registries: readonly string[]
  /** As `PATH` has it. */
  readonly searchPath: string
}

/** What was found: an executable file, or why there is none, as a sentence that says what to do. */
export type Launcher = { readonly path: string } | { readonly missing: string }

/**
 * The program of a worker. In each registry: the file `<worker>`, or in the folder of that name `main.sh`, `tkr_<worker>_impl/main.sh`,
 * `src/main.sh` (Tierkreis 2.0.9 to 2.1.1, ShellExecutor; the inner folders are those of its newer workers). Then on PATH:
 * `tkr-<worker>` with `_` written as `-`, `tkr-<worker>`, `tkr_<worker>`, and the bare name last, so that a worker `sort` is not
 * `/usr/bin/sort` where a `tkr-sort` is installed.
 */
export function findLauncher(worker: string, places: LauncherPlaces): Launcher {
  if (worker === '' || worker.includes('/') || worker.includes('\0') || worker === '.' || worker === '..') {
    return { missing: `${JSON.stringify(worker)} is no name of a worker: it stands for a file of a registry.` }
  }
  const known: string[] = []
  let python: string | undefined
  for (const registry of places.registries) {
    const path = join(registry, worker)
    if (isFile(path)) return checked(worker, path)
    const folders = [path, join(path, `tkr_${worker.replaceAll('-', '_')}_impl`), join(path, 'src')]
    for (const folder of folders) if (isFile(join(folder, 'main.sh'))) return checked(worker, join(folder, 'main.sh'))
    python ??= folders.find((folder) => isFile(join(folder, 'main.py')))
    known.push(...namesIn(registry))
  }
  const names = [`tkr-${worker.replaceAll('_', '-')}`, `tkr-${worker}`, `tkr_${worker}`, worker]
  for (const name of new Set(names)) {
    const path = findProgram(name, places.searchPath)
    if (path !== undefined) return { path }
  }
  if (python !== undefined) return { missing: `worker "${worker}" is Python (${join(python, 'main.py')}): assign it to a uv executor.` }
  const nearest = nearestName(worker, known)
  const where =
    places.registries.length === 0 ? '' : `no script "${worker}" nor "${worker}/main.sh" in ${places.registries.join(', ')}, and `
  const hint = nearest === undefined ? 'Add the script, or assign the worker to another executor.' : `Did you mean "${nearest}"?`
  return { missing: `worker "${worker}" has no program: ${where}no ${names[0]} on PATH. ${hint}` }
}

/** An executable file of that name in one of the absolute directories of `searchPath` (as `PATH` has it). */
export function findProgram(name: string, searchPath: string): string | undefined {
  const directories = searchPath.split(delimiter).filter((one) => one.startsWith('/'))
  return directories.map((directory) => join(directory, name)).find(isProgram)
}

/** True for an executable file. */
export function isProgram(path: string): boolean {
  return isFile(path) && isExecutable(path)
}

/** What holds the code of a worker that was found in a registry: its folder, or its file; of one on PATH the program. */
export function launcherCode(worker: string, places: LauncherPlaces): string | undefined {
  const launcher = findLauncher(worker, places)
  if ('missing' in launcher) return undefined
  const folder = places.registries.map((registry) => join(registry, worker)).find((path) => launcher.path.startsWith(`${path}/`))
  return folder ?? launcher.path
}

function checked(worker: string, path: string): Launcher {
  return isExecutable(path) ? { path } : { missing: `the program of worker "${worker}" is not executable: run: chmod +x '${path}'` }
}

function namesIn(registry: string): readonly string[] {
  try {
    return readdirSync(registry).filter((name) => !name.startsWith('.'))
  } catch {
    // The message says in which registries it was looked for.
    return []
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
