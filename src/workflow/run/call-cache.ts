import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { copyFile, glob, mkdtemp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { WorkerCall, WorkerExecutor } from '../calls/worker-call.ts'
import { Content } from '../engine/content.ts'
import type { Contents } from '../engine/scope.ts'

/** Results of worker calls by what went in: task, executor, worker as the executor knows it, and the contents of all inputs. */
export class CallCache {
  readonly #directory: string

  /** @param directory where the results are kept, shared by all runs of a home */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** The outputs of an earlier call with the same inputs; undefined: none that has all that is read here. */
  async find(call: WorkerCall, executor: WorkerExecutor): Promise<Contents | undefined> {
    const kept = join(this.#directory, await keyOf(call, executor))
    if (!existsSync(kept)) return undefined
    const names = readdirSync(kept)
    const needed = Object.keys(call.args.outputs).filter((port) => !port.endsWith('*'))
    if (!needed.every((port) => names.includes(port))) return undefined
    // When it was last of use, for `prune-cache.ts`.
    const now = new Date()
    utimesSync(kept, now, now)
    const outputs = new Map<string, Content>()
    try {
      for (const name of names) {
        const path = join(call.directory, 'outputs', name)
        outputs.set(name, Content.file(path))
        await copyFile(join(kept, name), path)
      }
    } catch (error) {
      // Removed meanwhile: the call that is made instead finds nothing of it.
      for (const name of names) rmSync(join(call.directory, 'outputs', name), { force: true })
      throw error
    }
    writeFileSync(join(call.directory, '_done'), '', { mode: 0o600 })
    return outputs
  }

  /** Keeps the outputs of a call that ended well. Those of the same call that are there stay. */
  async keep(call: WorkerCall, executor: WorkerExecutor): Promise<void> {
    const kept = join(this.#directory, await keyOf(call, executor))
    if (existsSync(kept)) return
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const unfinished = await mkdtemp(join(this.#directory, 'new-'))
    const outputs = join(call.directory, 'outputs')
    try {
      for (const name of readdirSync(outputs)) await copyFile(join(outputs, name), join(unfinished, name))
      renameSync(unfinished, kept)
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true })
      // Another controller was faster: a directory that is not empty can't be replaced.
      if (!existsSync(kept)) throw error
    }
  }
}

async function keyOf(call: WorkerCall, executor: WorkerExecutor): Promise<string> {
  const hash = createHash('sha256')
  const version = 'fingerprint' in executor ? await executor.fingerprint?.(call.worker) : undefined
  hash.update(JSON.stringify([executor.kind, call.worker, call.task, version ?? null, Object.keys(call.args.outputs).sort()]))
  for (const [port, path] of Object.entries(call.args.inputs).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const files = path.endsWith('*') ? await filesOf(resolve(call.root, path)) : [resolve(call.root, path)]
    for (const file of files) {
      hash.update(JSON.stringify([port, file.slice(file.lastIndexOf('/') + 1), existsSync(file)]))
      if (!existsSync(file)) continue
      const content = createHash('sha256')
      await pipeline(createReadStream(file), content)
      hash.update(content.digest())
    }
  }
  return hash.digest('hex')
}

async function filesOf(pattern: string): Promise<readonly string[]> {
  const files: string[] = []
  for await (const file of glob(pattern)) files.push(file)
  return files.sort()
}
