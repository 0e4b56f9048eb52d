import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import type { CallEnd } from '../process/call-journal.ts'
import { type HostCommand, type HostEvent, parseHostEvent } from './host-protocol.ts'
import { WORKER_HOST } from './worker-host-text.ts'

/** Reads the host's program from standard input, so that no file of ours is needed and `ps` shows the worker's. */
const BOOT = `import os,sys
n=int(sys.argv.pop())
b=b''
while len(b)<n:b+=os.read(0,n-len(b)) or sys.exit()
exec(compile(b,'<worker host>','exec'),{'__name__':'worker_host','__builtins__':__builtins__})`

/** How a host is started. */
export interface WarmHostOptions {
  /** The interpreter of the worker's environment. */
  readonly python: string
  /** Absolute path of the worker's `main.py`; its directory is where calls run. */
  readonly main: string
  readonly directory: string
  /** The whole environment, `TKR_DIR` in it: workers read it when they are imported. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Without calls for this long, it ends. */
  readonly idleMs: number
}

/** What came of a call: its end; or why there is none, and whether the host may have begun it. */
export type HostedEnd =
  | { readonly kind: 'ended'; readonly end: CallEnd }
  | { readonly kind: 'unstarted'; readonly why: string }
  /** The host is gone: the journal tells whether the call began. */
  | { readonly kind: 'orphaned'; readonly why: string }

/** A call's files and its key in the run's journal. */
export type HostedCall = Omit<Extract<HostCommand, { readonly op: 'call' }>, 'op' | 'id'>

/**
 * One imported worker that serves calls, each in a forked child. It ends by itself: when idle, or when this process is gone and the
 * calls in flight have ended and left proof.
 */
export class WarmHost {
  /** Undefined once calls are served; else why they can't be. */
  readonly ready: Promise<string | undefined>
  /** No more calls can be given to it. */
  ended = false
  /** It ended because it was idle. */
  idled = false
  readonly #child: ChildProcess
  readonly #input: Writable
  readonly #ready = Promise.withResolvers<string | undefined>()
  readonly #waiting = new Map<number, (end: HostedEnd) => void>()
  readonly #idleMs: number
  #idle: NodeJS.Timeout | undefined
  #nextId = 1
  #served = false
  #held = true
  #errors = ''

  constructor(options: WarmHostOptions) {
    this.ready = this.#ready.promise
    this.#idleMs = options.idleMs
    const program = Buffer.from(WORKER_HOST)
    const placeholder = `arguments-of-a-call-${randomBytes(6).toString('hex')}`
    // A session of its own: an interrupt at the terminal ends the controller, which then decides about the calls.
    this.#child = spawn(options.python, ['-c', BOOT, options.main, placeholder, String(program.length)], {
      cwd: options.directory,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    const { stdin, stdout, stderr } = this.#child
    if (stdin === null || stdout === null || stderr === null) throw new Error('a worker host without pipes')
    this.#input = stdin
    // A host that is gone is told by its exit.
    stdin.on('error', () => undefined)
    stdin.write(program)
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000)
    })
    createInterface({ input: stdout }).on('line', (line) => this.#onEvent(parseHostEvent(line)))
    this.#child.on('error', (error) => this.#onGone(`cannot start ${options.python}: ${error.message}`))
    this.#child.on('exit', (code, signal) => {
      const said = this.#errors.trim().split('\n').at(-1) ?? ''
      // Events that were written before the end are read first.
      setImmediate(() =>
        this.#onGone(`its host ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}${said === '' ? '' : `: ${said}`}`),
      )
    })
  }

  /** Gives it a call; `kill` sends a signal to the call's processes, as long as they are its own. */
  call(call: HostedCall): { readonly end: Promise<HostedEnd>; readonly kill: (signal: 9 | 15) => void } {
    const id = this.#nextId++
    const end = Promise.withResolvers<HostedEnd>()
    if (this.ended) {
      end.resolve({ kind: 'orphaned', why: 'its host has ended' })
      return { end: end.promise, kill: () => undefined }
    }
    clearTimeout(this.#idle)
    this.#waiting.set(id, end.resolve)
    this.#hold(true)
    this.#send({ op: 'call', id, ...call })
    return { end: end.promise, kill: (signal) => this.#send({ op: 'kill', id, signal }) }
  }

  /** Lets it go: it ends when its calls have, at once where it is still importing. Calls in flight are no longer told. */
  close(): void {
    if (!this.#served) this.#kill()
    this.ended = true
    clearTimeout(this.#idle)
    this.#waiting.clear()
    this.#input.end()
    this.#child.stdout?.destroy()
    this.#child.stderr?.destroy()
    this.#child.unref()
    this.#ready.resolve('its executor was closed')
  }

  /** Ends it where `main.py` is still being imported. */
  closeUnready(): void {
    if (!this.#served) this.close()
  }

  #kill(): void {
    const { pid, exitCode, signalCode } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: it has just ended.
    }
  }

  #send(command: HostCommand): void {
    if (!this.ended) this.#input.write(`${JSON.stringify(command)}\n`)
  }

  /** While nothing is awaited, a host keeps no process alive. */
  #hold(held: boolean): void {
    if (held === this.#held) return
    this.#held = held
    for (const one of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      // Pipes of child processes are sockets, which the types of streams don't say.
      if (one === null || !('ref' in one && 'unref' in one) || ('destroyed' in one && one.destroyed)) continue
      const { ref, unref } = one
      if (typeof ref === 'function' && typeof unref === 'function') (held ? ref : unref).call(one)
    }
  }

  #onEvent(event: HostEvent | undefined): void {
    if (event === undefined) return
    if (event.kind === 'ready') {
      this.#served = true
      this.#ready.resolve(undefined)
      this.#rest()
    } else if (event.kind === 'refused') {
      this.ended = true
      this.#ready.resolve(event.why)
    } else if (event.kind === 'ended') {
      this.#answer(event.id, { kind: 'ended', end: event.end })
    } else this.#answer(event.id, { kind: 'unstarted', why: event.why })
  }

  #answer(id: number, end: HostedEnd): void {
    this.#waiting.get(id)?.(end)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#rest()
  }

  #rest(): void {
    this.#hold(this.#waiting.size > 0)
    if (this.#waiting.size > 0 || this.ended) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      this.idled = true
      this.close()
    }, this.#idleMs)
    this.#idle.unref()
  }

  #onGone(why: string): void {
    this.ended = true
    clearTimeout(this.#idle)
    this.#ready.resolve(why)
    for (const resolve of this.#waiting.values()) resolve({ kind: 'orphaned', why })
    this.#waiting.clear()
  }
}
