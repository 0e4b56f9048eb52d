import { DroverError } from '../errors.ts'
import type { SshAgent } from './ssh-agent.ts'
import type { SshConnection } from './ssh-connection.ts'
import { isRefusedSession } from './ssh-errors.ts'

interface Worker {
  readonly agent: SshAgent
  /** Called when a script of this worker has begun: its request, pid and start time. */
  onStart: ((pid: number, startTime: string) => void) | undefined
  readonly give: () => void
}

/** A worker while it is somebody's. */
export interface TakenWorker {
  readonly agent: SshAgent
  onStart: ((pid: number, startTime: string) => void) | undefined
}

/** Agents of one host that run what may take long, one thing at a time each; opened when first needed, then kept. */
export class SshWorkers {
  readonly #connection: SshConnection
  readonly #idle: Worker[] = []
  readonly #all = new Set<Worker>()
  /** All sessions but that of the events; fewer where the host turned out to allow fewer. */
  #most: number
  #opening = 0
  readonly #queue: { resolve: (worker: Worker) => void; reject: (error: unknown) => void }[] = []

  constructor(connection: SshConnection) {
    this.#connection = connection
    this.#most = connection.maxSessions - 1
  }

  /** Runs `use` with a worker of its own. */
  async with<Result>(use: (worker: TakenWorker) => Promise<Result>): Promise<Result> {
    const worker = await this.#take()
    try {
      return await use(worker)
    } finally {
      worker.onStart = undefined
      this.#giveBack(worker)
    }
  }

  /** Opens one ahead of its first use; a failure shows at the first use. */
  warm(): void {
    if (this.#all.size + this.#opening > 0) return
    this.with(async () => undefined).catch(() => undefined)
  }

  /** Closes one that is idle, so that its session can serve somebody else. */
  async yieldSession(): Promise<void> {
    await this.#idle.shift()?.agent.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.agent.close()))
  }

  /** Ends all at once: their connection is dead. */
  abandon(error: DroverError): void {
    for (const worker of [...this.#all]) worker.agent.abandon(error)
  }

  async #take(): Promise<Worker> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) if (idle.agent.alive) return idle
    if (this.#all.size + this.#opening >= this.#most) return new Promise((resolve, reject) => this.#queue.push({ resolve, reject }))
    return this.#open()
  }

  async #open(): Promise<Worker> {
    this.#opening++
    let give: (() => void) | undefined
    try {
      give = await this.#connection.takeSession()
      const end = give
      let opened: Worker | undefined
      const agent = await this.#connection.openAgent({
        onEvent: (words) => {
          if (words[0] === 'P') opened?.onStart?.(Number(words[2]), words[3] ?? '-')
        },
        onEnd: () => {
          if (opened === undefined) return
          this.#all.delete(opened)
          const at = this.#idle.indexOf(opened)
          if (at >= 0) this.#idle.splice(at, 1)
          end()
          this.#serveNext()
        },
      })
      opened = { agent, onStart: undefined, give: end }
      this.#all.add(opened)
      return opened
    } catch (error) {
      give?.()
      // The host allows fewer sessions than were thought: those that are open serve all.
      if (this.#all.size > 0 && error instanceof DroverError && isRefusedSession(error.details.outputTail ?? '')) {
        this.#most = this.#all.size
        return await this.#take()
      }
      this.#queue.shift()?.reject(error)
      throw error
    } finally {
      this.#opening--
    }
  }

  #giveBack(worker: Worker): void {
    if (!worker.agent.alive) return
    // Who waits for a session of their own (a transfer) is not passed by those who wait for a worker: these open another.
    if (this.#connection.crowded) void worker.agent.close()
    else if (this.#queue[0] !== undefined) this.#queue.shift()?.resolve(worker)
    else this.#idle.push(worker)
  }

  /** A worker ended: who waits gets a new one. */
  #serveNext(): void {
    const next = this.#queue.shift()
    if (next !== undefined) this.#take().then(next.resolve, next.reject)
  }
}
