import { access, constants, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkerCommand } from './job-script.ts'

/** How a worker is started. */
export interface FoundWorker {
  readonly command: WorkerCommand
  /** Its folder on this machine; undefined: the command is found on the target's PATH. */
  readonly directory?: string
}

/**
 * The command of a worker without one of its own, by what lies in its folder `<registry>/<worker>`: `main.py` is a uv project or
 * script, `main.sh` a shell script; a file `<registry>/<worker>` is run as it is. In none of these cases it is
 * `tkr-<worker>` (underscores are dashes) on the target's PATH.
 */
export async function findWorkerCommand(registry: string | undefined, worker: string): Promise<FoundWorker> {
  if (registry !== undefined) {
    const directory = join(registry, worker)
    const kind = await kindOf(directory)
    if (kind === 'file') return { command: [`./${worker}`], directory: registry }
    if (kind === 'directory') {
      if ((await kindOf(join(directory, 'main.py'))) === 'file') return { command: ['uv', 'run', 'main.py'], directory }
      const program = join(directory, 'main.sh')
      if ((await kindOf(program)) === 'file')
        return { command: (await isExecutable(program)) ? ['./main.sh'] : ['sh', 'main.sh'], directory }
    }
  }
  return { command: [consoleEntry(worker)] }
}

/** Name of a worker's console script: `my_worker` → `tkr-my-worker`. */
export function consoleEntry(worker: string): string {
  return `tkr-${worker.replaceAll('_', '-')}`
}

/** Why a name can't be a worker's folder; undefined: it can. */
export function refuseWorkerName(worker: string): string | undefined {
  if (worker === '' || worker === '.' || worker === '..' || /[/\0]/.test(worker) || worker.startsWith('-'))
    return `worker ${JSON.stringify(worker)} is no name of a folder or program`
  return undefined
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    const found = await stat(path)
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : undefined
  } catch {
    // Whatever the reason, nothing can be run from there.
    return undefined
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
