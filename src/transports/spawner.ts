import { type ChildProcess, spawn as spawnChild } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, uptime } from 'node:os'
import { join } from 'node:path'
import { quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import { parseHello, SPAWNER_HELLO, type SpawnerHello, spawnerScript } from './spawner-script.ts'
import type { CommandResult, ProcessIdentity, SpawnRequest } from './transport.ts'

/** What `createSpawner` takes. */
export interface SpawnerOptions {
  /** The shell. Default `sh`. */
  readonly shell?: readonly string[]
  /** Environment of everything it starts. Default: `smallEnvironment(process.env)`. */
  readonly environment?: Readonly<Record<string, string>>
  /** ms within which the shell must answer its hello. Default 10 000. */
  readonly startTimeoutMs?: number
  /** How often ended children are collected while the spawner is otherwise idle, ms. Default 5000. */
  readonly reapIntervalMs?: number
}

/** A started process with its identity. */
export type StartedProcess = ProcessIdentity

/** A small persistent shell that starts processes for a Node process that holds too much memory to fork. */
export interface Spawner {
  /** Resolves to the hello of the running shell; starts one where none runs. */
  hello(): Promise<SpawnerHello>
  /** Starts detached processes; requests of one tick travel in one write. The first that cannot start rejects, after all were answered. */
  start(requests: readonly SpawnRequest[]): Promise<readonly StartedProcess[]>
  /** True per process that was sent the signal; false: gone, or another process by now. */
  kill(processes: readonly ProcessIdentity[], signalName: 'TERM' | 'KILL' | 'INT', group: boolean): Promise<readonly boolean[]>
  /** True per process that lives; a zombie does not. */
  alive(processes: readonly ProcessIdentity[]): Promise<readonly boolean[]>
  /** Runs a short sh script, output captured through files. A signal's end reads 128 + n. */
  run(
    script: string,
    options?: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<CommandResult>
  /** Ends the shell (not what it started) and waits until it is gone. */
  close(): Promise<void>
}

/** Variables that what runs on this machine keeps of the caller's environment: who, where, language. Nothing else is carried over. */
export function smallEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue
    if (/^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR)$/.test(name)) kept[name] = value
  }
  kept['PATH'] ??= '/usr/local/bin:/usr/bin:/bin'
  return kept
}

interface Holdable {
  ref(): void
  unref(): void
}

interface Pending {
  /** Returns true when the answer is complete and the request is done. */
  readonly onAnswer: (word: string, detail: readonly string[]) => boolean
  readonly fail: (error: Error) => void
}

/** Most processes in one check or signal request: keeps the answer line below a pipe's atomic write. */
const MOST_PER_LINE = 1000

/** Makes a spawner; the shell starts at the first request or at `hello()`. Call `hello()` while the process is small. */
export function createSpawner(options: SpawnerOptions = {}): Spawner {
  return new ShellSpawner(options)
}

class ShellSpawner implements Spawner {
  readonly #options: SpawnerOptions
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #child: ChildProcess | undefined
  #hello: Promise<SpawnerHello> | undefined
  #outbox: string[] = []
  #flushing = false
  #closed = false
  #reapTimer: NodeJS.Timeout | undefined
  #scratch: string | undefined

  constructor(options: SpawnerOptions) {
    this.#options = options
  }

