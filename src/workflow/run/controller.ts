import { DroverError } from '../../errors.ts'
import { type CallFailure, type ExecutorSet, takesValues } from '../calls/worker-call.ts'
import { WorkflowEngine } from '../engine/engine.ts'
import type { Program } from '../engine/program.ts'
import type { Contents, NodeFailure, NodeRun } from '../engine/scope.ts'
import { runBuiltinNode } from './builtin-node.ts'
import type { CallCache } from './call-cache.ts'
import { type CallEnd, CallPerformer, type DueCall } from './call-performer.ts'
import { CallQueue } from './call-queue.ts'
import { type CallRule, resolveRule, retryDelay } from './call-rules.ts'
import { Delays } from './delays.ts'
import type { RunState } from './journal-record.ts'
import type { RunFiles } from './run-files.ts'
import type { RunJournal } from './run-journal.ts'
import { isUnderWay, nodeKey, type RunMemory } from './run-memory.ts'

/** What a run does when a node has failed. `finish`: starts nothing more, calls that run go on to their end. `cancel`: ends those too. `continue`: runs all that does not depend on it. */
export type OnFailure = 'finish' | 'cancel' | 'continue'

export interface ControllerOptions {
  readonly program: Program
  readonly inputs: Contents
  readonly memory: RunMemory
  readonly executors: ExecutorSet
  readonly files: RunFiles
  readonly journal: RunJournal
  readonly rules: readonly CallRule[]
  readonly onFailure: OnFailure
  /** Most calls of workers at one time, over all executors. */
  readonly maxParallel: number
  readonly cache: CallCache | undefined
  /** A line for the run's log. */
  readonly log: (line: string) => void
}

/** How a run ended, or that it was left: `left` runs on when it is resumed. */
export interface ControllerEnd {
  readonly state: RunState | 'left'
  readonly outputs: Contents | undefined
  readonly failures: readonly NodeRun[]
}

/*
 * One thing, though long: the turns of a run, and what ends it. How a call is made, queued, tried again and written down is elsewhere.
 */

/** How long builtins run before calls, timers and signals get their turn, ms. */
const SLICE_MS = 20

/**
 * Performs what an engine asks for: builtins here, calls of workers by their executors, all of it written into the journal, one
 * batch per turn, before it counts outside. Nothing is polled: the end of a call wakes it.
 */
export class WorkflowController {
  readonly #options: ControllerOptions
  readonly #engine: WorkflowEngine
  readonly #queue: CallQueue<DueCall>
  readonly #stop = new AbortController()
  /** Ends calls in memory, that nobody could attach to later. */
  readonly #leave = new AbortController()
  /** Runs of calls under way, by node. */
  readonly #calls = new Set<Promise<void>>()
  readonly #performer: CallPerformer
  readonly #delays = new Delays(() => this.#rouse())
  /** Calls of an earlier controller that the engine has not come to yet. */
  #left: number
  /** Failures that were looked at. */
  #seen = 0
  #wake: () => void = () => {}
  #awake = false
  #ending: 'cancelled' | 'left' | 'failed' | undefined
  #cancelledBy: string | undefined
  #defect: unknown

