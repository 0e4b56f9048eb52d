import { access, constants, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkerCommand } from './job-script.ts'

/** How a worker is started. */
export interface FoundWorker {
  readonly command: WorkerCommand
  /** Its folder on this machine; undefined: the command is found on the target's PATH. */
  readonly directory?: string
  /** Of that folder, where the command runs; undefined: in the folder itself. */
  readonly inside?: string
  /** Of that folder only this file belongs to it. */
  readonly only?: string
  /** It is a script that may ask for its call's paths by variables, as Tierkreis's ShellExecutor gives them. */
  readonly variables?: true
}

/**
 * The command of a worker without one of its own, by what lies in its folder `<registry>/<worker>` or, of newer layouts, in its
 * `tkr_<worker>_impl` or `src`: `main.py` is a uv project or script, `main.sh` a shell script; a file `<registry>/<worker>` is run as
 * it is. In none of these cases it is `tkr-<worker>` (underscores are dashes) on the target's PATH.
 */
export async function findWorkerCommand(registry: string | undefined, worker: string): Promise<FoundWorker> {
  if (registry !== undefined) {
    const directory = join(registry, worker)
    if (await isFile(directory)) return { command: [`./${worker}`], directory: registry, only: worker, variables: true }
    for (const inside of [undefined, `tkr_${worker.replaceAll('-', '_')}_impl`, 'src']) {
      const place = { directory, ...(inside === undefined ? {} : { inside }) }
      if (await isFile(join(directory, inside ?? '', 'main.py'))) return { command: ['uv', 'run', 'main.py'], ...place }
      const script = join(directory, inside ?? '', 'main.sh')
      if (!(await isFile(script))) continue
      return { command: (await isExecutable(script)) ? ['./main.sh'] : ['sh', 'main.sh'], ...place, variables: true }
    }
  }
  return { command: [consoleEntry(worker)] }
}

/** Name of a worker's console script: `my_worker` → `tkr-my-worker`. */
function consoleEntry(worker: string): string {
  return `tkr-${worker.replaceAll('_', '-')}`
}

/** Why a name can't be a worker's folder; undefined: it can. */
export function refuseWorkerName(worker: string): string | undefined {
  if (worker === '' || worker === '.' || worker === '..' || /[/\0]/.test(worker) || worker.startsWith('-'))
    return `worker ${JSON.stringify(worker)} is no name of a folder or program`
  return undefined
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    // Whatever the reason, nothing can be run from there.
    () => false,
  )
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