  hello(): Promise<SpawnerHello> {
    if (this.#closed) return Promise.reject(failure('the spawner is closed', false))
    this.#hello ??= this.#launch(this.#options.shell ?? ['sh'], false)
    return this.#hello
  }

  async start(requests: readonly SpawnRequest[]): Promise<readonly StartedProcess[]> {
    for (const request of requests) refuseUnusable(request)
    const { bootId } = await this.hello()
    const outcomes = await Promise.allSettled(
      requests.map((request) =>
        this.#ask<StartedProcess>(
          (id) => `s ${id} ${bootEpochSeconds()} ${[request.logPath, request.cwd, ...request.argv].map(quoteShell).join(' ')}\n`,
          (word, detail) =>
            word === 's' ? { pid: Number(detail[0]), startTime: detail[1] ?? '-', bootId } : startError(request, detail[0]),
        ),
      ),
    )
    this.#armReaper()
    return outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason
      return outcome.value
    })
  }

  async kill(processes: readonly ProcessIdentity[], signalName: 'TERM' | 'KILL' | 'INT', group: boolean): Promise<readonly boolean[]> {
    return this.#perProcess(processes, (id, list) => `k ${id} ${signalName} ${group ? 1 : 0} ${list}\n`)
  }

  async alive(processes: readonly ProcessIdentity[]): Promise<readonly boolean[]> {
    return this.#perProcess(processes, (id, list) => `a ${id} ${list}\n`)
  }

  async run(
    script: string,
    options: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    if (options.signal?.aborted) throw aborted()
    const { bootId } = await this.hello()
    this.#scratch ??= mkdtempSync(join(tmpdir(), 'drover-run-'))
    const base = join(this.#scratch, String(this.#nextId))
    const paths = {
      script: `${base}.sh`,
      input: options.stdin === undefined ? '/dev/null' : `${base}.in`,
      out: `${base}.out`,
      err: `${base}.err`,
    }
    writeFileSync(paths.script, script, { mode: 0o600 })
    if (options.stdin !== undefined) writeFileSync(paths.input, options.stdin, { mode: 0o600 })
    for (const path of [paths.out, paths.err]) writeFileSync(path, '', { mode: 0o600 })
    let identity: ProcessIdentity | undefined
    let stopped: Error | undefined
    let deadline: NodeJS.Timeout | undefined
    let lastResort: NodeJS.Timeout | undefined
    const end = (why: Error): void => {
      if (stopped !== undefined) return
      stopped = why
      if (identity === undefined) return
      const target = [identity]
      this.kill(target, 'TERM', true).catch(() => undefined)
      lastResort = setTimeout(() => this.kill(target, 'KILL', true).catch(() => undefined), 1000)
    }
    const onAbort = (): void => end(aborted())
    try {
      options.signal?.addEventListener('abort', onAbort, { once: true })
      // Aborted between the first look and the listener.
      if (options.signal?.aborted) throw aborted()
      const { timeoutMs } = options
      if (timeoutMs !== undefined) {
        deadline = setTimeout(() => end(failure(`the command did not end within ${timeoutMs} ms`, true, script)), timeoutMs)
      }
      const code = await new Promise<number>((resolve, reject) => {
        this.#send((id) => `r ${id} ${[paths.script, paths.input, paths.out, paths.err].map(quoteShell).join(' ')}\n`, {
          onAnswer: (word, detail) => {
            if (word === 'b') {
              identity = { pid: Number(detail[0]), startTime: detail[1] ?? '-', bootId }
              if (stopped !== undefined) {
                const why = stopped
                stopped = undefined
                end(why)
              }
              return false
            }
            resolve(Number(detail[0]))
            return true
          },
          fail: reject,
        })
      })
      if (stopped !== undefined) throw stopped
      return { code, stdout: readFileSync(paths.out, 'utf8'), stderr: readFileSync(paths.err, 'utf8') }
    } finally {
      clearTimeout(deadline)
      clearTimeout(lastResort)
      options.signal?.removeEventListener('abort', onAbort)
      for (const path of [paths.script, paths.input, paths.out, paths.err]) {
        if (path !== '/dev/null') unlinkSync(path)
      }
      this.#armReaper()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#reapTimer)
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.stdin?.end()
      const lastResort = setTimeout(() => child.kill('SIGKILL'), 5000)
      await gone
      clearTimeout(lastResort)
    }
    child?.stdout?.destroy()
    this.#failAll(failure('the spawner was closed', true))
    if (this.#scratch !== undefined) rmSync(this.#scratch, { recursive: true, force: true })
    this.#scratch = undefined
  }

  /** Starts the shell and waits for its hello; restarts it as bash where only bash can make process groups. */
  async #launch(shell: readonly string[], monitor: boolean): Promise<SpawnerHello> {
    const [program = 'sh', ...rest] = shell
    const environment = this.#options.environment ?? smallEnvironment(process.env)
    const leaks = inheritedDescriptors()
    const argv =
      leaks.length === 0
        ? [program, ...rest, '-s']
        : ['bash', '--norc', '--noprofile', '-c', CLOSE_AND_EXEC, ...leaks.map(String), '--', program, ...rest, '-s']
    const child = spawnChild(argv[0] ?? program, argv.slice(1), {
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child = child
    const hello = await new Promise<SpawnerHello>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        reject(failure(`${program} did not answer within ${this.#options.startTimeoutMs ?? 10_000} ms`, true))
      }, this.#options.startTimeoutMs ?? 10_000)
      child.once('error', (error) => {
        clearTimeout(timer)
        this.#died(child)
        reject(failure(`cannot start ${program}: ${error.message}`, false))
      })
      child.once('exit', () => {
        clearTimeout(timer)
        reject(failure(`${program} ended before it answered`, true))
        // Answers it wrote before its end are still in the pipe; programs between fork and exec may hold it open.
        const drained = setTimeout(() => this.#died(child), 100)
        child.stdout?.once('end', () => {
          clearTimeout(drained)
          this.#died(child)
        })
      })
      child.stdin?.on('error', () => undefined)
      let rest = ''
      child.stdout?.setEncoding('utf8')
      child.stdout?.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          if (line.startsWith(SPAWNER_HELLO)) {
            clearTimeout(timer)
            const parsed = parseHello(line)
            if (parsed === undefined) reject(failure(`${program} answered what is no hello: ${line}`, false))
            else resolve(parsed)
          } else this.#onAnswer(line)
        }
      })
      child.stdin?.write(spawnerScript({ monitor }))
    })
    if (hello.wantsBash && !monitor) {
      child.stdin?.end()
      child.removeAllListeners('exit')
      return this.#launch(['bash', '--norc', '--noprofile'], true)
    }
    this.#holdProcess(child, this.#pending.size > 0)
    return hello
  }

  /** Only unanswered requests keep the Node process from ending; an idle spawner does not. */
  #holdProcess(child: ChildProcess, hold: boolean): void {
    for (const handle of [child, child.stdin, child.stdout] as (Partial<Holdable> | null)[]) {
      if (hold) handle?.ref?.()
      else handle?.unref?.()
    }
  }

  #died(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#hello = undefined
    this.#failAll(failure('the spawner ended before it answered; whether the processes started is not known', true))
  }

  #failAll(error: Error): void {
    this.#outbox = []
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const one of pending) one.fail(error)
  }

  #onAnswer(line: string): void {
    const [idText, word = '', ...detail] = line.split(' ')
    const id = Number(idText)
    const pending = this.#pending.get(id)
    if (!pending?.onAnswer(word, detail)) return
    this.#pending.delete(id)
    if (this.#pending.size === 0 && this.#child !== undefined) this.#holdProcess(this.#child, false)
  }

  #send(compile: (id: number) => string, pending: Pending): void {
    if (this.#closed || this.#child === undefined) {
      pending.fail(failure('the spawner is not running', !this.#closed))
      return
    }
    const id = this.#nextId++
    if (this.#pending.size === 0) this.#holdProcess(this.#child, true)
    this.#pending.set(id, pending)
    this.#outbox.push(compile(id))
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      const text = this.#outbox.join('')
      this.#outbox = []
      if (text !== '') this.#child?.stdin?.write(text)
    })
  }

  #ask<Answer>(compile: (id: number) => string, read: (word: string, detail: readonly string[]) => Answer | Error): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#send(compile, {
        onAnswer: (word, detail) => {
          const answer = read(word, detail)
          if (answer instanceof Error) reject(answer)
          else resolve(answer)
          return true
        },
        fail: reject,
      })
    })
  }

  async #perProcess(processes: readonly ProcessIdentity[], compile: (id: number, list: string) => string): Promise<readonly boolean[]> {
    const { bootId } = await this.hello()
    const results = new Array<boolean>(processes.length).fill(false)
    // A boot id of another boot answers by itself: nothing of that boot lives.
    const asked = processes.map((identity, position) => ({ ...identity, position })).filter((one) => one.bootId === bootId && one.pid > 1)
    const chunks = []
    for (let from = 0; from < asked.length; from += MOST_PER_LINE) chunks.push(asked.slice(from, from + MOST_PER_LINE))
    await Promise.all(
      chunks.map(async (chunk) => {
        const list = chunk.map((one) => `${one.pid} ${quoteShell(one.startTime)}`).join(' ')
        const bits = await this.#ask<string>(
          (id) => compile(id, list),
          (_word, detail) => detail[0] ?? '',
        )
        chunk.forEach((one, index) => {
          results[one.position] = bits[index] === '1'
        })
      }),
    )
    return results
  }

  #armReaper(): void {
    if (this.#reapTimer !== undefined || this.#closed) return
    this.#reapTimer = setInterval(() => {
      if (this.#child === undefined) return
      this.#send((id) => `p ${id}\n`, { onAnswer: () => true, fail: () => undefined })
    }, this.#options.reapIntervalMs ?? 5000)
    this.#reapTimer.unref()
  }
}

