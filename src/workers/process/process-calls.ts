import { join } from 'node:path'
import { DroverError } from '../../errors.ts'
import { createSpawner, type Spawner } from '../../transports/spawner.ts'
import type { ProcessIdentity } from '../../transports/transport.ts'
import type { CallIo, WorkerCall, WorkerEnd } from '../../workflow/calls/worker-call.ts'
import { clearMarks, logsPath } from './call-directory.ts'
import { describeEnd, describeStop, failedToStart, type Stop } from './call-end.ts'
import { type CallEnd, type CallJournal, openJournal, releaseJournal } from './call-journal.ts'
import { compileCallScript } from './call-script.ts'

/** How often it is looked whether processes in flight still exist, ms. */
const LOOK_MS = 2000
/** How many at least are looked at each time; of more a fifth, so that each has its turn within 10 s. */
const LEAST_SEEN = 200
/** Of how many the whole identity is checked at each look: finds zombies that nobody reaps, and pids given out again. */
const CHECKED_PER_LOOK = 10

/** One command for one call. */
export interface CallCommand {
  readonly argv: readonly string[]
  /** Absolute. */
  readonly cwd: string
  /** Over the inherited environment. Values may be secret: they travel in a file of mode 0600. */
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path of a file. Default: /dev/null. */
  readonly stdin?: string
  /** Absolute path of a file that is appended to. Default: the run's log (`logs_path`), or nowhere where that is null. */
  readonly stdoutPath?: string
  /** The call's stdout is kept apart, in `stdout` of its directory; the run's log gets a copy when it has ended. Default false. */
  readonly keepStdout?: boolean
}

/** What `ProcessCalls` takes. */
export interface ProcessCallsOptions {
  /** Starts the processes; stays open at `close`. Default: one of its own, with `environment`. */
  readonly spawner?: Spawner
  /** What all commands inherit. Default: this process's environment. Without effect where a spawner is given. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** From TERM to KILL, ms. Default 5000. */
  readonly graceMs?: number
}

interface Flight {
  readonly key: string
  readonly journal: CallJournal
  readonly identity: ProcessIdentity
  /** The process is gone, for certain. */
  readonly onGone: () => void
}

/**
 * Runs calls of workers as processes that outlive this one: each is watched over by a small program of its own (`call-script.ts`)
 * that leaves proof of its end in the run's journal. An end is seen when the journal grows; a slow look beside it finds
 * processes that were killed with the program that watches over them. Thousands in flight cost next to nothing.
 */
export class ProcessCalls {
  readonly #spawner: Spawner
  readonly #ownsSpawner: boolean
  readonly #graceMs: number
  readonly #flights = new Set<Flight>()
  readonly #journals = new Map<string, CallJournal>()
  #looks: NodeJS.Timeout | undefined
  #looking = false
  #nextSeen = 0
  #nextChecked = 0
  readonly #closing = new AbortController()

  constructor(options: ProcessCallsOptions = {}) {
    this.#ownsSpawner = options.spawner === undefined
    this.#spawner = options.spawner ?? createSpawner({ environment: defined(options.environment ?? process.env) })
    this.#graceMs = options.graceMs ?? 5000
  }

