import type { ClientRequest, IncomingMessage } from 'node:http'
import { DroverError, type ErrorJson, fromErrorJson, toErrorJson } from '../errors.ts'
import { CLIENT_VERSION_HEADER, SERVER_VERSION_HEADER } from './protocol.ts'

// `import 'node:http'` would load undici for the named exports WebSocket and MessageEvent: 25 ms that a short command
// such as `drover list` has no use for. The module object itself is cheap.
const http = process.getBuiltinModule('node:http')

/** How a connection reaches its supervisor. */
export interface ConnectionOptions {
  readonly socketPath: string
  /** Version of this client. */
  readonly version: string
  /** Called when nothing listens on the socket; returns when something does. Absent: that is an error. */
  readonly start?: () => Promise<void>
  /** Called when the supervisor is older than this client; stops it. Needs `start`. */
  readonly replace?: () => Promise<void>
}

/** One request. */
export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
  /** True when sending it twice does what sending it once does; then a lost answer is asked for again. */
  readonly repeatable: boolean
}

/** How often a request is sent before the supervisor counts as unreachable. */
const TRIES = 4

function unreachable(socketPath: string, cause: unknown): DroverError {
  const code = codeOf(cause)
  const why =
    code === 'ENOENT' || code === 'ECONNREFUSED' ? 'no supervisor is running' : cause instanceof Error ? cause.message : String(cause)
  return new DroverError('supervisor_unreachable', `cannot reach the supervisor at ${socketPath}: ${why}`, {
    level: 'transport',
    transient: true,
    cause,
    hint: 'See: drover supervisor status, drover doctor.',
  })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Tells a request that was surely never received (the connection was not made) from one whose fate is unknown. */
function neverSent(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error) ?? '')
}

/** The error for a wait or stream that its caller ended. */
export function abortedError(): DroverError {
  return new DroverError('aborted', 'the request was aborted', { level: 'internal' })
}

/** Reads a whole answer. Rejects when the connection is lost in the middle. */
async function readJson(response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return JSON.parse(Buffer.concat(pieces).toString('utf8'))
}

function isErrorBody(json: unknown): json is { readonly error: ErrorJson } {
  return typeof json === 'object' && json !== null && 'error' in json && typeof json.error === 'object' && json.error !== null
}

/** Keeps connections to one supervisor and repeats what may be repeated. */
export class HttpConnection {
  readonly #options: ConnectionOptions
  readonly #agent = new http.Agent({ keepAlive: true })
  #closed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Sends a request and reads its JSON answer. Throws the supervisor's error, or `supervisor_unreachable`. */
  async json(call: Call): Promise<unknown> {
    return await this.#repeat(call, async (response) => await readJson(response))
  }

  /** Sends a request whose answer is a stream; the caller reads or destroys it. */
  async stream(call: Call): Promise<IncomingMessage> {
    return await this.#repeat(call, async (response) => response)
  }

  close(): void {
    this.#closed = true
    this.#agent.destroy()
  }

  async #repeat<T>(call: Call, read: (response: IncomingMessage) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#closed) throw new DroverError('aborted', 'this connection to the supervisor was closed', { level: 'internal' })
      try {
        const response = await this.#send(call)
        if (response.statusCode === 426 && this.#options.replace !== undefined && attempt < TRIES) {
          response.resume()
          await this.#options.replace()
          continue
        }
        if ((response.statusCode ?? 500) >= 400) throw await this.#errorOf(response)
        return await read(response)
      } catch (error) {
        if (call.signal?.aborted) throw abortedError()
        const stopping = error instanceof DroverError && error.code === 'supervisor_unreachable'
        if (error instanceof DroverError && !stopping) throw error
        const again = (call.repeatable || neverSent(error)) && attempt < TRIES && this.#options.start !== undefined
        if (!again) throw stopping ? error : unreachable(this.#options.socketPath, error)
        if (neverSent(error) || stopping) await this.#options.start?.()
      }
    }
  }

  #send(call: Call): Promise<IncomingMessage> {
    const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    return new Promise((resolve, reject) => {
      const request: ClientRequest = http.request({
        socketPath: this.#options.socketPath,
        agent: this.#agent,
        method: call.method,
        path: call.path,
        headers: {
          host: 'drover',
          ...(this.#options.replace === undefined ? {} : { [CLIENT_VERSION_HEADER]: this.#options.version }),
          ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length }),
        },
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
      request.once('response', resolve)
      // Stays for the life of the socket: a reset after the answer began is reported by the answer's own stream.
      request.on('error', reject)
      request.end(payload)
    })
  }

  async #errorOf(response: IncomingMessage): Promise<DroverError> {
    const serverVersion = response.headers[SERVER_VERSION_HEADER]
    const json = await readJson(response)
    if (!isErrorBody(json)) return new DroverError('internal', `the supervisor answered ${response.statusCode}`, { level: 'internal' })
    const error = fromErrorJson(json.error)
    if (error.code !== 'unsupported' || serverVersion === undefined || serverVersion === this.#options.version) return error
    return fromErrorJson({
      ...toErrorJson(error),
      hint: `This drover is version ${this.#options.version} and the supervisor version ${String(serverVersion)}: use the newer one's command line.`,
    })
  }
}
