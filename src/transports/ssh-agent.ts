import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { DroverError } from '../errors.ts'
import { type AgentHello, agentCommand, agentScript, encodeProgram, encodeRequest, parseAgentHello } from './ssh-agent-script.ts'
import { sshError, transportFailure } from './ssh-errors.ts'
import { FrameReader } from './ssh-frames.ts'
import type { SshOptions } from './ssh-options.ts'

/** The answer to one request. */
export interface AgentAnswer {
  readonly status: number
  readonly content: Buffer
}

/** What the agent tells unasked. */
export interface AgentEvents {
  /** A line behind the marker: `P ID PID START`, `C GENERATION INDEX KEY`. */
  onEvent(words: readonly string[]): void
  /** Called once when the channel is gone, whoever ended it. */
  onEnd(error: DroverError): void
}

/** How long an answer may stay away while nothing else comes before the line counts as dead, ms. */
const SILENCE_MS = 12_000
/** How often a silent channel is asked whether it is still there, ms. */
const PING_MS = 4_000

interface Pending {
  resolve(answer: AgentAnswer): void
  reject(error: Error): void
}

/** One long-lived session on a host, with the agent's program at its far end: requests are answered in order. */
export class SshAgent {
  readonly marker = randomBytes(12).toString('hex')
  hello: AgentHello | undefined
  readonly #options: SshOptions
  readonly #child: ChildProcess
  readonly #events: AgentEvents
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #said = ''
  #ended: DroverError | undefined
  #closing = false
  #heardAt = performance.now()
  #pinger: NodeJS.Timeout | undefined
  #held = true

  private constructor(child: ChildProcess, options: SshOptions, events: AgentEvents) {
    this.#child = child
    this.#options = options
    this.#events = events
  }

  /**
   * Opens a session by the ssh arguments and waits for the agent's hello.
   *
   * @throws DroverError `transport_failed` saying why there is none
   */
  static async open(argv: readonly string[], options: SshOptions, events: AgentEvents): Promise<SshAgent> {
    const agent = await SshAgent.#open(argv, options, events, 'sh')
    if (agent.hello?.wantsBash !== true) return agent
    await agent.close()
    return SshAgent.#open(argv, options, events, 'bash')
  }