/** Epoch seconds at which this machine booted, by the clock that shells read as /proc/uptime; to half a second. */
function bootEpochSeconds(): number {
  return Math.round(Date.now() / 1000 - uptime())
}

/** Run by bash, since dash cannot name descriptors above 9: `$0 $1… --` are descriptors to close, what follows is executed. */
const CLOSE_AND_EXEC = 'n=$0; while [ "$n" != -- ]; do eval "exec $n>&-"; n=$1; shift; done; exec "$@"'

/**
 * Descriptors above 9 that this process was itself given without close-on-exec (a shell's pipe, a lock of a parent): Node
 * hands them on, and everything started would hold them for its whole life. Empty where there is no /proc or no bash.
 */
function inheritedDescriptors(): readonly number[] {
  try {
    const open = readdirSync('/proc/self/fd').map(Number)
    const leaking = open.filter((descriptor) => descriptor > 9 && !closesOnExec(descriptor))
    const bash = (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory || '.', 'bash')))
    return bash ? leaking : []
  } catch {
    return []
  }
}

/** Reads `flags:` of /proc/self/fdinfo (proc(5)): octal, 02000000 is O_CLOEXEC. A descriptor closed meanwhile counts as closing. */
function closesOnExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) !== 0
  } catch {
    return true
  }
}

