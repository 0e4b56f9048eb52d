import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DroverError } from '../../errors.ts'
import { formatDuration } from '../../task/durations.ts'
import { callMessage } from '../../workflow/calls/call-message.ts'
import type { CallIo, FileExecutor, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { clearMarks } from '../process/call-directory.ts'
import { failedToStart } from '../process/call-end.ts'
import { argsPathFor, type CallPaths } from '../process/call-marks.ts'
import { type Mark, MarkWatch, markOf } from './mark-watch.ts'

/** Written into the call's directory once the function has handed the call on: it lives elsewhere, and is awaited after a restart. */
const HANDED_ON = 'handed-on'

/** What an executor's function is told beside Tierkreis's two arguments. */
export interface CustomContext {
  readonly call: WorkerCall
  /** Aborted: the call was cancelled or ran out of time. */
  readonly signal: AbortSignal
}

/**
 * Starts a call (Tierkreis's protocol `ControllerExecutor`): the worker's name, and the path of its arguments. What it returns tells
 * how the end is known: nothing, and the worker's marks `_done` or `_error` tell it; a promise, and its end is the call's.
 */
export type CustomRun = (launcherName: string, workerCallArgsPath: string, context: CustomContext) => unknown

/** What `createFunctionExecutor` takes. */
export interface FunctionExecutorOptions {
  readonly run: CustomRun
  /** For messages. Default `custom`. */
  readonly kind?: string
  /**
   * `marks`: the marks tell the end also where a promise is returned (it then only tells that the call was handed on). Default:
   * as `run` returns.
   */
  readonly end?: 'marks' | 'promise'
  /** Path given to `run`: relative to the checkpoints directory, or absolute with absolute paths inside. Default `relative`. */
  readonly paths?: CallPaths
  /** Default 1000: what is handed on costs nothing here. */
  readonly maxParallel?: number
  /** How long a promise may take to settle once its signal was aborted, ms. Default 5000. */
  readonly graceMs?: number
  /** Asked before the run, as `FileExecutor.check`. Default: every worker can be called. */
  readonly check?: FileExecutor['check']
}

/** Runs calls by a function of the user's. A mark that never comes is ended by the node's time limit. */
export function createFunctionExecutor(options: FunctionExecutorOptions): FileExecutor {
  return new FunctionExecutor(options)
}

class FunctionExecutor implements FileExecutor {
  readonly kind: string
  readonly maxParallel: number
  readonly #options: FunctionExecutorOptions
  readonly #marks = new MarkWatch()
  readonly #closing = new AbortController()

  constructor(options: FunctionExecutorOptions) {
    this.#options = options
    this.kind = options.kind ?? 'custom'
    this.maxParallel = options.maxParallel ?? 1000
  }

  async check(...asked: Parameters<FileExecutor['check']>): Promise<string | undefined> {
    return this.#options.check?.(...asked)
  }

  async run(call: WorkerCall, io: CallIo): Promise<WorkerEnd> {
    if (io.signal.aborted) return { outcome: 'cancelled' }
    return this.#within(call, io, call.timeoutMs, async (signal) => {
      let returned: unknown
      try {
        if (!clearMarks(call)) return failedToStart(call, `its directory ${call.directory} is gone`)
        rmSync(join(call.directory, HANDED_ON), { force: true })
        const argsPath = argsPathFor(call, this.#options.paths ?? 'relative')
        returned = this.#options.run(call.worker, argsPath, { call, signal })
        if (this.#options.end === 'marks') await this.#settled(returned, signal)
      } catch (error) {
        if (signal.aborted) return undefined
        return failedToStart(call, `its executor "${this.kind}" threw: ${messageOf(error)}`)
      }
      if (this.#options.end !== 'marks' && isPromise(returned)) return this.#awaited(returned, signal)
      try {
        writeFileSync(join(call.directory, HANDED_ON), `${call.attempt}\n`)
      } catch {
        // Only a controller that comes after this one misses it, and then hands the call on again.
      }
      return endOfMark(call, await this.#marks.wait(call, signal))
    })
  }

  async attach(call: WorkerCall, io: CallIo): Promise<WorkerEnd | undefined> {
    const mark = markOf(call)
    if (mark !== undefined) return endOfMark(call, mark)
    const handedOnAt = whenHandedOn(call)
    if (handedOnAt === undefined) return undefined
    const leftMs = call.timeoutMs === undefined ? undefined : Math.max(0, handedOnAt + call.timeoutMs - Date.now())
    return this.#within(call, io, leftMs, async (signal) => endOfMark(call, await this.#marks.wait(call, signal)))
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  /** Runs with a signal that ends by cancel, time limit or close; undefined from `work` means that it did. */
  async #within(
    call: WorkerCall,
    io: CallIo,
    timeoutMs: number | undefined,
    work: (signal: AbortSignal) => Promise<WorkerEnd | undefined>,
  ): Promise<WorkerEnd> {
    const late = new AbortController()
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => late.abort(), Math.min(timeoutMs, 2 ** 31 - 1))
    try {
      const end = await work(AbortSignal.any([io.signal, late.signal, this.#closing.signal]))
      if (end !== undefined) return end
      if (io.signal.aborted) return { outcome: 'cancelled' }
      if (!late.signal.aborted) {
        throw new DroverError('aborted', `the call ${call.loc} is no longer awaited: its executor was closed`, { level: 'task' })
      }
      const said = await callMessage(call, '')
      const message = `did not end within ${formatDuration(call.timeoutMs ?? 0)}: neither mark, _done nor _error, was made, and no promise settled`
      return { outcome: 'failed', cause: 'timeout', message: said === '' ? message : `${message}: ${said}` }
    } finally {
      clearTimeout(timer)
    }
  }

  async #awaited(returned: Promise<unknown>, signal: AbortSignal): Promise<WorkerEnd | undefined> {
    try {
      const settled = await this.#settled(returned, signal)
      return settled ? { outcome: 'succeeded' } : undefined
    } catch (error) {
      return signal.aborted ? undefined : { outcome: 'failed', cause: 'task', message: messageOf(error) }
    }
  }

  /** True once it is fulfilled; false when it is not within the grace after the signal. Throws what it was rejected with. */
  async #settled(returned: unknown, signal: AbortSignal): Promise<boolean> {
    const given = Promise.withResolvers<false>()
    let grace: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      grace = setTimeout(() => given.resolve(false), this.#options.graceMs ?? 5000)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const settled = await Promise.race([Promise.resolve(returned).then(() => true), given.promise])
      return settled && !signal.aborted
    } finally {
      signal.removeEventListener('abort', onAbort)
      clearTimeout(grace)
    }
  }
}

/** Epoch ms; undefined when this attempt was not. */
function whenHandedOn(call: WorkerCall): number | undefined {
  const path = join(call.directory, HANDED_ON)
  try {
    return readFileSync(path, 'utf8') === `${call.attempt}\n` ? statSync(path).mtimeMs : undefined
  } catch {
    // There is no such file, or no directory.
    return undefined
  }
}

async function endOfMark(call: WorkerCall, mark: Mark | undefined): Promise<WorkerEnd | undefined> {
  if (mark === undefined) return undefined
  if (mark === 'done') return { outcome: 'succeeded' }
  return { outcome: 'failed', cause: 'task', message: await markText(call) }
}

/** `_error` itself holds the text in Tierkreis 2.0.9; elsewhere it is an empty mark. */
async function markText(call: WorkerCall): Promise<string> {
  return callMessage(
    call,
    await callMessage(
      { ...call, args: { ...call.args, error_path: join(call.directory, '_error') } },
      'the worker made its mark _error and no text',
    ),
  )
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