  constructor(options: ControllerOptions) {
    this.#options = options
    const { executors } = options.executors
    this.#performer = new CallPerformer({
      files: options.files,
      cache: options.cache,
      log: options.log,
      stop: this.#stop.signal,
      leave: this.#leave.signal,
      isEnding: () => this.#isEnding,
    })
    this.#left = [...options.memory.started.values()].filter(({ isOpen }) => isOpen).length
    const limits = new Map(Array.from(executors, ([name, { maxParallel }]) => [name, maxParallel]))
    this.#queue = new CallQueue(limits, options.maxParallel)
    // Elements wait inside calls: as many are open as calls can be, and some in line.
    const most = Math.min(
      options.maxParallel,
      [...limits.values()].reduce((sum, limit) => sum + limit, 0),
    )
    this.#engine = new WorkflowEngine(options.program, options.inputs, {
      maxOpen: Math.max(1_000, Math.min(2 * most, 50_000)),
      memory: options.memory.root,
      retries: options.memory.retries,
      observer: options.files.observer,
    })
  }

  /** Ends the run: calls are cancelled, also those that an earlier controller left running. */
  cancel(by: string): void {
    this.#cancelledBy = by
    this.#end('cancelled')
  }

  /** Leaves the run as it is, calls running where they can: to be resumed. */
  leave(): void {
    if (this.#ending === undefined) this.#ending = 'left'
    this.#rouse()
  }

  /** Numbers for a progress line. */
  get progress(): { readonly running: number; readonly failed: number } {
    return { running: this.#queue.running, failed: this.#engine.failures.length }
  }

  /** Runs to the end. Rejects where the journal can't be written, or for a defect; it can be resumed then. */
  async run(): Promise<ControllerEnd> {
    try {
      for (;;) {
        const more = this.#advance()
        if (this.#defect !== undefined) throw this.#defect
        this.#options.journal.flush()
        if (this.#engine.ended && this.#engine.outputs !== undefined) return await this.#finish('succeeded')
        if (this.#ending === 'left') return await this.#leaveRun()
        await this.#startCalls()
        if (!more && this.#isOver()) return await this.#finish(this.#ending === 'cancelled' ? 'cancelled' : 'failed')
        if (more) await new Promise((resolve) => setImmediate(resolve))
        else if (this.#calls.size > 0 || this.#delays.waiting > 0 || this.#awake) await this.#sleep()
        else
          throw new DroverError('internal', `the run ${this.#options.files.runId} waits for nothing and has no outputs`, {
            level: 'internal',
          })
      }
    } finally {
      this.#delays.clear()
      this.#leave.abort()
      for (const executor of this.#options.executors.executors.values()) await executor.close()
      await Promise.allSettled(this.#calls)
      this.#options.journal.close()
    }
  }

  /** Takes nodes that are ready, for one slice of time. True: there may be more. */
  #advance(): boolean {
    const end = performance.now() + SLICE_MS
    for (let count = 0; this.#ending === undefined || (this.#isEnding && this.#left > 0); count++) {
      if ((count & 15) === 15 && performance.now() > end) return true
      const run = this.#engine.next()
      this.#heedFailures()
      if (run === undefined) return false
      this.#take(run)
      this.#heedFailures()
    }
    return false
  }

  /** Nothing is begun any more. What an earlier controller has begun is still found, to be awaited or ended. */
  get #isEnding(): boolean {
    return this.#ending === 'failed' || this.#ending === 'cancelled'
  }

  /** A failure ends the run, unless it goes on; one from before the last retry does not: what was to be retried has its turn. */
  #heedFailures(): void {
    const { failures } = this.#engine
    for (; this.#seen < failures.length; this.#seen++) {
      const run = failures[this.#seen]
      const before = run?.scope.memory?.results.get(run.index)
      const isOld = before !== undefined && before.failure === run?.failure && before.retry < this.#options.memory.lastRetry
      if (!isOld && this.#options.onFailure !== 'continue') this.#end('failed')
    }
  }

  #take(run: NodeRun): void {
    const node = run.scope.program.node(run.index)
    const name = node.type === 'function' ? node.functionName : ''
    const dot = name.lastIndexOf('.')
    const worker = name.slice(0, Math.max(0, dot))
    const task = name.slice(dot + 1)
    if (worker === 'builtins') this.#runBuiltin(run, task)
    else this.#enqueue(run, worker, task)
  }

  #runBuiltin(run: NodeRun, task: string): void {
    if (this.#isEnding) {
      this.#engine.abandon(run)
      return
    }
    const end = runBuiltinNode(run, task)
    if ('failure' in end) this.#failed(run, end.failure)
    else if (end.delayMs === 0) this.#succeeded(run, end.outputs)
    else {
      const started = Date.now()
      this.#delays.after(end.delayMs, () => this.#succeeded(run, end.outputs, started))
    }
  }

  #enqueue(run: NodeRun, worker: string, task: string): void {
    const { memory, executors, rules } = this.#options
    const { loc } = run
    const executor = executors.assign(worker, task, loc)
    const key = run.scope.memory && nodeKey([run.scope.memory.id, run.index])
    const before = key === undefined ? undefined : memory.started.get(key)
    const isOpen = key !== undefined && isUnderWay(memory, key)
    if (isOpen) this.#left--
    const attach = isOpen && before !== undefined && before.retry >= run.retry
    const found = executors.executors.get(executor)
    if (this.#isEnding && (!attach || found === undefined || takesValues(found))) {
      this.#engine.abandon(run)
      return
    }
    this.#queue.add(executor, {
      run,
      worker,
      task,
      rule: resolveRule(rules, `${worker}.${task}`, loc),
      attempt: before === undefined ? 1 : attach ? before.attempt : before.attempt + 1,
      attach,
      outdated: isOpen && !attach ? before?.attempt : undefined,
    })
  }

  /** Starts what has its turn: all of it is in the journal, on disk, before the first is started. */
  async #startCalls(): Promise<void> {
    if (this.#ending === 'left') return
    const taken = this.#queue.take()
    if (taken.length === 0) return
    await Promise.all(taken.map(({ key, item }) => this.#endOutdated(key, item)))
    const ready: {
      readonly key: string
      readonly item: DueCall
      readonly start: () => Promise<CallEnd>
    }[] = []
    for (const { key, item } of taken) {
      const executor = this.#options.executors.executors.get(key)
      if (executor === undefined) throw new DroverError('internal', `no executor is named "${key}"`, { level: 'internal' })
      ready.push({ key, item, start: this.#performer.prepare(item, executor) })
      if (!item.attach) this.#options.journal.started(item.run, item.attempt, key)
    }
    await this.#options.journal.sync()
    for (const { key, item, start } of ready) {
      const call = this.#perform(key, item, start).catch((error: unknown) => {
        this.#defect ??= error
      })
      this.#calls.add(call)
      void call.finally(() => {
        this.#calls.delete(call)
        this.#rouse()
      })
    }
  }

  async #endOutdated(key: string, item: DueCall): Promise<void> {
    const executor = this.#options.executors.executors.get(key)
    if (item.outdated === undefined || executor === undefined) return
    await this.#performer.endOutdated(item, item.outdated, executor)
    this.#options.journal.stopped(item.run)
  }

  async #perform(key: string, item: DueCall, start: () => Promise<CallEnd>): Promise<void> {
    const { run } = item
    const started = Date.now()
    const end = await start()
    this.#queue.giveBack(key)
    if ('cancelled' in end) {
      if (this.#stop.signal.aborted || this.#leave.signal.aborted || this.#isEnding) {
        // A call in memory that was let go is run again; one that was ended has no end that counts.
        if (this.#isEnding) this.#options.journal.stopped(run)
        this.#engine.abandon(run)
      } else this.#failed(run, { cause: 'lost', message: 'somebody else cancelled the call' }, started)
      return
    }
    if ('outputs' in end) {
      this.#succeeded(run, end.outputs, started)
      return
    }
    // An executor that is being closed may tell of a start that it prevented itself: whoever takes the run up finds out.
    if (this.#leave.signal.aborted) {
      this.#engine.abandon(run)
      return
    }
    const { failure } = end
    const delay =
      this.#ending === undefined
        ? retryDelay(item.rule.retries, failure.cause as CallFailure, item.attempt, end.transient ?? false)
        : undefined
    if (delay === undefined) {
      this.#failed(run, failure, started)
      return
    }
    this.#options.log(`${run.loc} ${item.worker}.${item.task}: attempt ${item.attempt} failed (${failure.cause}); the next in ${delay} ms`)
    this.#delays.after(delay, () => this.#queue.add(key, { ...item, attempt: item.attempt + 1, attach: false }))
  }

  #succeeded(run: NodeRun, outputs: Contents, started?: number): void {
    this.#options.journal.done(run, outputs, started)
    this.#engine.succeed(run, outputs)
  }

  #failed(run: NodeRun, failure: NodeFailure, started?: number): void {
    this.#options.log(`${run.loc} failed (${failure.cause}): ${failure.message}`)
    this.#options.journal.failed(run, failure, started)
    this.#engine.fail(run, failure)
    this.#heedFailures()
  }

  #end(ending: 'cancelled' | 'failed'): void {
    if (this.#ending === 'cancelled' || this.#ending === ending) return
    this.#ending = ending
    for (const { run } of this.#queue.clear(({ attach }) => attach)) this.#engine.abandon(run)
    if (ending === 'cancelled' || this.#options.onFailure === 'cancel') this.#stop.abort()
    this.#rouse()
  }

  /** True when nothing is under way that could still change the outcome. */
  #isOver(): boolean {
    if (this.#calls.size > 0 || this.#queue.running > 0) return false
    if (this.#isEnding && this.#queue.waiting > 0) return false
    if (this.#ending !== undefined) return true
    return this.#delays.waiting === 0 && this.#engine.running === 0 && this.#engine.failures.length > 0
  }

  async #finish(state: RunState): Promise<ControllerEnd> {
    const { journal, files } = this.#options
    const { failures, outputs } = this.#engine
    files.runEnded(
      state,
      failures.map(({ loc }) => loc),
    )
    journal.state(state, this.#cancelledBy)
    await journal.sync()
    return { state, outputs, failures }
  }

  async #leaveRun(): Promise<ControllerEnd> {
    await this.#options.journal.sync()
    return { state: 'left', outputs: undefined, failures: this.#engine.failures }
  }

  #rouse(): void {
    this.#awake = true
    this.#wake()
  }

  async #sleep(): Promise<void> {
    if (!this.#awake) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#awake = false
  }
}
