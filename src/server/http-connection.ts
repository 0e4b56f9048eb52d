import type { Agent, ClientRequest, IncomingMessage } from 'node:http'
import { DroverError, type ErrorJson, fromErrorJson, toErrorJson } from '../errors.ts'
import { type PlainAnswer, sendOnce } from './one-request.ts'
import { CLIENT_VERSION_HEADER, SERVER_VERSION_HEADER } from './protocol.ts'

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
async function readText(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString('utf8')
}

function isErrorBody(json: unknown): json is { readonly error: ErrorJson } {
  return typeof json === 'object' && json !== null && 'error' in json && typeof json.error === 'object' && json.error !== null
}

/** Sends requests to one supervisor and repeats what may be repeated. */
export class HttpConnection {
  readonly #options: ConnectionOptions
  readonly #closing = new AbortController()
  #agent: Agent | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Sends a request and reads its JSON answer. Throws the supervisor's error, or `supervisor_unreachable`. */
  async json(call: Call): Promise<unknown> {
    const { socketPath } = this.#options
    const signal = call.signal === undefined ? this.#closing.signal : AbortSignal.any([call.signal, this.#closing.signal])
    return await this.#repeat(call, async (headers, payload) => {
      const answer = await sendOnce(socketPath, { method: call.method, path: call.path, headers, payload, signal })
      return { ...answer, read: async () => JSON.parse(answer.text) as unknown }
    })
  }

  /** Sends a request whose answer is a stream; the caller reads or destroys it. */
  async stream(call: Call): Promise<IncomingMessage> {
    return await this.#repeat(call, async (headers, payload) => {
      const response = await this.#open(call, headers, payload)
      const status = response.statusCode ?? 500
      if (status < 400) return { status, headers: {}, text: '', read: async () => response }
      const version = response.headers[SERVER_VERSION_HEADER]
      const text = await readText(response)
      return { status, headers: typeof version === 'string' ? { [SERVER_VERSION_HEADER]: version } : {}, text, read: async () => response }
    })
  }

  close(): void {
    this.#closing.abort()
    this.#agent?.destroy()
  }

  async #repeat<T>(
    call: Call,
    send: (headers: Readonly<Record<string, string>>, payload: string | undefined) => Promise<PlainAnswer & { read(): Promise<T> }>,
  ): Promise<T> {
    const headers = this.#options.replace === undefined ? {} : { [CLIENT_VERSION_HEADER]: this.#options.version }
    const payload = call.body === undefined ? undefined : JSON.stringify(call.body)
    for (let attempt = 1; ; attempt += 1) {
      if (this.#closing.signal.aborted)
        throw new DroverError('aborted', 'this connection to the supervisor was closed', { level: 'internal' })
      try {
        const answer = await send(headers, payload)
        if (answer.status === 426 && this.#options.replace !== undefined && attempt < TRIES) {
          await this.#options.replace()
          continue
        }
        if (answer.status >= 400) throw this.#errorOf(answer)
        return await answer.read()
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

  #open(call: Call, headers: Readonly<Record<string, string>>, payload: string | undefined): Promise<IncomingMessage> {
    // Loaded for streams alone, and as the module object: `import 'node:http'` would read every named export, and load undici
    // for two of them.
    const http = process.getBuiltinModule('node:http')
    this.#agent ??= new http.Agent({ keepAlive: true })
    const agent = this.#agent
    return new Promise((resolve, reject) => {
      const request: ClientRequest = http.request({
        socketPath: this.#options.socketPath,
        agent,
        method: call.method,
        path: call.path,
        headers: {
          host: 'drover',
          ...headers,
          ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      })
      // Not by `signal` of the request: that destroys the socket with an error, which nobody hears where the answer has just ended
      // and the socket is on its way back to the agent.
      const abort = (): void => void request.destroy()
      call.signal?.addEventListener('abort', abort, { once: true })
      request.once('close', () => call.signal?.removeEventListener('abort', abort))
      if (call.signal?.aborted) abort()
      request.once('response', resolve)
      // Stays for the life of the socket: a reset after the answer began is reported by the answer's own stream.
      request.on('error', reject)
      request.end(payload)
    })
  }

  #errorOf({ status, headers, text }: PlainAnswer): DroverError {
    const serverVersion = headers[SERVER_VERSION_HEADER]
    const json: unknown = JSON.parse(text)
    if (!isErrorBody(json)) return new DroverError('internal', `the supervisor answered ${status}`, { level: 'internal' })
    const error = fromErrorJson(json.error)
    if (error.code !== 'unsupported' || serverVersion === undefined || serverVersion === this.#options.version) return error
    return fromErrorJson({
      ...toErrorJson(error),
      hint: `This drover is version ${this.#options.version} and the supervisor version ${serverVersion}: use the newer one's command line.`,
    })
  }
}