  /**
   * Starts the call's command and resolves at its end. What an earlier try left in the call's directory to say how it ended is
   * removed first. A command that can't be started is an end like others. Rejects with DroverError `aborted` at `close`.
   */
  async run(call: WorkerCall, command: CallCommand, io: CallIo): Promise<WorkerEnd> {
    if (io.signal.aborted) return { outcome: 'cancelled' }
    if (this.#closing.signal.aborted) throw unwatched(call)
    let journal: CallJournal
    let key: string
    let scriptPath: string
    try {
      if (!clearMarks(call)) return failedToStart(call, `its directory ${call.directory} is gone`)
      journal = this.#journalOf(call)
      ;({ key, scriptPath } = journal.newKey(call))
      const script = compileCallScript({
        journalPath: journal.path,
        key,
        argv: command.argv,
        cwd: command.cwd,
        env: command.env ?? {},
        stdin: command.stdin,
        stdout: command.stdoutPath ?? (command.keepStdout ? join(call.directory, 'stdout') : logsPath(call)),
        stdoutCopy: command.keepStdout ? logsPath(call) : undefined,
        stderr: join(call.directory, 'errors'),
      })
      journal.writeScript(scriptPath, script)
    } catch (error) {
      return failedToStart(call, error instanceof Error ? error.message : String(error))
    }
    const ended = Promise.withResolvers<CallEnd>()
    journal.expect(key, ended.resolve)
    let identity: ProcessIdentity
    try {
      const [started] = await this.#spawner.start([{ argv: ['/bin/sh', scriptPath], cwd: '/', logPath: '/dev/null' }])
      if (started === undefined) throw new Error('the spawner answered nothing')
      identity = started
    } catch (error) {
      // Whether it was started may not be known: without its program it runs nothing, and if it began before that, it said so.
      journal.removeScript(key)
      const begun = journal.begunNow(key)
      if (begun === undefined) {
        journal.forget(key)
        // A spawner that was closed says nothing about the call.
        if (this.#closing.signal.aborted) throw unwatched(call)
        return failedToStart(call, error instanceof Error ? error.message : String(error), true)
      }
      identity = begun
    }
    return this.#await(call, command, { key, journal, identity }, ended.promise, io, call.timeoutMs)
  }

  /**
   * Waits for a call that an earlier controller had started, or reads the end it left. Undefined: nothing of it lives and it left no
   * end, nor will it begin any more. A success that was recorded before the machine was started anew doesn't count: its outputs may be
   * torn. What lives on of a call whose program was killed is ended.
   */
  async attach(call: WorkerCall, io: CallIo, command: Pick<CallCommand, 'cwd'> = { cwd: call.root }): Promise<WorkerEnd | undefined> {
    const journal = this.#journalOf(call)
    const trace = journal.traceOf(call)
    if (trace === undefined || trace.end?.word === 'revoked') return undefined
    const { bootId } = await this.#spawner.hello()
    const { key, identity } = trace
    const sameBoot = identity.bootId === bootId
    if (trace.end !== undefined) {
      journal.removeScript(key)
      journal.forget(key)
      return sameBoot || trace.end.code !== 0 ? describeEnd(call, command.cwd, trace.end) : undefined
    }
    if (!sameBoot) return undefined
    const ended = Promise.withResolvers<CallEnd>()
    journal.expect(key, ended.resolve, identity)
    const [alive] = await this.#spawner.alive([identity])
    if (!alive) {
      // It may have recorded its end between the two looks.
      journal.begunNow(key)
      const end = await Promise.race([ended.promise, Promise.resolve(undefined)])
      this.#endOrphans(identity)
      journal.removeScript(key)
      journal.forget(key)
      return end === undefined ? undefined : describeEnd(call, command.cwd, end)
    }
    const startedAt = journal.startedAt(key)
    const leftMs = call.timeoutMs === undefined ? undefined : Math.max(0, call.timeoutMs - (Date.now() - (startedAt ?? Date.now())))
    return this.#await(call, command, { key, journal, identity }, ended.promise, io, leftMs)
  }

  /** Lets go: what runs goes on and can be attached to. Calls still awaited here reject. */
  async close(): Promise<void> {
    // Those still awaited reject and leave the set while the spawner ends.
    const flights = [...this.#flights]
    this.#closing.abort()
    clearInterval(this.#looks)
    // Everything asked for has been started, or not, once the spawner has ended.
    if (this.#ownsSpawner) await this.#spawner.close()
    for (const { journal, key } of flights) journal.forget(key)
    this.#flights.clear()
    for (const journal of this.#journals.values()) releaseJournal(journal)
    this.#journals.clear()
  }

  #journalOf(call: WorkerCall): CallJournal {
    const run = join(call.root, call.runId)
    const journal = this.#journals.get(run) ?? openJournal(call)
    this.#journals.set(run, journal)
    return journal
  }

  /** From the start of the process to its end: time limit, cancel, death. */
  async #await(
    call: WorkerCall,
    command: Pick<CallCommand, 'cwd'>,
    process: Omit<Flight, 'onGone'>,
    ended: Promise<CallEnd>,
    io: CallIo,
    timeoutMs: number | undefined,
  ): Promise<WorkerEnd> {
    const { key, journal, identity } = process
    const gone = Promise.withResolvers<undefined>()
    const flight: Flight = { ...process, onGone: () => gone.resolve(undefined) }
    const closed = Promise.withResolvers<never>()
    const onClose = (): void => closed.reject(unwatched(call))
    let stop: Stop | undefined
    let deadline: NodeJS.Timeout | undefined
    let lastResort: NodeJS.Timeout | undefined
    const stopFor = (why: Stop): void => {
      if (stop !== undefined) return
      stop = why
      this.#signal(identity, 'TERM')
      lastResort = setTimeout(() => this.#signal(identity, 'KILL', flight), this.#graceMs)
    }
    const onAbort = (): void => stopFor({ why: 'cancelled' })
    this.#flights.add(flight)
    this.#looks ??= setInterval(() => void this.#look(), LOOK_MS)
    try {
      if (this.#closing.signal.aborted) onClose()
      this.#closing.signal.addEventListener('abort', onClose, { once: true })
      io.signal.addEventListener('abort', onAbort, { once: true })
      if (io.signal.aborted) onAbort()
      if (timeoutMs !== undefined) {
        deadline = setTimeout(() => stopFor({ why: 'timeout', timeoutMs: call.timeoutMs ?? timeoutMs }), Math.min(timeoutMs, 2 ** 31 - 1))
      }
      const end = await Promise.race([ended, gone.promise, closed.promise])
      if (stop !== undefined || end === undefined) this.#endOrphans(identity)
      if (stop !== undefined) return await describeStop(call, stop)
      return await describeEnd(call, command.cwd, end)
    } finally {
      clearTimeout(deadline)
      clearTimeout(lastResort)
      this.#closing.signal.removeEventListener('abort', onClose)
      io.signal.removeEventListener('abort', onAbort)
      this.#flights.delete(flight)
      if (!this.#closing.signal.aborted) {
        journal.removeScript(key)
        journal.forget(key)
      }
      if (this.#flights.size === 0) {
        clearInterval(this.#looks)
        this.#looks = undefined
      }
    }
  }

  /** Sends a signal to the call's group. After a KILL it is looked until the process is gone. */
  #signal(identity: ProcessIdentity, name: 'TERM' | 'KILL', flight?: Flight): void {
    const send = async (): Promise<void> => {
      await this.#spawner.kill([identity], name, true)
      for (let look = 0; flight !== undefined && this.#flights.has(flight) && look < 100; look++) {
        const [alive] = await this.#spawner.alive([identity])
        if (!alive) return flight.onGone()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    // A spawner that died is started again by the next look; until then nothing can be sent.
    send().catch(() => undefined)
  }

  /** Kills what is left of a group whose leader is gone. A pid that exists was given out again, so that its group was empty. */
  #endOrphans({ pid }: ProcessIdentity): void {
    if (pid <= 1 || exists(pid)) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: nothing is left, which is the rule.
    }
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const flights = [...this.#flights]
      const turn = turnOf(flights, this.#nextSeen, Math.max(LEAST_SEEN, Math.ceil(flights.length / 5)))
      const checked = turnOf(flights, this.#nextChecked, CHECKED_PER_LOOK)
      this.#nextSeen += turn.length
      this.#nextChecked += checked.length
      const gone = new Set(turn.filter(({ identity }) => !exists(identity.pid)))
      const alive = await this.#spawner.alive(checked.map(({ identity }) => identity))
      checked.forEach((flight, index) => {
        if (!alive[index]) gone.add(flight)
      })
      for (const journal of new Set([...gone].map((flight) => flight.journal))) journal.readNow()
      // Those whose end was just read have it in a microtask before this one.
      await Promise.resolve()
      for (const flight of gone) if (this.#flights.has(flight)) flight.onGone()
    } catch {
      // The spawner could not be asked; the next look starts another.
    } finally {
      this.#looking = false
    }
  }
}

/** What may have begun, runs on. */
function unwatched(call: WorkerCall): DroverError {
  return new DroverError('aborted', `the call ${call.loc} is no longer watched: its executor was closed`, { level: 'task' })
}

/** `count` of them, from a position that goes round. */
function turnOf<T>(all: readonly T[], position: number, count: number): readonly T[] {
  const from = position % Math.max(1, all.length)
  return [...all.slice(from), ...all.slice(0, from)].slice(0, count)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // EPERM: another user's, so not the one that was started here.
    return false
  }
}

function defined(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
