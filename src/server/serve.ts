import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { DroverError } from '../errors.ts'
import type { Drover } from '../jobs/drover.ts'
import { createHttpApi } from './http-api.ts'

/** A server on a unix socket. */
export interface SocketServer {
  /** Stops listening (which removes the socket), ends waits and streams, and gives other requests 2 s to finish. */
  close(): Promise<void>
}

/** What a socket server serves, and where. */
export interface ServeOptions {
  readonly drover: Drover
  readonly socketPath: string
  readonly version: string
  readonly stop?: () => void
  readonly onInternalError?: (message: string) => void
  /** Called with every request, and every second while one is open: a supervisor with a client is not idle. */
  readonly onActivity?: () => void
}

const DRAIN_MS = 2000
const ACTIVITY_MS = 1000

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // The socket file is made within this call; it must never be open to others, not even until the chmod.
    const umask = process.umask(0o177)
    try {
      server.listen(socketPath, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(umask)
    }
  })
}

/** Counts open requests; reports while there are any. */
function createActivity(report: () => void = () => {}): { readonly begin: () => () => void; readonly stop: () => void } {
  let open = 0
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    begin() {
      open += 1
      report()
      timer ??= setInterval(report, ACTIVITY_MS).unref()
      return () => {
        open -= 1
        report()
        if (open === 0) stop()
      }
    },
    stop,
  }
}

/**
 * Serves a `Drover` on a unix socket that only its owner can open. The caller holds the store's lease: a socket that is
 * already there belongs to a dead supervisor and is removed. Throws DroverError when the socket cannot be made.
 */
export async function serveOnSocket(options: ServeOptions): Promise<SocketServer> {
  const { socketPath } = options
  const closing = new AbortController()
  const app = createHttpApi({
    drover: options.drover,
    version: options.version,
    closing: closing.signal,
    ...(options.stop === undefined ? {} : { stop: options.stop }),
    ...(options.onInternalError === undefined ? {} : { onInternalError: options.onInternalError }),
  })
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const activity = createActivity(options.onActivity)
  const server = createServer((incoming, outgoing) => {
    outgoing.once('close', activity.begin())
    void listener(incoming, outgoing)
  })
  // Local clients keep connections as long as they live; a time limit would only make a race with a request under way.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  try {
    await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 })
    await rm(socketPath, { force: true })
    await listen(server, socketPath)
    await chmod(socketPath, 0o600)
  } catch (cause) {
    server.close()
    throw new DroverError(
      'supervisor_unreachable',
      `cannot listen on ${socketPath}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        level: 'config',
        cause,
      },
    )
  }
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
      const idle = setInterval(() => server.closeIdleConnections(), 20)
      await closed
      activity.stop()
      clearTimeout(timer)
      clearInterval(idle)
    },
  }
}
