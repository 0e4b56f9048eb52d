import { DroverError } from '../errors.ts'
import type { Drover } from '../jobs/drover.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { connectDrover } from './client.ts'
import { packageFacts } from './package-root.ts'

/** How `openDrover` finds or makes the supervisor. */
export interface OpenDroverOptions {
  /** Default: the process's own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Directory of the store; default `DROVER_HOME`, else as resolveHome says. */
  readonly home?: string
  /**
   * `auto` (default): attach to a living supervisor, else become it in this process until `close`.
   * `in-process`: become it; an error when another lives. `detached`: attach, else start one that outlives this process.
   */
  readonly daemon?: 'auto' | 'in-process' | 'detached'
}

type Environment = Readonly<Record<string, string | undefined>>

/** Attaches to the supervisor of a home, and starts a detached one whenever there is none. Sends nothing yet. */
export function attachDetached(environment: Environment): Drover {
  const { home, socketPath } = resolveHome(environment)
  const { version } = packageFacts()
  return connectDrover(socketPath, {
    version,
    start: async () => {
      const { startDaemon } = await import('./start-daemon.ts')
      await startDaemon({ home, socketPath, environment })
    },
    replace: async () => {
      const { stopAndWait } = await import('./stop-daemon.ts')
      await stopAndWait(socketPath, version)
    },
  })
}

/** Attaches to a living supervisor only: the first call fails with `supervisor_unreachable` where there is none. */
export function attachOnly(environment: Environment): Drover {
  return connectDrover(resolveHome(environment).socketPath, { version: packageFacts().version })
}

/** Becomes the supervisor, also for other clients: they find it on the socket. Its end is `close`. */
async function become(environment: Environment): Promise<Drover> {
  const [{ startSupervisor }, { serveOnSocket }] = await Promise.all([import('../jobs/supervisor.ts'), import('./serve.ts')])
  const { home, socketPath } = resolveHome(environment)
  const { version } = packageFacts()
  const silent = { debug: () => {}, warn: () => {} }
  const supervisor = await startSupervisor({ home, environment, version, idleExitMs: null, log: silent })
  try {
    const server = await serveOnSocket({ drover: supervisor, socketPath, version })
    let closing: Promise<void> | undefined
    const close = (): Promise<void> => {
      closing ??= server.close().then(() => supervisor.close())
      return closing
    }
    return new Proxy<Drover>(supervisor, {
      get(target, key) {
        if (key === 'close' || key === Symbol.asyncDispose) return close
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  } catch (error) {
    await supervisor.close()
    throw error
  }
}

async function attachIfAlive(environment: Environment): Promise<Drover | undefined> {
  const client = attachOnly(environment)
  try {
    await client.status()
    return client
  } catch (error) {
    await client.close()
    if (error instanceof DroverError && error.code === 'supervisor_unreachable') return undefined
    throw error
  }
}

/** Opens Drover for a program. Throws DroverError `supervisor_elsewhere`, `conflict` or `store_newer`. Close it when done. */
export async function openDrover(options: OpenDroverOptions = {}): Promise<Drover> {
  const environment = { ...(options.environment ?? process.env), ...(options.home === undefined ? {} : { DROVER_HOME: options.home }) }
  const mode = options.daemon ?? 'auto'
  if (mode === 'detached') {
    const drover = attachDetached(environment)
    await drover.status()
    return drover
  }
  if (mode === 'in-process') return await become(environment)
  const alive = await attachIfAlive(environment)
  if (alive) return alive
  try {
    return await become(environment)
  } catch (error) {
    // Somebody else became the supervisor between the two looks.
    const other = error instanceof DroverError && error.code === 'conflict' ? await attachIfAlive(environment) : undefined
    if (other) return other
    throw error
  }
}
