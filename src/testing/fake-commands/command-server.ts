import { createServer, type Server, type Socket } from 'node:net'
import type { CommandCall } from './command-call.ts'

/** Answers a call; resolves to the exit code. Output goes through the call. */
export type AnswerCall = (call: CommandCall) => Promise<number>

/** The socket behind the commands: one connection per call. */
export class CommandServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(answer: AnswerCall) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      socket.on('error', () => socket.destroy())
      serve(socket, answer)
    })
  }

  /** Listens on the path. */
  static async listen(path: string, answer: AnswerCall): Promise<CommandServer> {
    const server = new CommandServer(answer)
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject)
      server.#server.listen(path, resolve)
    })
    return server
  }

  /** Cuts off calls under way and removes the socket. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

function serve(socket: Socket, answer: AnswerCall): void {
  let text = ''
  let call: SocketCall | undefined
  socket.setEncoding('utf8')
  socket.on('data', (piece: string) => {
    text += piece
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const frame: unknown = JSON.parse(text.slice(0, end))
      text = text.slice(end + 1)
      if (call) call.take(frame)
      else {
        const started = new SocketCall(socket, frame)
        call = started
        void answer(started).then(
          (code) => socket.end(`${JSON.stringify({ exit: code })}\n`),
          (error: unknown) => {
            started.err(`${started.command}: the fake failed: ${error instanceof Error ? error.stack : String(error)}\n`)
            socket.end(`${JSON.stringify({ exit: 70 })}\n`)
          },
        )
      }
    }
  })
  socket.on('end', () => socket.end())
  socket.on('close', () => call?.gone())
}

class SocketCall implements CommandCall {
  readonly command: string
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly #socket: Socket
  readonly #signalListeners: ((signal: NodeJS.Signals) => void)[] = []
  readonly #goneListeners: (() => void)[] = []
  #onInput: ((bytes: Buffer | null) => void) | undefined

  constructor(socket: Socket, frame: unknown) {
    // The frame is our own client's.
    const { command, argv, cwd, env } = frame as Pick<CommandCall, 'command' | 'argv' | 'cwd' | 'env'>
    this.command = command
    this.argv = argv
    this.cwd = cwd
    this.env = env
    this.#socket = socket
  }

  out(text: string): void {
    this.#send({ o: Buffer.from(text).toString('base64') })
  }

  err(text: string): void {
    this.#send({ e: Buffer.from(text).toString('base64') })
  }

  /** Bytes of a task, as they are. */
  write(stream: 'out' | 'err', bytes: Buffer): void {
    this.#send(stream === 'out' ? { o: bytes.toString('base64') } : { e: bytes.toString('base64') })
  }

  readStdin(onBytes?: (bytes: Buffer) => void): Promise<Buffer> {
    return new Promise((resolve) => {
      const pieces: Buffer[] = []
      this.#onInput = (bytes) => {
        if (bytes === null) return resolve(Buffer.concat(pieces))
        if (onBytes) onBytes(bytes)
        else pieces.push(bytes)
      }
      this.#send({ stdin: true })
    })
  }

  onSignal(listener: (signal: NodeJS.Signals) => void): void {
    this.#signalListeners.push(listener)
  }

  onGone(listener: () => void): void {
    this.#goneListeners.push(listener)
  }

  take(frame: unknown): void {
    const { signal, in: input } = frame as { signal?: NodeJS.Signals; in?: string | null }
    if (signal !== undefined) for (const listener of this.#signalListeners) listener(signal)
    if (input !== undefined) this.#onInput?.(input === null ? null : Buffer.from(input, 'base64'))
  }

  gone(): void {
    this.#onInput?.(null)
    for (const listener of this.#goneListeners) listener()
  }

  #send(frame: unknown): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(frame)}\n`)
  }
}
