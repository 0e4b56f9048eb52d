import { closeSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { DroverError, toErrorJson } from '../errors.ts'
import { startSupervisor } from '../jobs/supervisor.ts'
import { resolveHome } from '../targets/drover-home.ts'
import { packageFacts } from './package-root.ts'
import { serveOnSocket } from './serve.ts'
import { isListening, READY_VARIABLE, type ReadyLine } from './start-daemon.ts'

/** How long a supervisor lives without work, ms. */
const IDLE_EXIT_MS = 10 * 60_000
/** How long a starting supervisor waits for a leaving one to let go of the store, ms. */
const LEASE_WAIT_MS = 8000

type Environment = Readonly<Record<string, string | undefined>>

/** `DROVER_IDLE_EXIT` in seconds; `never` keeps the supervisor. Default 10 minutes. */
export function idleExitMs(environment: Environment): number | null {
  const text = environment.DROVER_IDLE_EXIT
  if (text === undefined || text === '') return IDLE_EXIT_MS
  if (text === 'never') return null
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000
  throw new DroverError('invalid_argument', `DROVER_IDLE_EXIT is "${text}"; it takes seconds, or "never"`, { level: 'config' })
}

function line(message: string): void {
  process.stderr.write(`${new Date().toISOString()} [${process.pid}] ${message}\n`)
}

/** Tells the client that started this process, if one did, and closes the line. */
function announce(environment: Environment, ready: ReadyLine): void {
  if (environment[READY_VARIABLE] !== '3') return
  // Not for the processes that a supervisor starts: their descriptor 3 is something else.
  delete process.env[READY_VARIABLE]
  try {
    writeSync(3, `${JSON.stringify(ready)}\n`)
    closeSync(3)
  } catch {
    // The client has gone; the supervisor serves whoever comes next.
  }
}

async function startWhenFree(environment: Environment): ReturnType<typeof startSupervisor> {
  const { home } = resolveHome(environment)
  const deadline = Date.now() + LEASE_WAIT_MS
  for (;;) {
    try {
      return await startSupervisor({
        home,
        environment,
        version: packageFacts().version,
        idleExitMs: idleExitMs(environment),
        log: { debug: environment.DROVER_DEBUG ? line : () => {}, warn: line },
      })
    } catch (error) {
      // A supervisor that is just leaving still holds the store for a moment.
      if (!(error instanceof DroverError) || error.code !== 'conflict' || Date.now() > deadline) throw error
      if (await isListening(resolveHome(environment).socketPath)) throw error
      await sleep(20)
    }
  }
}

/**
 * The detached supervisor: `drover supervisor run`. Resolves to its exit code after a stop request, SIGTERM, SIGINT or
 * idle time; jobs run on and the next supervisor takes them up.
 */
export async function runDaemon(environment: Environment): Promise<number> {
  // A burst of submits leaves garbage of many times what a supervisor holds; V8 would keep its room for good.
  setFlagsFromString('--optimize-for-size')
  // A terminal that closes must not take the supervisor along.
  process.on('SIGHUP', () => {})
  let stop: (reason: string) => void = () => {}
  const asked = new Promise<string>((resolve) => {
    stop = resolve
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(signal))
  try {
    const { socketPath } = resolveHome(environment)
    const supervisor = await startWhenFree(environment)
    const { version } = packageFacts()
    let server: Awaited<ReturnType<typeof serveOnSocket>>
    try {
      server = await serveOnSocket({
        drover: supervisor,
        socketPath,
        version,
        stop: () => stop('stop request'),
        onInternalError: line,
        onActivity: () => supervisor.touch(),
      })
    } catch (error) {
      await supervisor.close()
      throw error
    }
    line(`supervisor ${version} listens on ${socketPath}`)
    announce(environment, { ready: true })
    const reason = await Promise.race([asked, supervisor.stopped.then(() => 'idle')])
    line(`supervisor stops: ${reason}`)
    await server.close()
    await supervisor.close()
    return 0
  } catch (error) {
    const shown = toErrorJson(error)
    line(`supervisor failed: ${shown.message}`)
    announce(environment, { error: shown })
    return 125
  }
}
