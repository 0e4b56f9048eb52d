import { CLIENT_VERSION_HEADER } from './protocol.ts'

// As in http-connection.ts: the module object, without the named exports.
const net = process.getBuiltinModule('node:net')

/**
 * One POST on a unix socket, by hand: `node:http` costs a short command 10 ms. Understands what the supervisor sends to
 * such a request (HTTP/1.1, `Connection: close`, a body with its length); anything else rejects, and the caller takes
 * the real client. Resolves to the JSON of a 200 answer.
 */
export function requestOnce(socketPath: string, path: string, body: unknown, version: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const payload = JSON.stringify(body)
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: drover',
      'connection: close',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(payload)}`,
      `${CLIENT_VERSION_HEADER}: ${version}`,
    ]
    const pieces: Buffer[] = []
    const socket = net.connect(socketPath)
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.once('error', reject)
    socket.once('end', () => {
      try {
        resolve(readAnswer(Buffer.concat(pieces)))
      } catch (error) {
        reject(error)
      }
    })
    socket.write(`${head.join('\r\n')}\r\n\r\n${payload}`)
  })
}

/** The JSON of an answer. Throws for any other than a complete 200 with a known length. */
export function readAnswer(bytes: Buffer): unknown {
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.subarray(0, Math.max(0, end)).toString('latin1')
  const length = /^content-length: *(\d+)$/im.exec(head)?.[1]
  const content = bytes.subarray(end + 4)
  if (end === -1 || !/^HTTP\/1\.1 200 /.test(head) || length === undefined || content.length !== Number(length)) {
    throw new Error('not a plain answer')
  }
  return JSON.parse(content.toString('utf8'))
}
