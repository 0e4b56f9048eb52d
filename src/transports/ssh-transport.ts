import { DroverError } from '../errors.ts'
import type { AgentAnswer, SshAgent } from './ssh-agent.ts'
import { type AgentHello, agentCall } from './ssh-agent-script.ts'
import { delay, SshConnection } from './ssh-connection.ts'
import { transportFailure } from './ssh-errors.ts'
import { checkWritten, compileRead, compileWrite, PIECES_PER_REQUEST, type PieceToRead, parseRead, refuseFailed } from './ssh-files.ts'
import { nameHost, type SshOptions, validateSshOptions } from './ssh-options.ts'
import { askProcesses, spawnRemote } from './ssh-processes.ts'
import { getRemoteTree, putRemoteTree, type TreeHost, type TreeProgress } from './ssh-trees.ts'
import { SshWatches } from './ssh-watches.ts'
import { SshWorkers } from './ssh-workers.ts'
import type { CommandResult, FilePiece, FileToWrite, ProcessIdentity, SpawnRequest, SpawnResult, Transport } from './transport.ts'

/** Content above which a write or a read has a session of its own, bytes, so that events do not wait behind it. */
const LARGE_BYTES = 262_144
const MOST_BACKOFF_MS = 10_000

/** The transport of one SSH host, and what only such a host has. */
export interface SshTransport extends Transport {
  /** Connects where that was not done yet; what the host's agent said of itself. @throws DroverError why it cannot be reached */
  hello(): Promise<AgentHello>
  /** `ssh` and the arguments of a session over the shared connection, up to the host: for an interactive shell or a forward. */
  sessionArguments(): Promise<readonly string[]>
  putTree(source: string, entries: readonly string[], destination: string, onProgress?: (progress: TreeProgress) => void): Promise<void>
}

/**
 * The transport to one host by the system's OpenSSH client. Nothing happens before the first call; a connection that was
 * lost is made again by the next call, or at once while something is watched. `close` ends the connection if it was made here.
 *
 * @throws DroverError `invalid_config` for options ssh would misread
 */
export function createSshTransport(options: SshOptions): SshTransport {
  validateSshOptions(options)
  return new HostTransport(options)
}

class HostTransport implements SshTransport, TreeHost {
  readonly name: string
  readonly remote = true
  readonly options: SshOptions
  readonly #connection: SshConnection
  readonly #workers: SshWorkers
  readonly #watches: SshWatches
  #agent: Promise<SshAgent> | undefined
  readonly #stop = new AbortController()
  #rearming = false

