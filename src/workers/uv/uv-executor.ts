import { join } from 'node:path'
import type { CallIo, CheckedTask, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { failedToStart } from '../process/call-end.ts'
import { fingerprintOf } from '../process/fingerprint.ts'
import { ProcessCalls } from '../process/process-calls.ts'
import { findWorker } from './find-worker.ts'
import { type PreparedWorker, prepareEnvironment } from './python-environment.ts'
import { type UvExecutorOptions, type UvSettings, uvSettings } from './uv-options.ts'
import { WarmCalls } from './warm-calls.ts'

/**
 * Runs Python workers of a registry as Tierkreis's UvExecutor does (2.0.9 to 2.1.1): `uv run main.py <path of the call's arguments>`
 * in the folder of `main.py`, with `TKR_DIR`, an empty `VIRTUAL_ENVIRONMENT`, stdout to the run's log and stderr to `<loc>/errors`.
 * uv resolves once per worker and executor, not at each call; and unless `warm` is false, a worker is imported once and forked for
 * each call. Where that can't be done, `onNote` is told why, and each call has an interpreter of its own: results and files are
 * the same. A worker's files are taken as they are at its first call.
 */
export function createUvExecutor(options: UvExecutorOptions): FileExecutor {
  const settings = uvSettings(options)
  // Python first: a spawner is a process, and a check needs none.
  let calls: ProcessCalls | undefined
  const processes = (): ProcessCalls => {
    calls ??= new ProcessCalls()
    return calls
  }
  const warm = new WarmCalls(settings, processes)
  const known = new Map<string, Promise<PreparedWorker | string>>()
  const prepared = (name: string): Promise<PreparedWorker | string> => {
    const found = known.get(name) ?? prepare(name, settings)
    known.set(name, found)
    return found
  }
  return {
    kind: 'uv',
    maxParallel: settings.maxParallel,
    async check(name: string, _tasks: readonly CheckedTask[]): Promise<string | undefined> {
      // Asked anew each time: the person may have mended it.
      known.delete(name)
      const worker = await prepared(name)
      return typeof worker === 'string' ? worker : undefined
    },
    async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
      const worker = await prepared(call.worker)
      if (io.signal.aborted) return { outcome: 'cancelled' }
      if (typeof worker === 'string') return failedToStart(call, worker)
      const command = {
        argv: [...worker.environment.argv, call.argsPath],
        cwd: worker.directory,
        env: { TKR_DIR: call.root, ...worker.environment.env },
      }
      return (await warm.run(worker, call, command, io)) ?? processes().run(call, command, io)
    },
    async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
      const found = await findWorker(call.worker, settings.registries)
      return processes().attach(call, io, { cwd: typeof found === 'string' ? join(call.root, call.runId) : found.directory })
    },
    async fingerprint(name: string): Promise<string | undefined> {
      const found = await findWorker(name, settings.registries)
      const registry = settings.registries.find((folder) => typeof found !== 'string' && found.directory.startsWith(join(folder, name)))
      return registry === undefined ? undefined : await fingerprintOf(join(registry, name))
    },
    async close(): Promise<void> {
      warm.close()
      await calls?.close()
    },
  }
}

async function prepare(name: string, settings: UvSettings): Promise<PreparedWorker | string> {
  const worker = await findWorker(name, settings.registries)
  if (typeof worker === 'string') return worker
  const environment = await prepareEnvironment(worker, settings)
  return typeof environment === 'string' ? environment : { ...worker, environment }
}
