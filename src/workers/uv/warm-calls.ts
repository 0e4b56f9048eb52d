import { join } from 'node:path'
import type { CallIo, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { clearMarks, logsPath } from '../process/call-directory.ts'
import { describeEnd, describeStop, failedToStart, type Stop } from '../process/call-end.ts'
import { type CallJournal, openJournal, releaseJournal } from '../process/call-journal.ts'
import type { ProcessCalls } from '../process/process-calls.ts'
import type { PreparedWorker } from './python-environment.ts'
import type { UvSettings } from './uv-options.ts'
import { type HostedEnd, WarmHost } from './warm-host.ts'

/** From TERM to KILL, as calls in processes of their own have it, ms. */
const GRACE_MS = 5000
/** How long a process of a host that was killed may take to write that it has begun, ms. */
const BEGIN_MS = 2000
/** After so many deaths of its hosts a worker is called cold. */
const MOST_DEATHS = 2

/** A worker's host for one checkpoints directory: workers read `TKR_DIR` when they are imported. */
interface Kept {
  host: WarmHost
  users: number
}

interface ColdCommand {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** The warm workers of one executor, and the calls in them. */
export class WarmCalls {
  readonly #settings: UvSettings
  readonly #processes: () => ProcessCalls
  readonly #hosts = new Map<string, Kept>()
  /** Workers that are called cold. */
  readonly #cold = new Set<string>()
  readonly #deaths = new Map<string, number>()
  readonly #journals = new Map<string, CallJournal>()
  readonly #closing = new AbortController()

  constructor(settings: UvSettings, processes: () => ProcessCalls) {
    this.#settings = settings
    this.#processes = processes
  }

  /** Runs the call in its worker's host. Undefined: it was not begun, and is to have a process of its own. */
  async run(worker: PreparedWorker, call: WorkerCall, command: ColdCommand, io: CallIo): Promise<WorkerEnd | undefined> {
    const { python } = worker.environment
    if (!this.#settings.warm || this.#cold.has(worker.name)) return undefined
    if (python === undefined) {
      this.#goCold(worker, 'this uv does not tell which interpreter it takes (0.6.10 and later do)')
      return undefined
    }
    let stop: Stop | undefined
    let onStop: () => void = () => undefined
    const stopped = new Promise<'stopped'>((resolve) => {
      onStop = () => resolve('stopped')
    })
    const stopFor = (why: Stop): void => {
      stop ??= why
      onStop()
    }
    const onAbort = (): void => stopFor({ why: 'cancelled' })
    const { timeoutMs } = call
    const deadline =
      timeoutMs === undefined ? undefined : setTimeout(() => stopFor({ why: 'timeout', timeoutMs }), Math.min(timeoutMs, 2 ** 31 - 1))
    io.signal.addEventListener('abort', onAbort, { once: true })
    if (io.signal.aborted) onAbort()
    const kept = this.#hostOf(worker, python, call, command)
    kept.users++
    try {
      const refusal = await Promise.race([kept.host.ready, stopped])
      if (stop !== undefined) return await describeStop(call, stop)
      if (this.#closing.signal.aborted) throw closed(call)
      if (refusal !== undefined) {
        this.#goCold(worker, refusal)
        return undefined
      }
      if (!clearMarks(call)) return failedToStart(call, `its directory ${call.directory} is gone`)
      const journal = this.#journalOf(call)
      const { key } = journal.newKey(call)
      const hosted = kept.host.call({
        args: call.argsPath,
        stdout: logsPath(call) ?? '/dev/null',
        stderr: join(call.directory, 'errors'),
        journal: journal.path,
        key,
      })
      const end = await this.#untilEnd(call, hosted, stopped)
      if (end.kind === 'ended') return stop === undefined ? await describeEnd(call, command.cwd, end.end) : await describeStop(call, stop)
      if (end.kind === 'unstarted') return failedToStart(call, end.why, true)
      this.#died(worker, kept.host, end.why)
      return await this.#afterDeath(call, key, command, io)
    } finally {
      clearTimeout(deadline)
      io.signal.removeEventListener('abort', onAbort)
      kept.users--
      // Given up while main.py was imported, and nobody else waits for that: it may never end.
      if (stop !== undefined && kept.users === 0) kept.host.closeUnready()
    }
  }

  /** Lets all hosts go; calls in flight reject, and can be attached to. */
  close(): void {
    this.#closing.abort()
    for (const { host } of this.#hosts.values()) host.close()
    this.#hosts.clear()
    for (const journal of this.#journals.values()) releaseJournal(journal)
    this.#journals.clear()
  }

  #hostOf(worker: PreparedWorker, python: string, call: WorkerCall, command: ColdCommand): Kept {
    const key = `${worker.name}\0${call.root}`
    const kept = this.#hosts.get(key)
    if (kept !== undefined && !kept.host.ended) return kept
    const host = new WarmHost({
      python,
      main: worker.main,
      directory: worker.directory,
      env: { ...process.env, ...(process.env['PWD'] === undefined ? {} : { PWD: worker.directory }), ...command.env },
      idleMs: this.#settings.idleMs,
    })
    const fresh = { host, users: 0 }
    this.#hosts.set(key, fresh)
    return fresh
  }

  async #untilEnd(
    call: WorkerCall,
    hosted: { readonly end: Promise<HostedEnd>; readonly kill: (signal: 9 | 15) => void },
    stopped: Promise<'stopped'>,
  ): Promise<HostedEnd> {
    const closing = Promise.withResolvers<never>()
    const onClose = (): void => closing.reject(closed(call))
    this.#closing.signal.addEventListener('abort', onClose, { once: true })
    let lastResort: NodeJS.Timeout | undefined
    try {
      const first = await Promise.race([hosted.end, stopped, closing.promise])
      if (first !== 'stopped') return first
      hosted.kill(15)
      lastResort = setTimeout(() => hosted.kill(9), GRACE_MS)
      return await Promise.race([hosted.end, closing.promise])
    } finally {
      clearTimeout(lastResort)
      this.#closing.signal.removeEventListener('abort', onClose)
    }
  }

  /** What became of a call whose host was killed: it may have begun, and then goes on by itself. */
  async #afterDeath(call: WorkerCall, key: string, command: ColdCommand, io: CallIo): Promise<WorkerEnd | undefined> {
    const until = Date.now() + BEGIN_MS
    while (true) {
      if (this.#journalOf(call).traceOf(call)?.key === key) {
        const end = await this.#processes().attach(call, io, command)
        // It began and left no end: nobody can say what it did, so that it isn't simply done again.
        return end ?? (await describeEnd(call, command.cwd, undefined))
      }
      if (Date.now() > until) return undefined
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  #died(worker: PreparedWorker, host: WarmHost, why: string): void {
    for (const [key, kept] of this.#hosts) {
      if (kept.host !== host) continue
      this.#hosts.delete(key)
      const deaths = (this.#deaths.get(worker.name) ?? 0) + 1
      this.#deaths.set(worker.name, deaths)
      if (deaths >= MOST_DEATHS) this.#goCold(worker, why)
      else this.#settings.onNote(`worker "${worker.name}": ${why}; it is started again`)
    }
  }

  #goCold(worker: PreparedWorker, why: string): void {
    if (this.#cold.has(worker.name)) return
    this.#cold.add(worker.name)
    this.#settings.onNote(`worker "${worker.name}" is not kept warm, each call starts an interpreter: ${why}`)
  }

  #journalOf(call: WorkerCall): CallJournal {
    const run = join(call.root, call.runId)
    const journal = this.#journals.get(run) ?? openJournal(call)
    this.#journals.set(run, journal)
    return journal
  }
}

function closed(call: WorkerCall): Error {
  return new Error(`the call ${call.loc} is no longer watched: its executor was closed`)
}