  constructor(options: SshOptions) {
    this.options = options
    this.name = `ssh ${nameHost(options)}`
    this.#connection = new SshConnection(options)
    this.#workers = new SshWorkers(this.#connection)
    this.#watches = new SshWatches(() => void this.#rearm())
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  async hello(): Promise<AgentHello> {
    const { hello } = await this.#events()
    if (hello === undefined) throw transportFailure(this.options, 'the agent said no hello', { transient: true })
    return hello
  }

  sessionArguments(): Promise<readonly string[]> {
    return this.#connection.sessionArguments()
  }

  async takeSession(): Promise<() => void> {
    const taken = this.#connection.takeSession()
    if (this.#connection.crowded) await this.#workers.yieldSession()
    return taken
  }

  async run(
    script: string,
    options: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    const { signal, timeoutMs } = options
    if (signal?.aborted) throw aborted()
    let stop: ((why: DroverError) => void) | undefined
    let stopped: DroverError | undefined
    const end = (why: DroverError): void => {
      stopped ??= why
      stop?.(why)
    }
    const onAbort = (): void => end(aborted())
    signal?.addEventListener('abort', onAbort, { once: true })
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => end(transportFailure(this.options, `the command did not end within ${timeoutMs} ms`, { transient: true })),
            timeoutMs,
          )
    try {
      await this.#events()
      return await this.#workers.with(async (worker) => {
        if (stopped !== undefined) throw stopped
        let started: ProcessIdentity | undefined
        const timers: NodeJS.Timeout[] = []
        const signalIt = (name: 'TERM' | 'KILL'): void => {
          if (started !== undefined) this.kill([started], name, true).catch(() => undefined)
        }
        const gone = new Promise<never>((_resolve, reject) => {
          stop = (why) => {
            signalIt('TERM')
            timers.push(setTimeout(() => signalIt('KILL'), 1000))
            // What cannot even be killed (a dead line, a hung file system) is left alone.
            timers.push(
              setTimeout(() => {
                worker.agent.abandon(why)
                reject(why)
              }, 5000),
            )
          }
        })
        worker.onStart = (pid, startTime) => {
          started = { pid, startTime, bootId: worker.agent.hello?.bootId ?? '-' }
          if (stopped !== undefined) signalIt('TERM')
        }
        const stdin = options.stdin === undefined ? undefined : Buffer.from(options.stdin)
        try {
          const words = (id: number): string => agentCall('u', [String(id), script, ...(stdin === undefined ? [] : [String(stdin.length)])])
          const answer = await Promise.race([worker.agent.work(words, stdin === undefined ? [] : [stdin]), gone])
          if (stopped !== undefined) throw stopped
          return this.#parseRun(worker.agent.marker, answer)
        } catch (error) {
          throw stopped ?? error
        } finally {
          for (const timer of timers) clearTimeout(timer)
          stop = undefined
        }
      })
    } finally {
      clearTimeout(deadline)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #parseRun(marker: string, answer: AgentAnswer): CommandResult {
    refuseFailed(this.options, marker, answer)
    const { content } = answer
    const line = content.indexOf(10)
    const mark = Buffer.from(`\n${marker} S\n`)
    const between = content.indexOf(mark, line)
    if (line < 0 || between < 0) throw transportFailure(this.options, 'the agent answered what is no answer', { transient: true })
    return {
      code: Number(content.subarray(0, line).toString()),
      stdout: content.subarray(line + 1, between).toString(),
      stderr: content.subarray(between + mark.length).toString(),
    }
  }

