import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nearestName } from '../../task/nearest-name.ts'

/** A Python worker in a registry. */
export interface PythonWorker {
  readonly name: string
  /** The directory of `main.py`, where calls run: as Tierkreis has it. */
  readonly directory: string
  readonly main: string
}

/**
 * Finds a worker as Tierkreis 2.0.9 to 2.1.1 do: in the first registry with a folder of that name, `main.py`,
 * `tkr_<name>_impl/main.py` (from 2.0.12) or `src/main.py` (2.0.11), in this order. Tierkreis's own templates write `-` in a
 * worker's name as `_` in the name of the inner folder. Otherwise a sentence that says what is missing, and the nearest name.
 */
export async function findWorker(name: string, registries: readonly string[]): Promise<PythonWorker | string> {
  if (name === '' || name.includes('/') || name === '..' || name === '.') return `worker ${JSON.stringify(name)} is no name of a folder`
  const known: string[] = []
  for (const registry of registries) {
    let names: readonly string[]
    try {
      names = await readdir(registry)
    } catch (error) {
      return `cannot read the registry of workers ${registry}: ${reason(error)}. Name a folder that holds one folder per worker.`
    }
    if (names.includes(name)) {
      const folder = join(registry, name)
      const inner = [folder, join(folder, `tkr_${name}_impl`), join(folder, `tkr_${name.replaceAll('-', '_')}_impl`), join(folder, 'src')]
      for (const directory of inner) {
        const main = join(directory, 'main.py')
        if (await isFile(main)) return { name, directory, main }
      }
      if (!(await isDirectory(folder))) return `worker "${name}" is no folder: ${folder}. Put its main.py into a folder of that name.`
      const script = (await isFile(join(folder, 'main.sh'))) ? ' It has a main.sh: assign it to the shell executor.' : ''
      return `worker "${name}" has no main.py in ${folder}, nor in its tkr_${name.replaceAll('-', '_')}_impl or src.${script}`
    }
    for (const one of names) if (!one.startsWith('.')) known.push(one)
  }
  const nearest = nearestName(name, known)
  const hint = nearest === undefined ? `there are: ${known.sort().slice(0, 10).join(', ') || 'none'}` : `did you mean "${nearest}"?`
  return `worker "${name}" is not in ${registries.join(', ') || 'any registry: none is set'} (${hint})`
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
}

function reason(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'it is not there' : String(error)
}
