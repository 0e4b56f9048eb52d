import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { DroverError } from '../errors.ts'
import { type AgentEvents, SshAgent } from './ssh-agent.ts'
import { isRefusedSession, sshError, transportFailure } from './ssh-errors.ts'
import {
  compileAddress,
  compileControl,
  compileMaster,
  compileSession,
  controlDirectory,
  loginSocket,
  ownSocket,
  type SshOptions,
} from './ssh-options.ts'
import { runClient } from './ssh-run-client.ts'

/** Sessions at one time where nothing is said: sshd frees a slot of its ten (MaxSessions) later than the client sees the end. */
const DEFAULT_SESSIONS = 4
/** One tells of changes, another runs what may take long. */
export const LEAST_SESSIONS = 2
const FIRST_BACKOFF_MS = 200
const MOST_BACKOFF_MS = 10_000
/** Tries for a session that a full connection refused. */
const SESSION_TRIES = 5

let made = 0

/**
 * The shared connection to one host: found (left by `drover target login`, or the user's own) or made, and made again when
 * it was lost, ever more slowly while the host cannot be reached. Its sessions are counted.
 */
export class SshConnection {
  readonly #options: SshOptions
  readonly #program: string
  #socket: Promise<string> | undefined
  /** The socket of a connection that this process made. */
  #own: string | undefined
  #failures = 0
  #retryAt = 0
  #free: number
  readonly #queue: (() => void)[] = []
  #closed = false
  readonly #stop = new AbortController()

  constructor(options: SshOptions) {
    this.#options = options
    this.#program = options.program ?? 'ssh'
    this.#free = this.maxSessions
  }

  /** Sessions that may be open at one time. */
  get maxSessions(): number {
    return Math.max(LEAST_SESSIONS, this.#options.maxSessions ?? DEFAULT_SESSIONS)
  }

  /** ssh with the arguments of one session over the shared connection. @throws DroverError why there is no connection */
  async sessionArguments(): Promise<readonly string[]> {
    return [this.#program, ...compileSession(this.#options, await this.#connected())]
  }

  /** Takes one of the sessions, waiting for it; the result gives it back. */
  async takeSession(): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#queue.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  /** True when somebody waits for a session. */
  get crowded(): boolean {
    return this.#queue.length > 0
  }

  /** Opens an agent; a refused session is tried again a little later. @throws DroverError */
  async openAgent(events: AgentEvents): Promise<SshAgent> {
    for (let tries = 1; ; tries++) {
      try {
        const agent = await SshAgent.open(await this.sessionArguments(), this.#options, events)
        this.#failures = 0
        return agent
      } catch (error) {
        if (!(error instanceof DroverError) || this.#closed) throw error
        const refused = isRefusedSession(error.details.outputTail ?? '')
        // The connection may have been found dead only by using it: it is made anew, once.
        if (refused ? tries >= SESSION_TRIES : tries > 1 || !error.transient) {
          this.#failed()
          throw error
        }
        if (refused) await delay(100 * 2 ** tries, this.#stop.signal)
        else await this.lost()
      }
    }
  }

  /** Says that the connection is dead; the next call makes another. */
  async lost(): Promise<void> {
    this.#socket = undefined
    const own = this.#own
    this.#own = undefined
    if (own !== undefined) await this.#end(own)
  }

  /** Ends the connection if this process made it. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stop.abort()
    await this.#socket?.catch(() => undefined)
    await this.lost()
  }

  async #end(socket: string): Promise<void> {
    if (existsSync(socket)) await runClient([this.#program, ...compileControl(this.#options, socket, 'exit')], { limitMs: 3000 })
  }

  #connected(): Promise<string> {
    if (this.#closed) return Promise.reject(transportFailure(this.#options, 'the transport is closed', { transient: false }))
    this.#socket ??= this.#connect().catch((error: unknown) => {
      this.#socket = undefined
      throw error
    })
    return this.#socket
  }

  #failed(): void {
    this.#failures++
    this.#retryAt = performance.now() + Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#failures - 1))
  }

  async #connect(): Promise<string> {
    const waitMs = this.#retryAt - performance.now()
    if (waitMs > 0) await delay(waitMs, this.#stop.signal)
    makePrivateDirectory(controlDirectory(this.#options))
    const login = loginSocket(this.#options)
    if (existsSync(login) && (await this.#lives(login))) return login
    const users = await this.#usersOwn()
    if (users !== undefined) return users
    const socket = ownSocket(this.#options, `${process.pid.toString(36)}.${++made}`)
    const { code, stderr } = await runClient([this.#program, ...compileMaster(this.#options, socket)], {
      limitMs: (this.#options.connectTimeoutMs ?? 15_000) + 10_000,
      signal: this.#stop.signal,
    })
    if (code !== 0) {
      this.#failed()
      throw sshError(this.#options, 'cannot connect', stderr || (code === undefined ? 'Connection timed out' : ''), code)
    }
    this.#own = socket
    return socket
  }

  async #lives(socket: string): Promise<boolean> {
    const { code } = await runClient([this.#program, ...compileControl(this.#options, socket, 'check')], { limitMs: 3000 })
    return code === 0
  }

  /** The socket of the user's own shared connection, when their configuration names one and it is alive. */
  async #usersOwn(): Promise<string | undefined> {
    const { code, stdout, stderr } = await runClient([this.#program, ...compileAddress(this.#options), '-G', '--', this.#options.host], {
      limitMs: 5000,
    })
    if (code !== 0) throw sshError(this.#options, 'cannot connect', stderr, code)
    const path = /^controlpath (.+)$/m.exec(stdout.toString())?.[1]
    if (path === undefined || path === 'none' || !existsSync(path)) return undefined
    return (await this.#lives(path)) ? path : undefined
  }
}

/** Makes the directory of the sockets, refusing one that others could put sockets into. @throws DroverError `no_permission` */
function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const { mode, uid } = lstatSync(path)
    if ((mode & 0o077) === 0 && (process.getuid === undefined || uid === process.getuid())) return
  } catch (error) {
    throw new DroverError('no_permission', `cannot make the directory of the ssh control sockets ${path}`, {
      level: 'transport',
      cause: error,
    })
  }
  throw new DroverError('no_permission', `the directory of the ssh control sockets ${path} is open to others or not yours`, {
    level: 'transport',
    hint: `Remove it, or: chmod 700 ${path}`,
  })
}

/** Waits; ends early when aborted. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
