import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { callMessage } from '../calls/call-message.ts'
import { checkOutputs } from '../calls/check-outputs.ts'
import { takesValues, type ValueExecutor, type WorkerCall, type WorkerEnd, type WorkerExecutor } from '../calls/worker-call.ts'
import { Content } from '../engine/content.ts'
import type { Contents, NodeFailure, NodeRun } from '../engine/scope.ts'
import type { CallCache } from './call-cache.ts'
import type { ResolvedRule } from './call-rules.ts'
import type { RunFiles } from './run-files.ts'

/** A call of a worker whose turn comes. */
export interface DueCall {
  readonly run: NodeRun
  readonly worker: string
  readonly task: string
  readonly rule: ResolvedRule
  readonly attempt: number
  /** Started by an earlier controller. */
  readonly attach: boolean
  /** Attempt of an earlier controller that may live on with inputs that don't count any more: it is ended first. */
  readonly outdated: number | undefined
}

/** How a call ended, executor, files and time limit taken together. */
export type CallEnd =
  | { readonly outputs: Contents }
  /** `transient`: another try may end otherwise though nothing was changed. */
  | { readonly failure: NodeFailure; readonly transient?: boolean }
  | { readonly cancelled: true }

export interface CallPerformerOptions {
  readonly files: RunFiles
  readonly cache: CallCache | undefined
  readonly log: (line: string) => void
  /** Aborted: calls are ended. */
  readonly stop: AbortSignal
  /** Aborted: the run is let go of; calls in memory, that nobody could attach to later, end. */
  readonly leave: AbortSignal
  /** True once nothing is begun any more. */
  readonly isEnding: () => boolean
}

/** Performs calls of workers by their executors: files before, the cache beside, outputs checked after. */
export class CallPerformer {
  readonly #options: CallPerformerOptions

  constructor(options: CallPerformerOptions) {
    this.#options = options
  }

  /** Ends a call of an earlier controller whose inputs don't count any more. */
  async endOutdated({ run, worker, task }: DueCall, attempt: number, executor: WorkerExecutor): Promise<void> {
    if (takesValues(executor)) return
    await executor.attach(this.#options.files.describeCall(run, worker, task, attempt, undefined), { signal: AbortSignal.abort() })
  }

  /**
   * Makes the call's files; what is returned starts it, or finds the one that an earlier controller started, and resolves at its end.
   */
  prepare(item: DueCall, executor: WorkerExecutor): () => Promise<CallEnd> {
    const { files } = this.#options
    const { run, worker, task, attempt, rule } = item
    if (takesValues(executor)) return () => this.#invoke(item, executor)
    let call: WorkerCall
    try {
      call = item.attach
        ? files.describeCall(run, worker, task, attempt, rule.timeoutMs)
        : files.prepareCall(run, worker, task, attempt, rule.timeoutMs)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return async () => ({ failure: { cause: 'start', message: `the call's files cannot be made: ${message}` } })
    }
    return async () => {
      const io = { signal: this.#options.stop }
      if (item.attach) {
        const end = await executor.attach(call, io)
        if (end !== undefined) return await this.#settle(call, end)
        if (this.#options.isEnding()) return { cancelled: true }
        // The worker that was cut off may have taken anything away.
        call = files.prepareCall(run, worker, task, attempt, rule.timeoutMs)
      }
      const cached = rule.cache ? await this.#fromCache(call, executor) : undefined
      if (cached !== undefined) return { outputs: cached }
      const settled = await this.#settle(call, await executor.run(call, io))
      if (rule.cache && 'outputs' in settled) await this.#intoCache(call, executor)
      return settled
    }
  }

  /** A cache that can't be read or written costs a call, never the run. */
  async #fromCache(call: WorkerCall, executor: WorkerExecutor): Promise<Contents | undefined> {
    try {
      return await this.#options.cache?.find(call, executor)
    } catch (error) {
      this.#options.log(`${call.loc} is not taken from the cache: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  async #intoCache(call: WorkerCall, executor: WorkerExecutor): Promise<void> {
    try {
      await this.#options.cache?.keep(call, executor)
    } catch (error) {
      this.#options.log(`${call.loc} is not kept in the cache: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /** What an executor's word and the files together say. */
  async #settle(call: WorkerCall, end: WorkerEnd): Promise<CallEnd> {
    if (end.outcome === 'cancelled') return { cancelled: true }
    const done = join(call.directory, '_done')
    if (end.outcome === 'failed') {
      mark(join(call.directory, '_error'))
      const { cause, message, exitCode, signal } = end
      const failure = { cause, message, ...(exitCode === undefined ? {} : { exitCode }), ...(signal === undefined ? {} : { signal }) }
      return { failure, transient: end.transient ?? false }
    }
    const declared = Object.keys(call.args.outputs)
    const { missing } = await checkOutputs(call)
    // A port that a worker leaves out on purpose: it says itself that it is done, and has written others.
    if (missing.length > 0 && (!existsSync(done) || missing.length === declared.length)) {
      mark(join(call.directory, '_error'))
      const ports = missing.map((port) => `"${port}"`).join(', ')
      const message = await callMessage(call, '')
      return {
        failure: {
          cause: 'missing_output',
          message: `the task ended well but wrote no output ${ports}${message === '' ? '' : `; it said: ${message}`}`,
        },
      }
    }
    const outputs = this.#options.files.outputsOf(call)
    mark(done)
    return { outputs }
  }

  async #invoke(item: DueCall, executor: ValueExecutor): Promise<CallEnd> {
    const { run, worker, task, attempt, rule } = item
    const limit = new AbortController()
    const timer = rule.timeoutMs === undefined ? undefined : setTimeout(() => limit.abort(), rule.timeoutMs)
    const signal = AbortSignal.any([this.#options.stop, this.#options.leave, limit.signal])
    const ended = Promise.withResolvers<CallEnd>()
    const stop = (): void => {
      ended.resolve(
        limit.signal.aborted ? { failure: { cause: 'timeout', message: `no end within ${rule.timeoutMs} ms` } } : { cancelled: true },
      )
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const inputs = new Map<string, Uint8Array>()
      for (const [port, ref] of run.scope.program.node(run.index).inputs) {
        const content = run.scope.content(ref)
        if (content !== undefined) inputs.set(port, content.bytes)
      }
      const call = { runId: this.#options.files.runId, loc: run.loc, worker, task, attempt, inputs }
      executor.invoke(call, { signal }).then(
        (values) => ended.resolve({ outputs: new Map(Array.from(values, ([port, value]) => [port, Content.of(value)])) }),
        (error: unknown) => ended.resolve({ failure: { cause: 'task', message: error instanceof Error ? error.message : String(error) } }),
      )
      return await ended.promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }
}

function mark(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'a', mode: 0o600 })
  } catch {
    // The worker has taken its directory away; the journal has the end.
  }
}