  static async #open(argv: readonly string[], options: SshOptions, events: AgentEvents, shell: 'sh' | 'bash'): Promise<SshAgent> {
    const [program = 'ssh', ...rest] = argv
    // A group of its own: Ctrl-C in a terminal is for Drover, which then decides.
    const child = spawn(program, [...rest, agentCommand(shell)], { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const agent = new SshAgent(child, options, events)
    await agent.#greet(shell)
    return agent
  }

  /** Requests not answered yet. */
  get waiting(): number {
    return this.#pending.size
  }

  get alive(): boolean {
    return this.#ended === undefined && !this.#closing
  }

  /**
   * Sends sh text that calls the agent's functions, and what they take from stdin.
   *
   * @throws DroverError `transport_failed`, transient, when the channel ends before the answer
   */
  request(text: string | ((id: number) => string), payload: readonly Uint8Array[] = []): Promise<AgentAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#heardAt = performance.now()
      this.#pending.set(id, { resolve, reject })
      this.hold(true)
      this.#child.stdin?.write(encodeRequest(id, typeof text === 'string' ? text : text(id), payload))
    })
  }

  /** Whether this channel keeps the Node process from ending. */
  hold(hold: boolean): void {
    if (hold === this.#held) return
    this.#held = hold
    for (const handle of [
      this.#child,
      this.#child.stdin,
      this.#child.stdout,
      this.#child.stderr,
    ] as (Partial<NodeJS.RefCounted> | null)[]) {
      if (hold) handle?.ref?.()
      else handle?.unref?.()
    }
  }

  /** Ends the agent by the end of its input and waits for the ssh process. */
  async close(): Promise<void> {
    this.#closing = true
    this.hold(true)
    const child = this.#child
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.stdin?.end()
      const lastResort = setTimeout(() => child.kill('SIGKILL'), 2000)
      await gone
      clearTimeout(lastResort)
    }
    this.#finish(transportFailure(this.#options, 'the connection was closed', { transient: true }))
  }

  /** Ends the session at once; what waits is rejected with `error`. */
  abandon(error: DroverError): void {
    this.#finish(error)
    this.#child.kill('SIGKILL')
  }

  #greet(shell: 'sh' | 'bash'): Promise<void> {
    const child = this.#child
    const limitMs = (this.#options.connectTimeoutMs ?? 15_000) + 15_000
    return new Promise((resolve, reject) => {
      const refuse = (error: DroverError): void => {
        clearTimeout(timer)
        this.#finish(error)
        reject(error)
      }
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        refuse(
          transportFailure(this.#options, `no answer within ${limitMs / 1000} s${shown(reader.noise)}`, {
            transient: true,
            hint: 'Its start-up files may be slow, wait for input or start another program (exec).',
          }),
        )
      }, limitMs)
      const reader = new FrameReader(this.marker, (frame) => {
        this.#heardAt = performance.now()
        if (frame.kind === 'answer') {
          this.#answered(frame.id, frame)
          return
        }
        clearTimeout(timer)
        this.hello = parseAgentHello(frame.before, frame.line)
        if (this.hello !== undefined && this.hello.missing.length === 0) {
          this.#armPinger()
          this.hold(false)
          resolve()
          return
        }
        const missing = this.hello?.missing.join(', ')
        child.kill('SIGKILL')
        refuse(
          transportFailure(this.#options, missing === undefined ? 'its shell answered what is no hello' : `it has no ${missing}`, {
            transient: false,
            hint:
              missing === undefined
                ? 'Is /bin/sh there a POSIX shell?'
                : `Install ${missing} there, or put it on the PATH of a login without terminal.`,
          }),
        )
      })
      let rest = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        this.#heardAt = performance.now()
        reader.push(chunk)
      })
      child.stderr?.setEncoding('utf8')
      child.stderr?.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          if (line.startsWith(`${this.marker} `)) this.#events.onEvent(line.split(' ').slice(1))
          else this.#said = `${this.#said}${line}\n`.slice(-4096)
        }
      })
      child.stdin?.on('error', () => undefined)
      child.once('error', (error) =>
        refuse(
          transportFailure(this.#options, `cannot start ssh: ${error.message}`, { transient: false, hint: 'Install the OpenSSH client.' }),
        ),
      )
      child.once('exit', (code) => {
        // What it said last may still be in the pipe.
        setImmediate(() => {
          const said = this.#said + rest
          const error =
            this.hello === undefined && code !== 255
              ? transportFailure(this.#options, `its login shell ended before it answered (exit ${code})${shown(said + reader.noise)}`, {
                  transient: false,
                  hint: 'Does the account have a login shell that runs commands (not nologin)? Do its start-up files exit?',
                })
              : sshError(
                  this.#options,
                  this.hello === undefined ? 'cannot open a session' : 'the connection was lost',
                  said,
                  code ?? undefined,
                )
          refuse(error)
        })
      })
      child.stdin?.write(encodeProgram(agentScript(this.marker, { monitor: shell === 'bash' })))
    })
  }

  #answered(id: number, answer: AgentAnswer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.resolve(answer)
    if (this.#pending.size === 0) this.hold(false)
  }

  /** Watches over a silent line by itself: a connection of the user's own may have no keep-alive. */
  #armPinger(): void {
    this.#pinger = setInterval(() => {
      const silentMs = performance.now() - this.#heardAt
      if (silentMs > SILENCE_MS && this.#pending.size > 0 && !this.#working) {
        this.abandon(
          transportFailure(this.#options, `the connection is silent for ${Math.round(silentMs / 1000)} s`, {
            transient: true,
            hint: 'Drover connects again by itself; the call can be repeated.',
          }),
        )
      } else if (silentMs > PING_MS && this.#pending.size === 0 && this.watched) {
        this.request(':').catch(() => undefined)
      }
    }, PING_MS / 2)
    this.#pinger.unref()
  }

  /** True while what is asked may take as long as it likes (a script, a tree to remove). */
  #working = false
  /** True while somebody waits for events, so that a dead line must be found though nothing is asked. */
  watched = false

  /** Like `request`, for what may take long: silence is no sign of a dead line then. */
  async work(text: string | ((id: number) => string), payload: readonly Uint8Array[] = []): Promise<AgentAnswer> {
    this.#working = true
    try {
      return await this.request(text, payload)
    } finally {
      this.#working = false
    }
  }

  #finish(error: DroverError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    clearInterval(this.#pinger)
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const one of pending) one.reject(error)
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream?.destroy()
    this.#events.onEnd(error)
  }
}

function shown(noise: string): string {
  const text = noise.trim()
  return text === '' ? '' : `; it said: ${text.split('\n').slice(-3).join(' / ').slice(-300)}`
}
