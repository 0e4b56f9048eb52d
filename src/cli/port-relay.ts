import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type AttachedChild, startAttached } from './attached-child.ts'
import type { Cli } from './cli.ts'

const QUIET = ['-T', '-o', 'BatchMode=yes', '-o', 'ClearAllForwardings=yes']

/** Whether a shared connection to the address is open: that of `drover target login`, else the user's own. */
export async function sharesConnection(cli: Cli, address: readonly string[]): Promise<boolean> {
  const child = spawn('ssh', ['-O', 'check', ...address], { stdio: 'ignore', env: cli.host.environment as NodeJS.ProcessEnv })
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    return code === 0
  } catch {
    // No ssh: what is started next says so.
    return false
  }
}

/** The ssh that carries one connection to a port of the address's loopback, by stdin and stdout. */
export function relayArgv(address: readonly string[], port: number): readonly string[] {
  return ['ssh', '-o', 'BatchMode=yes', '-W', `127.0.0.1:${port}`, ...address]
}

/**
 * Brings a port through a shared connection. A forward asked of such a connection (`-O forward`) would stay when this command
 * is killed; so each connection to the port here is carried by an ssh of its own, and nothing stays. One session, which is the
 * result, lasts as long as the connection: its first output says that it stands, its end that it was cut.
 */
export async function startRelay(
  cli: Cli,
  address: readonly string[],
  ports: { readonly here: number; readonly there: number },
): Promise<AttachedChild & AsyncDisposable> {
  const [program = '', ...args] = relayArgv(address, ports.there)
  const open = new Map<Socket, ChildProcess>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: cli.host.environment as NodeJS.ProcessEnv })
    open.set(socket, child)
    const end = (): void => {
      open.delete(socket)
      child.kill('SIGTERM')
      socket.destroy()
    }
    // An end of either side ends the pair: what they say beyond "it is over" is on stderr.
    for (const stream of [socket, child.stdin, child.stdout]) stream.on('error', end)
    child.on('error', end)
    socket.on('close', end)
    child.stdout.on('end', () => socket.end())
    child.stdout.pipe(socket, { end: false })
    socket.pipe(child.stdin)
  })
  server.listen(ports.here, '127.0.0.1')
  await once(server, 'listening')
  const session = startAttached(cli, ['ssh', ...QUIET, ...address, 'echo up; exec cat >/dev/null'], 'pipe', 'pipe')
  return {
    ...session,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const [socket, child] of open) {
        socket.destroy()
        child.kill('SIGTERM')
      }
      session.process.stdin?.end()
      session.process.kill('SIGTERM')
      await session.ended.catch(() => undefined)
    },
  }
}
