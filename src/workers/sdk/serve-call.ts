import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { readCallArgs } from '../../workflow/calls/call-args.ts'
import type { WorkerCallArgs } from '../../workflow/calls/worker-call.ts'
import { dialectOf, type ValueDialect } from '../../workflow/values/value-dialect.ts'
import { elementFiles, isMissing, OutputFiles, readPort } from './port-files.ts'
import { isEachPort, type TaskDefinition } from './task-definition.ts'
import { checkPorts, named, runTask } from './task-run.ts'
import type { Worker } from './worker.ts'

/** What a served call needs of its process. */
export interface CallHost {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stderr: (text: string) => void
  readonly signal: AbortSignal
}

/**
 * One call, by files: arguments are read, the task runs, each output is written under another name and renamed, the done
 * marker comes last. Paths are absolute or relative to `TKR_DIR`, default `~/.tierkreis/checkpoints`.
 */
export class ServedCall {
  readonly #worker: Worker
  readonly #host: CallHost
  readonly #root: string
  readonly #argsPath: string
  readonly #files = new OutputFiles()
  #args: WorkerCallArgs | undefined
  #isDone = false

  constructor(worker: Worker, argsPath: string, host: CallHost) {
    this.#worker = worker
    this.#host = host
    const { TKR_DIR: root = '' } = host.environment
    this.#root = root === '' ? join(homedir(), '.tierkreis', 'checkpoints') : resolve(root)
    this.#argsPath = resolve(this.#root, argsPath)
  }

  /** Resolves when the done marker is there; throws what was wrong. The caller then calls `fail`. */
  async run(): Promise<void> {
    this.#args = readCallArgs(await this.#readArgs(), this.#argsPath)
    const { function_name: name, inputs, outputs } = this.#args
    const task = this.#worker.tasks.get(name)
    if (task === undefined) {
      throw new InputError(
        'invalid_argument',
        `worker "${this.#worker.name}" has no task "${name}"; it has: ${named(this.#worker.tasks.keys())}`,
      )
    }
    checkPorts(task, Object.keys(inputs), Object.keys(outputs))
    this.log(`running: ${name} in ${this.#worker.name}`)
    const values = await this.#readInputs(task, inputs)
    const context = {
      signal: this.#host.signal,
      log: (text: string) => this.log(text),
      newFile: (port = 'value') => this.#files.newFile(this.#outputPath(port)),
    }
    const dialect = this.#dialect()
    // No element at all is an empty directory, not one that is missing.
    if (task.eachOutput) mkdirSync(dirname(this.#outputPath('0')), { recursive: true })
    await runTask(
      task,
      values,
      context,
      (port) => Object.hasOwn(outputs, port),
      async (port, type, value) => await this.#files.write(this.#outputPath(port), type, value, dialect),
    )
    this.#files.discard()
    this.#host.signal.throwIfAborted()
    await writeFile(this.#resolve(this.#args.done_path), '', { flag: 'a' })
    this.#isDone = true
  }

  /** Whether the done marker was written. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** Leaves the error's text at the error path and its trace on stderr, and no part of an output. Synchronous: also for an exiting process. */
  fail(error: unknown): void {
    const message = error instanceof Error ? error.message || error.name : String(error)
    const isOurs = error instanceof InputError
    this.#host.stderr(`${isOurs ? error.display : error instanceof Error ? (error.stack ?? message) : message}\n`)
    this.#files.discard()
    const path = this.#args?.error_path
    if (path === undefined) return
    const target = this.#resolve(path)
    try {
      mkdirSync(dirname(target), { recursive: true })
      // Where the mere existence of `_error` ends the node (2.0.9), its text must be whole; `logs` (from 2.0.10) is open elsewhere.
      const written = basename(target) === '_error' ? `${target}.${process.pid}.partial` : target
      writeFileSync(written, message)
      if (written !== target) renameSync(written, target)
    } catch (failure) {
      this.#host.stderr(`cannot write the error to ${target}: ${failure instanceof Error ? failure.message : String(failure)}\n`)
    }
  }

  /** Adds a line to the log at `logs_path`; to stderr where there is none, or it cannot be written. */
  log(text: string): void {
    const line = `${new Date().toISOString()}: ${text}\n`
    const path = this.#args?.logs_path
    if (typeof path === 'string' && path !== '') {
      try {
        appendFileSync(this.#resolve(path), line)
        return
      } catch {
        // A log that cannot be written must not fail the task: the line goes where the executor collects it.
      }
    }
    this.#host.stderr(line)
  }

  #resolve(path: string): string {
    return resolve(this.#root, path)
  }

  async #readArgs(): Promise<Uint8Array> {
    try {
      return await readFile(this.#argsPath)
    } catch (error) {
      if (!isMissing(error)) throw error
      const hint = `Paths are relative to TKR_DIR, which is ${this.#root}, or absolute.`
      throw new InputError('missing_file', `no worker call at ${this.#argsPath}`, { hint, cause: error })
    }
  }

  async #readInputs(task: TaskDefinition, paths: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
    const values: [string, unknown][] = []
    for (const [port, type] of task.inputs) {
      const path = Object.hasOwn(paths, port) ? paths[port] : undefined
      const place = `input "${port}"`
      if (isEachPort(type)) {
        const files = path === undefined ? [] : await elementFiles(this.#resolve(path))
        const elements: unknown[] = []
        for (const file of files) elements.push((await readPort(file, type.each, `${place} (${basename(file)})`))?.value)
        values.push([port, elements])
        continue
      }
      const read = path === undefined ? undefined : await readPort(this.#resolve(path), type, place)
      if (read === undefined && !type.isOptional) {
        const where = path === undefined ? 'the call does not name it' : `there is no file ${this.#resolve(path)}`
        throw new InputError('invalid_argument', `${place} of task "${task.name}" was not given: ${where}`)
      }
      values.push([port, read === undefined ? type.fallback : read.value])
    }
    return Object.fromEntries(values)
  }

  /** File of an output: the one of the call, else (elements) one in the directory of outputs. */
  #outputPath(port: string): string {
    const { outputs = {}, output_dir = '' } = this.#args ?? {}
    const path = Object.hasOwn(outputs, port) ? outputs[port] : undefined
    if (path !== undefined) return this.#resolve(path)
    const elements = outputs['*']
    if (output_dir !== '') return join(this.#resolve(output_dir), port)
    if (elements !== undefined) return join(dirname(this.#resolve(elements)), port)
    throw new InputError('invalid_argument', `the call names no file for output "${port}", and no output_dir`)
  }

  /** How outputs are encoded: as the worker was told, else as the release that wrote the workflow's `_metadata` does (from 2.0.11). */
  #dialect(): () => ValueDialect {
    let found: ValueDialect | undefined
    const { tierkreis } = this.#worker.options
    return () => {
      found ??= dialectOf(tierkreis ?? versionOf(join(dirname(dirname(this.#argsPath)), '_metadata')) ?? '')
      return found
    }
  }
}

function versionOf(path: string): string | undefined {
  try {
    const metadata: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof metadata !== 'object' || metadata === null || !('tierkreis_version' in metadata)) return undefined
    return typeof metadata.tierkreis_version === 'string' ? metadata.tierkreis_version : undefined
  } catch {
    // No such file, or none of JSON: nothing is known of the release.
    return undefined
  }
}