function refuseUnusable(request: SpawnRequest): void {
  const words = [...request.argv, request.logPath, request.cwd]
  if (request.argv.length === 0 || words.some((word) => word.includes('\0'))) {
    throw new DroverError('invalid_argument', 'cannot start a process: an empty command, or a NUL in its words', { level: 'internal' })
  }
}

function startError(request: SpawnRequest, word: string | undefined): DroverError {
  const program = request.argv[0] ?? ''
  if (word === 'cwd') {
    return new DroverError('staging_failed', `cannot start ${program}: directory ${request.cwd} is missing or closed to you`, {
      level: 'staging',
      command: program,
      hint: 'Make the directory, or name another as the working directory.',
    })
  }
  if (word === 'log') {
    return new DroverError('no_permission', `cannot start ${program}: cannot write its log ${request.logPath}`, {
      level: 'staging',
      command: program,
      hint: 'Check that the directory exists, is yours, and that its disk is not full.',
    })
  }
  return new DroverError('missing_file', `cannot start ${program}: no such program, or not executable`, {
    level: 'staging',
    command: program,
    hint: 'Install it, or give its absolute path.',
  })
}

function failure(why: string, transient: boolean, script?: string): DroverError {
  return new DroverError('transport_failed', `local: ${why}`, {
    level: 'transport',
    transient,
    ...(script === undefined ? {} : { command: script.length > 200 ? `${script.slice(0, 200)}…` : script }),
  })
}

function aborted(): DroverError {
  return new DroverError('aborted', 'the command was stopped before it ended', { level: 'transport', transient: true })
}
