import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpConnection } from '../../src/server/http-connection.ts'

let directory: string
let server: Server
let connection: HttpConnection
/** What answers. */
let answer: (write: (text: string) => void, end: () => void) => void

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'drover-http-'))
  const socketPath = join(directory, 'socket')
  server = createServer((_request, response) =>
    answer(
      (text) => void response.write(text),
      () => void response.end(),
    ),
  )
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  connection = new HttpConnection({ socketPath, version: 'test' })
})
afterEach(async () => {
  connection.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

const stream = (signal: AbortSignal) => connection.stream({ method: 'POST', path: '/', body: {}, signal, repeatable: true })

test.each([
  ['that goes on', false],
  ['whose end is here already', true],
])('a stream %s is left by its signal, and nothing else breaks', async (_name, whole) => {
  answer = (write, end) => {
    write('one\n')
    write('two\n')
    if (whole) end()
  }
  // The moment between the end of an answer and the return of its socket is short.
  for (let k = 0; k < 20; k++) {
    const leave = new AbortController()
    const response = await stream(leave.signal)
    if (whole && k % 2 === 1) await expect.poll(() => response.complete, { interval: 1 }).toBe(true)
    for await (const _piece of response) {
      leave.abort()
      break
    }
    // An error that nobody hears ends the test run.
    await sleep(1)
  }
})

test('a signal ends a request that has no answer yet', async () => {
  answer = () => {}
  const leave = new AbortController()
  const asked = stream(leave.signal)
  leave.abort()
  await expect(asked).rejects.toMatchObject({ code: 'aborted' })
  await expect(stream(leave.signal)).rejects.toMatchObject({ code: 'aborted' })
})