  async write(directories: readonly string[], files: readonly FileToWrite[]): Promise<void> {
    if (directories.length === 0 && files.length === 0) return
    const { text, payload } = compileWrite(directories, files)
    const large = payload.reduce((sum, bytes) => sum + bytes.length, text.length) > LARGE_BYTES
    const send = async (agent: SshAgent): Promise<void> => {
      const answer = await (large ? agent.work(text, payload) : agent.request(text, payload))
      checkWritten(this.options, agent.marker, files, answer)
    }
    const agent = await this.#events()
    await (large ? this.#workers.with((worker) => send(worker.agent)) : send(agent))
  }

  async read(pieces: readonly PieceToRead[]): Promise<readonly FilePiece[]> {
    if (pieces.length === 0) return []
    const agent = await this.#events()
    const chunks: PieceToRead[][] = []
    for (let from = 0; from < pieces.length; from += PIECES_PER_REQUEST) chunks.push(pieces.slice(from, from + PIECES_PER_REQUEST))
    const large = pieces.some(({ maxBytes }) => maxBytes > 16 * LARGE_BYTES)
    const found = large
      ? await this.#workers.with(async (worker) => {
          const each: (readonly FilePiece[])[] = []
          for (const chunk of chunks) each.push(await this.#readChunk(worker.agent, chunk, true))
          return each
        })
      : await Promise.all(chunks.map((chunk) => this.#readChunk(agent, chunk, false)))
    return found.flat()
  }

  async #readChunk(agent: SshAgent, pieces: readonly PieceToRead[], large: boolean): Promise<readonly FilePiece[]> {
    for (let tries = 0; tries < 4; tries++) {
      const alone = tries > 0
      const text = compileRead(pieces, alone)
      const { content } = await (large ? agent.work(text) : agent.request(text))
      const found = parseRead(this.options, pieces, content, alone ? agent.marker : undefined)
      if (found !== undefined) return found
    }
    throw transportFailure(this.options, `cannot read ${pieces[0]?.path}: it and its neighbours change while they are read`, {
      transient: true,
    })
  }

  watch(path: string, onChange: () => void, signal: AbortSignal): void {
    this.#watches.add(path, onChange, AbortSignal.any([signal, this.#stop.signal]))
  }

  putTree(source: string, entries: readonly string[], destination: string, onProgress?: (progress: TreeProgress) => void): Promise<void> {
    return putRemoteTree(this, source, entries, destination, onProgress)
  }

  getTree(directory: string, globs: readonly string[], destination: string): Promise<readonly string[]> {
    return getRemoteTree(this, directory, globs, destination)
  }

  async remove(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return
    for (const path of paths) {
      if (!path.startsWith('/') || /^[/.]*$/.test(path) || path.split('/').includes('..'))
        throw new DroverError('internal', `refusing to remove ${JSON.stringify(path)}`, { level: 'internal' })
    }
    await this.#events()
    await this.#workers.with(async ({ agent }) => refuseFailed(this.options, agent.marker, await agent.work(agentCall('R', paths))))
  }

  async spawn(commands: readonly SpawnRequest[]): Promise<readonly SpawnResult[]> {
    return spawnRemote(this.options, await this.#events(), commands)
  }

  async kill(processes: readonly ProcessIdentity[], signalName: 'TERM' | 'KILL' | 'INT', group: boolean): Promise<void> {
    if (processes.length > 0) await askProcesses(await this.#events(), processes, ['k', signalName, group ? '1' : '0'])
  }

  async alive(processes: readonly ProcessIdentity[]): Promise<readonly boolean[]> {
    return processes.length === 0 ? [] : askProcesses(await this.#events(), processes, ['a'])
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#workers.close()
    const agent = await this.#agent?.catch(() => undefined)
    await agent?.close()
    await this.#connection.close()
  }

  /** The agent that answers at once and tells of changes; opened when there is none. */
  #events(): Promise<SshAgent> {
    if (this.#stop.signal.aborted) return Promise.reject(transportFailure(this.options, 'the transport is closed', { transient: false }))
    this.#agent ??= this.#open().catch((error: unknown) => {
      this.#agent = undefined
      throw error
    })
    return this.#agent
  }

  async #open(): Promise<SshAgent> {
    const give = await this.takeSession()
    let opened: SshAgent | undefined
    // The first worker comes with the connection: the first command does not wait for a session.
    this.#connection.sessionArguments().then(
      () => this.#workers.warm(),
      () => undefined,
    )
    try {
      opened = await this.#connection.openAgent({
        onEvent: (words) => {
          if (words[0] === 'C') this.#watches.heard(words)
        },
        onEnd: (error) => {
          if (opened === undefined) return
          give()
          this.#agent = undefined
          // All sessions share the line: what is dead for one is dead for all.
          this.#workers.abandon(error)
          if (!this.#stop.signal.aborted) void this.#connection.lost().then(() => this.#rearm())
        },
      })
    } catch (error) {
      give()
      throw error
    }
    if (!this.#watches.empty) queueMicrotask(() => void this.#rearm())
    return opened
  }

  /** Gives the host the set of watched files; makes the connection again, ever more slowly, while there is any. */
  async #rearm(): Promise<void> {
    if (this.#rearming) return
    this.#rearming = true
    try {
      for (let failures = 0; !this.#stop.signal.aborted; failures++) {
        if (this.#watches.empty && this.#agent === undefined) return
        try {
          const agent = await this.#events()
          agent.watched = !this.#watches.empty
          await agent.request(this.#watches.compile())
          if (!this.#watches.changed) return
          failures = -1
        } catch {
          await delay(Math.min(MOST_BACKOFF_MS, 200 * 2 ** failures), this.#stop.signal)
        }
      }
    } finally {
      this.#rearming = false
    }
  }
}

function aborted(): DroverError {
  return new DroverError('aborted', 'the command was stopped before it ended', { level: 'transport', transient: true })
}
