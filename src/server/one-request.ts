import { CLIENT_VERSION_HEADER } from './protocol.ts'

// `import 'node:net'` would read every named export; the module object itself is cheap.
const net = process.getBuiltinModule('node:net')

/** One request to a supervisor. */
export interface PlainRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Beside those that each request has. */
  readonly headers?: Readonly<Record<string, string>>
  /** JSON. */
  readonly payload?: string | undefined
  /** Ends the request: it rejects. */
  readonly signal?: AbortSignal | undefined
}

/** Its whole answer. */
export interface PlainAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/**
 * One request on a unix socket, by hand, on a connection of its own: to load and run `node:http` costs a short command 20 ms.
 * Understands what the supervisor sends to such a request (HTTP/1.1, `Connection: close`). Rejects with the socket's error, or
 * when the answer is not whole.
 */
export function sendOnce(socketPath: string, { method, path, headers = {}, payload, signal }: PlainRequest): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    const content = payload === undefined ? [] : ['content-type: application/json']
    // A server takes a POST without a length for one in chunks.
    const body = method === 'GET' ? [] : [...content, `content-length: ${Buffer.byteLength(payload ?? '')}`]
    const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = [`${method} ${path} HTTP/1.1`, 'host: drover', 'connection: close', ...body, ...own]
    const pieces: Buffer[] = []
    const socket = net.connect(socketPath)
    const abort = (): void => void socket.destroy(new Error('the request was aborted'))
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.once('error', reject)
    // Also when it was destroyed by either side: an answer that is whole counts all the same.
    socket.once('close', () => {
      signal?.removeEventListener('abort', abort)
      try {
        resolve(parseAnswer(Buffer.concat(pieces)))
      } catch (error) {
        reject(error)
      }
    })
    socket.write(`${head.join('\r\n')}\r\n\r\n${payload ?? ''}`)
  })
}

/** Reads an answer that is complete: of a known length, or in chunks with the last of them. Throws for any other. */
export function parseAnswer(bytes: Buffer): PlainAnswer {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const content = bytes.subarray(end + 4)
  const body =
    headers['transfer-encoding']?.toLowerCase() === 'chunked'
      ? readChunks(content)
      : /^\d+$/.test(headers['content-length'] ?? '') && content.length === Number(headers['content-length'])
        ? content
        : undefined
  if (end === -1 || status === undefined || body === undefined) throw new Error('the answer was cut off')
  return { status: Number(status), headers, text: body.toString('utf8') }
}

/** Joins the chunks of a body (RFC 9112, 7.1); undefined when the last one is missing. */
function readChunks(content: Buffer): Buffer | undefined {
  const pieces: Buffer[] = []
  let at = 0
  for (;;) {
    const line = content.indexOf('\r\n', at)
    const size = line === -1 ? undefined : /^[0-9a-f]+/i.exec(content.toString('latin1', at, line))?.[0]
    if (size === undefined) return undefined
    const from = line + 2
    const to = from + Number.parseInt(size, 16)
    if (content.length < to + 2) return undefined
    if (to === from) return Buffer.concat(pieces)
    pieces.push(content.subarray(from, to))
    at = to + 2
  }
}

/** One POST. Resolves to the JSON of a 200 answer; anything else rejects, and the caller takes the real client. */
export async function requestOnce(socketPath: string, path: string, body: unknown, version: string): Promise<unknown> {
  const headers = { [CLIENT_VERSION_HEADER]: version }
  const { status, text } = await sendOnce(socketPath, { method: 'POST', path, headers, payload: JSON.stringify(body) })
  if (status !== 200) throw new Error('not a plain answer')
  return JSON.parse(text)
}
